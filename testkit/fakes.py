"""Stand-ins for what tests must not wait for or talk to."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
"""A Wednesday, 10:00 in New York."""


class FakeClock:
    """A clock that stands still until it is told to go on.

    Sleepers wait for `advance`; with `auto` a sleep takes its time off the clock at once instead, which suits a test
    with a single sleeper.
    """

    def __init__(self, start: datetime = START, *, auto: bool = False) -> None:
        self._start = start
        self._auto = auto
        self._elapsed = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    @property
    def next_in(self) -> float | None:
        """Seconds until the next sleeper is to be woken; None if nobody sleeps."""
        return next((due - self._elapsed for due, _, awake in sorted(self._sleepers) if not awake.done()), None)

    def jump(self, seconds: float) -> None:
        """Let the time pass without waking anybody."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        if self._auto:
            self._elapsed += max(0.0, seconds)
            await asyncio.sleep(0)
            return
        awake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), awake))
        await awake

    async def advance(self, seconds: float) -> None:
        """Let the time pass, waking each sleeper when its time has come; those that sleep again are woken again."""
        until = self._elapsed + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, awake = heapq.heappop(self._sleepers)
            if not awake.done():
                self._elapsed = max(self._elapsed, due)
                awake.set_result(None)
                await _settle()
        self._elapsed = until
        await _settle()


async def _settle() -> None:
    """Give every task that can run a few turns."""
    for _ in range(20):
        await asyncio.sleep(0)
