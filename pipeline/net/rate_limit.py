"""A rate of requests that only this process has to keep: so many in a time, and so many at once.

For providers without a daily budget. `request_budget` counts what must outlive the process, and writes at each request.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pipeline.clock import Clock
from pipeline.net.request_budget import RateLimit


class RateLimiter:
    """Holds requests back, first come first served."""

    def __init__(self, clock: Clock, rates: Sequence[RateLimit], *, at_once: int) -> None:
        self._clock = clock
        self._rates = tuple(rates)
        self._longest = max((rate.seconds for rate in self._rates), default=0.0)
        self._left_at: deque[float] = deque()
        self._turn = asyncio.Lock()
        self._slots = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Around one request, its repetitions included: at most `at_once` of them are under way."""
        async with self._slots:
            yield

    async def permit(self) -> None:
        """Wait until a request may leave, and count it; a `Permit` for `Http`.

        One that finds no connection counts as well: whoever refuses connections is not to be asked faster.
        """
        async with self._turn:
            while (wait := self._wait()) > 0:
                await self._clock.sleep(wait)
            now = self._clock.monotonic()
            self._left_at.append(now)
            while self._left_at[0] <= now - self._longest:
                self._left_at.popleft()

    def _wait(self) -> float:
        """Seconds until no rate forbids a request."""
        now = self._clock.monotonic()
        free_at = (
            self._left_at[-rate.count] + rate.seconds for rate in self._rates if len(self._left_at) >= rate.count
        )
        return max(free_at, default=now) - now
