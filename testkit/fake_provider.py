"""A provider of market data at the port of the Alpha Vantage client, and a source that asks it on a virtual clock."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.config.settings import AlphaVantageSettings, Settings
from pipeline.model.messages import AnyMessage, Article, Bar, DeadLetter, EconomicPoint, Quote
from pipeline.model.sessions import Session
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import UnavailableError
from pipeline.net.request_budget import Budget
from pipeline.sources.alpha_vantage import budget_of, memory_of, scheduler_of
from pipeline.sources.alpha_vantage.answer import ParsedReply
from pipeline.sources.alpha_vantage.errors import FullOutputNotInPlanError, NotInPlanError, UnknownSymbolError
from pipeline.sources.alpha_vantage.source import AlphaVantageSource
from pipeline.sources.calendar_library import sessions_around
from pipeline.sources.market_hours import CALENDAR
from testkit.data import NEW_YORK
from testkit.fakes import FakeClock

KEY = "a-key-of-the-tests"


class Asked(NamedTuple):
    at: datetime
    kind: str
    subjects: tuple[str, ...]


class FakeProvider:
    """Knows every ticker but those in `unknown`; `refusals` are raised first, one a request."""

    def __init__(self, clock: FakeClock, budget: Budget, sessions: Sequence[Session]) -> None:
        self.asked: list[Asked] = []
        self.unknown: set[str] = set()
        self.refused: set[tuple[str, str]] = set()
        """What is refused of one ticker only: a kind of `Asked`, and the ticker."""
        self.empty: set[tuple[str, str]] = set()
        """As `refused`, by answering nothing."""
        self.dated: dict[str, datetime] = {}
        """The time of everything in the replies of a kind, in place of a likely one."""
        self.missing: set[str] = set()
        """What the plan does not include: of the kinds of `Asked`."""
        self.unfit: set[str] = set()
        """Kinds whose replies hold nothing but a row that does not fit."""
        self.since: list[datetime | None] = []
        """From when on news were asked for."""
        self.live_quotes = False
        self.outage: UnavailableError | None = None
        """Raised at every request, as long as it lasts."""
        self.latency = 0.0
        """Seconds from a request to its answer."""
        self.refusals: list[Exception] = []
        self._clock = clock
        self._budget = budget
        self._sessions = sessions

    async def daily(self, ticker: str, *, full: bool = False) -> ParsedReply[Bar]:
        await self._ask("full" if full else "daily", ticker)
        return ParsedReply([_bar(ticker, session) for session in self._settled()], [])

    async def intraday(self, ticker: str, interval: str, *, full: bool = False) -> ParsedReply[Bar]:
        await self._ask("month" if full else "intraday", ticker)
        return ParsedReply([], [])

    async def quote(self, ticker: str) -> Quote:
        await self._ask("quote", ticker)
        return self._quote(ticker)

    async def bulk_quotes(self, tickers: Sequence[str]) -> ParsedReply[Quote]:
        await self._ask("bulk", *tickers)
        return ParsedReply([self._quote(ticker) for ticker in tickers], [])

    async def news(self, ticker: str, *, since: datetime | None = None, limit: int = 50) -> ParsedReply[Article]:
        await self._ask("news", ticker)
        now = self._clock.now()
        self.since.append(since)
        ts = self.dated.get("news", now)
        return self._reply("news", Article(ticker=ticker, ts=ts, id=f"{ticker} {now}", title="News"))

    async def economic(self, series: str) -> ParsedReply[EconomicPoint]:
        await self._ask("economic", series)
        ts = self.dated.get("economic", (self._clock.now() - timedelta(days=45)).replace(day=1))
        return self._reply("economic", EconomicPoint(ts=ts, series=series, interval="monthly", value=1.0))

    def _reply[Row: AnyMessage](self, kind: str, row: Row) -> ParsedReply[Row]:
        if kind not in self.unfit:
            return ParsedReply([row], [])
        now = self._clock.now()
        letter = DeadLetter(ts=now, topic="test", partition=0, offset=len(self.asked), reason="unfit", payload="")
        return ParsedReply([], [letter])

    async def _ask(self, kind: str, *subjects: str) -> None:
        take_back = await self._budget.permit()
        if self.outage is not None and not self.outage.sent:
            take_back()
            raise self.outage
        self.asked.append(Asked(self._clock.now(), kind, subjects))
        if self.latency:
            await self._clock.sleep(self.latency)
        if self.outage is not None:
            raise self.outage
        if self.refusals:
            raise self.refusals.pop(0)
        if kind in self.missing:
            raise FullOutputNotInPlanError(kind) if kind == "full" else NotInPlanError(kind)
        if subjects[0] in self.unknown or (kind, subjects[0]) in self.refused:
            raise UnknownSymbolError(subjects[0], kind)
        if (kind, subjects[0]) in self.empty:
            raise UnknownSymbolError(subjects[0], kind, empty=True)

    def _settled(self) -> list[Session]:
        return [s for s in self._sessions if s.close + timedelta(hours=1) <= self._clock.now()][-5:]

    def _quote(self, ticker: str) -> Quote:
        ts = self._clock.now() if self.live_quotes else self._settled()[-1].close
        return Quote(ticker=ticker, ts=ts, price=10.0)


class Bench:
    """A source on a day of the test's choosing; `got` is what its feeds have handed out."""

    def __init__(self, start: datetime, data_dir: Path, key: str = KEY, **options: Any) -> None:
        self.clock = FakeClock(start.astimezone(UTC))
        self.data_dir = data_dir
        self.watchlist = Watchlist()
        self.got: list[AnyMessage] = []
        self.sessions = sessions_around(start.date(), CALENDAR)
        self.settings = Settings(alpha_vantage=AlphaVantageSettings(api_key=key, **options))
        self.asked: list[Asked] = []
        self.restart()

    def restart(self) -> None:
        """Everything anew, but what is on disk and what the provider has seen."""
        self.budget = budget_of(self.settings.alpha_vantage, self.data_dir, self.clock)
        self.provider = FakeProvider(self.clock, self.budget, self.sessions)
        self.provider.asked = self.asked
        memory = memory_of(self.settings.alpha_vantage, self.data_dir)
        self.scheduler = scheduler_of(self.settings, self.budget, memory, _FixedHours(self.sessions), self.clock)
        self.scheduler.look_again = 3600.0  # nothing changes behind the source's back here, and a day is long
        self.source = AlphaVantageSource(self.provider, self.scheduler)  # type: ignore[arg-type]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._run(feed)) for feed in self.source.feeds()]
        try:
            yield
            for task in tasks:
                if task.done():
                    await task
        finally:
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, moment: datetime) -> None:
        await self.clock.advance((moment.astimezone(UTC) - self.clock.now()).total_seconds())

    async def day(self, moment: datetime) -> None:
        """Run the feeds until then."""
        async with self.running():
            await self.until(moment)

    async def _run(self, feed: Any) -> None:
        held = Watchlist(["economic_general"]) if feed.name == "economic" else self.watchlist
        async with aclosing(feed.stream(held)) as stream:
            async for batch in stream:
                self.got += batch


class _FixedHours:
    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = sessions

    async def sessions(self) -> Sequence[Session]:
        return self._sessions


def new_york(day: str, clock: str = "00:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=NEW_YORK)


def _bar(ticker: str, session: Session) -> Bar:
    ts = datetime.combine(session.day, time(), NEW_YORK)
    return Bar(ticker=ticker, interval="daily", ts=ts, open=10, high=11, low=9, close=10, volume=100, source="test")
