"""When the New York exchanges trade: holidays and half days included."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Protocol

from pipeline.clock import Clock

CALENDAR: Final = "XNYS"
AROUND: Final = timedelta(days=21)
"""How far to both sides of today the calendar is built: a fortnight without trading has never been."""
FRESH: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Session:
    """One day of trading; `open` and `close` are UTC."""

    day: date
    open: datetime
    close: datetime


class Hours(Protocol):
    async def sessions(self) -> Sequence[Session]:
        """At least those of the last and the next two weeks, oldest first."""


class MarketHours:
    """The sessions around the clock's now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: tuple[Session, ...] = ()
        self._built_for: date | None = None
        self._building = asyncio.Lock()

    async def sessions(self) -> Sequence[Session]:
        """At least those of the last and the next two weeks, oldest first."""
        today = self._clock.now().date()
        async with self._building:
            if self._built_for is None or abs(today - self._built_for) > FRESH:
                self._sessions = await asyncio.to_thread(sessions_around, today)
                self._built_for = today
        return self._sessions


def sessions_around(day: date) -> tuple[Session, ...]:
    """The sessions within `AROUND` of the day, from the calendar library, which takes seconds to import."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar(CALENDAR, start=str(day - AROUND), end=str(day + AROUND))
    rows = zip(calendar.sessions, calendar.opens, calendar.closes, strict=True)
    return tuple(
        Session(session.date(), open_.to_pydatetime(), close.to_pydatetime()) for session, open_, close in rows
    )
