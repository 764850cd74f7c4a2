"""A budget of requests: so many in a second, in a minute, on a day, across restarts.

Our own, because no limiter library has all of this: a day that begins at midnight somewhere (theirs are windows of 24
hours), persistence with an injected clock (pyrate-limiter's SQLite bucket reads the machine's), and a provider's reply
that the day is used up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.clock import Clock
from pipeline.storage.statefile import StateFile

DAYS_KEPT: Final = 8
"""Days whose counts are kept: a clock that was set wrong and is set back finds the count of the right day."""


class BudgetSpentError(Exception):
    """The day's requests are used up. Not a fault: ask again at `until` (aware)."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"the day's requests are used up until {until:%Y-%m-%d %H:%M %Z}")
        self.until = until


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` requests in any `seconds`."""

    count: int
    seconds: float


class Spent(Struct):
    """What is remembered. `days` counts requests by ISO date, `recent` holds the times (epoch, s) of the latest ones,
    `refused` is the day of which the provider said that its limit is reached; all of the key with that fingerprint."""

    key: str = ""
    days: dict[str, int] = {}
    recent: list[float] = []
    refused: str = ""


class Budget:
    """Counts requests before they leave, and holds back those that must wait.

    A day lasts from midnight to midnight in `zone`, that of the provider. A sliding window of 24 hours would be
    stricter, but would leave a market day blind after an evening's work; should the provider count otherwise, it says
    so in a refusal, which `refuse_today` believes.

    A request is counted, and the count saved, before it is sent: a crash in between loses one request of the
    allowance, and never sends one too many. One that finds no connection is taken back from the day.
    """

    def __init__(
        self, path: Path, clock: Clock, *, key: str, rates: Sequence[RateLimit], per_day: int | None, zone: ZoneInfo
    ) -> None:
        """`key` is a fingerprint of whose budget it is: another key's count is not taken over."""
        self.per_day = per_day
        self._file = StateFile(path, Spent)
        self._clock = clock
        self._rates = tuple(rates)
        self._zone = zone
        self._turn = asyncio.Lock()
        self._held_until = clock.monotonic()
        spent = self._file.load()
        self._spent = spent if spent is not None and spent.key == key else Spent(key=key)
        # Elapsed time is monotonic from here on. A request from the future, by a clock set back, was just now.
        ages = (max(0.0, clock.now().timestamp() - at) for at in sorted(self._spent.recent))
        self._recent = deque(clock.monotonic() - age for age in ages)

    @property
    def used(self) -> int:
        """Requests of today."""
        return self._spent.days.get(self._today.isoformat(), 0)

    @property
    def left(self) -> int | None:
        """Requests that today still allows; None where no day has a limit."""
        if self._spent.refused == self._today.isoformat():
            return 0
        return None if self.per_day is None else max(0, self.per_day - self.used)

    @property
    def refused(self) -> bool:
        """Whether the provider itself has said that today's limit is reached."""
        return self._spent.refused == self._today.isoformat()

    @property
    def next_day(self) -> datetime:
        """When the next day begins, in the provider's zone."""
        return datetime.combine(self._today + timedelta(days=1), time(), self._zone)

    @property
    def next_at(self) -> datetime:
        """The earliest time that a request may leave."""
        return self.next_day if self.left == 0 else self._clock.now() + timedelta(seconds=self._wait())

    @property
    def blocked_until(self) -> datetime:
        """As `next_at`, but for the rates: until then it is not worth standing in line."""
        held = timedelta(seconds=max(0.0, self._held_until - self._clock.monotonic()))
        return self.next_day if self.left == 0 else self._clock.now() + held

    async def permit(self) -> Callable[[], None]:
        """Wait, first come first served, until a request may leave, and count it.

        What is returned takes the count back: for a request that did not leave after all.

        Raises:
            BudgetSpentError: at once, if that will not be today.
        """
        async with self._turn:
            while True:
                if self.left == 0:
                    raise BudgetSpentError(self.next_day)
                wait = self._wait()
                if wait <= 0:
                    break
                await self._clock.sleep(wait)
            return partial(self._take_back, self._count())

    def hold(self, seconds: float) -> None:
        """Let no request leave for that long, for the provider asked for it."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    def refuse_today(self) -> None:
        """Believe the provider that today's limit is reached."""
        self._spent.refused = self._today.isoformat()
        self._file.save(self._spent)

    @property
    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()

    def _wait(self) -> float:
        """Seconds until neither a hold nor a rate forbids a request."""
        now = self._clock.monotonic()
        free_at = [self._held_until]
        free_at += [self._recent[-rate.count] + rate.seconds for rate in self._rates if len(self._recent) >= rate.count]
        return max(free_at) - now

    def _count(self) -> str:
        """Count a request; the day it is counted to."""
        now, mono = self._clock.now().timestamp(), self._clock.monotonic()
        self._recent.append(mono)
        longest = max((rate.seconds for rate in self._rates), default=0.0)
        while self._recent and self._recent[0] <= mono - longest:
            self._recent.popleft()
        today = self._today.isoformat()
        days = self._spent.days
        days[today] = days.get(today, 0) + 1
        while len(days) > DAYS_KEPT:
            del days[next(day for day in days if day != today)]  # that which was first met longest ago
        self._spent.recent = [now - (mono - at) for at in self._recent]
        self._file.save(self._spent)
        return today

    def _take_back(self, day: str) -> None:
        self._spent.days[day] = max(0, self._spent.days.get(day, 0) - 1)
        self._file.save(self._spent)
