"""When exchanges trade: holidays, half days and lunches included."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final, Protocol

from pipeline.aio import first_of
from pipeline.clock import Clock
from pipeline.model.instruments import CRYPTO, CURRENCIES, exchange_of
from pipeline.model.sessions import (
    ALWAYS,
    MarketStatus,
    Session,
    has_extended_hours,
    trading_at,
    usual_session,
    weeks_of_currencies,
)
from pipeline.model.watchlist import Watchlist
from pipeline.sources.calendar_library import AROUND, sessions_elsewhere

log = logging.getLogger(__name__)

CALENDAR: Final = "XNYS"
FRESH: Final = timedelta(days=7)
_LOOK_SECONDS: Final = 3600.0


class Hours(Protocol):
    async def sessions(self) -> Sequence[Session]:
        """At least those of the last and the next two weeks, oldest first."""


class MarketHours:
    """The sessions around the clock's now of one calendar: New York's, if none is named."""

    def __init__(self, clock: Clock, calendar: str = CALENDAR) -> None:
        self._clock = clock
        self._calendar = calendar
        self._built_for: date | None = None
        self._building = asyncio.Lock()
        self.built: Sequence[Session] = ()
        """What the last call of `sessions` returned."""

    async def sessions(self) -> Sequence[Session]:
        """At least those of the last and the next two weeks, oldest first."""
        today = self._clock.now().date()
        async with self._building:
            if self._built_for is None or abs(today - self._built_for) > FRESH:
                self.built = await sessions_elsewhere(today, self._calendar)
                self._built_for = today
        return self.built


class TradingHours:
    """Whether tickers trade now, each by the calendar of its exchange, which is built when a ticker needs it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calendars: dict[str, MarketHours] = {}
        self._unknown: dict[str, date] = {}
        """Calendars that the library could not make, and when it was asked."""
        self._kept: dict[tuple[str | None, bool], tuple[int, MarketStatus | None]] = {}
        """The answers of this minute: each screen asks four times a second, for all tickers."""

    def now(self, ticker: str) -> MarketStatus | None:
        """What part of the day it is for the ticker; None while, or where, that is not known."""
        exchange, extended = exchange_of(ticker), has_extended_hours(ticker)
        if exchange is CRYPTO:
            return ALWAYS
        now = self._clock.now()
        minute = int(now.timestamp()) // 60
        kept = self._kept.get((exchange.calendar, extended))
        if kept is None or kept[0] != minute:
            sessions = weeks_of_currencies(now.date(), AROUND) if exchange is CURRENCIES else self._built(ticker)
            kept = self._kept[exchange.calendar, extended] = minute, trading_at(now, sessions, extended=extended)
        return kept[1]

    def regular_session(self, ticker: str, day: date) -> Session | None:
        """That of a day, of what trades outside of it too; None for anything else, and on a day without one."""
        if not has_extended_hours(ticker):
            return None
        built = self._built(ticker)
        if built and built[0].day <= day <= built[-1].day:
            return next((session for session in built if session.day == day), None)
        return usual_session(ticker, day)

    async def look(self, ticker: str) -> MarketStatus | None:
        """As `now`, after its calendar is built."""
        await self.prepare([ticker])
        return self.now(ticker)

    async def prepare(self, tickers: Iterable[str]) -> None:
        """Build the calendars of their exchanges that are missing, or have grown old."""
        today = self._clock.now().date()
        for name in {exchange_of(ticker).calendar for ticker in tickers} - {None, CRYPTO.calendar, CURRENCIES.calendar}:
            assert name is not None  # noqa: S101 - it has just been taken out
            asked = self._unknown.get(name)
            if asked is not None and abs(today - asked) <= FRESH:
                continue
            try:
                await self._calendars.setdefault(name, MarketHours(self._clock, name)).sessions()
            except Exception as error:  # the library raises what it likes; that hours are unknown ends nothing
                log.warning("the hours of %s are not known: %s", name, error)
                self._unknown[name] = today
        self._kept.clear()

    async def follow(self, watchlist: Watchlist) -> None:
        """Keep the calendars of what is watched at hand, without end."""
        while True:
            version = watchlist.version
            await self.prepare(watchlist.tickers)
            await first_of(watchlist.changed_since(version), self._clock.sleep(_LOOK_SECONDS))

    def _built(self, ticker: str) -> Sequence[Session]:
        hours = self._calendars.get(exchange_of(ticker).calendar or "")
        return hours.built if hours is not None else ()
