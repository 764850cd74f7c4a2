"""A source against servers on this machine, and what its feed has handed out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.config.settings import Settings
from pipeline.model.messages import AnyMessage, Bar, DeadLetter, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Factory, HistoryChunk, Serving, Source, SourceContext
from testkit.fakes import FakeClock
from testkit.http_fixtures import LIMITS
from testkit.websocket_server import eventually

ONCE = replace(LIMITS, attempts=1)
NOW = 1_772_636_400
"""The time of a `FakeClock`, 2026-03-04 15:00 UTC, in seconds since the epoch."""
TODAY = NOW - 15 * 3600


class Run:
    """A feed that runs; whatever is asked about is asked until it is so."""

    def __init__(self, source: Source, clock: FakeClock, watchlist: Watchlist) -> None:
        self.source = source
        self.clock = clock
        self.watchlist = watchlist
        self.messages: list[AnyMessage] = []
        self.task = asyncio.ensure_future(self._take())

    @property
    def quotes(self) -> list[Quote]:
        return [message for message in self.messages if isinstance(message, Quote)]

    @property
    def letters(self) -> list[DeadLetter]:
        return [message for message in self.messages if isinstance(message, DeadLetter)]

    def bars(self, interval: str = "1min", ticker: str = "BTC-USD") -> list[Bar]:
        return [m for m in self.messages if isinstance(m, Bar) and (m.interval, m.ticker) == (interval, ticker)]

    @property
    def troubles(self) -> dict[str, str]:
        assert isinstance(self.source, Serving)
        return {ticker: trouble.why for ticker, trouble in self.source.troubles().items()}

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds, or raise what the feed raised."""
        await eventually(lambda: condition() or self.task.done())
        if self.task.done():
            self.task.result()

    async def passing(self, condition: Callable[[], object], seconds: float = 120.0, step: float = 0.5) -> None:
        """As `until`, while the time goes on, for at most so long by the clock."""
        until = self.clock.monotonic() + seconds
        while not condition() and not self.task.done():
            assert self.clock.monotonic() < until, "it never was"
            await self.clock.advance(step)
            await asyncio.sleep(0.002)  # what goes over a socket takes a while
        if self.task.done():
            self.task.result()

    async def _take(self) -> None:
        (feed,) = self.source.feeds()
        async with aclosing(feed.stream(self.watchlist)) as batches:
            async for batch in batches:
                self.messages += batch


@asynccontextmanager
async def running(
    create: Factory, tmp_path: Path, *tickers: str, clock: FakeClock | None = None, **settings: Any
) -> AsyncIterator[Run]:
    """The feed of a source with these settings."""
    clock = clock or FakeClock()
    context = SourceContext(Settings(**settings), tmp_path, clock, tmp_path, ONCE)
    run = Run(create(context), clock, Watchlist(tickers or ("BTC-USD",)))
    try:
        yield run
    finally:
        run.task.cancel()
        await asyncio.gather(run.task, return_exceptions=True)
        await context.close()


async def history(
    create: Factory, tmp_path: Path, ticker: str = "BTC-USD", clock: FakeClock | None = None, **settings: Any
) -> list[HistoryChunk]:
    """The whole history, on a clock that does not wait."""
    context = SourceContext(Settings(**settings), tmp_path, clock or FakeClock(auto=True), tmp_path, ONCE)
    try:
        async with aclosing(create(context).history(ticker)) as chunks:
            return [chunk async for chunk in chunks]
    finally:
        await context.close()
