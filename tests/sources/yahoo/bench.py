"""A source on a clock of the test's: time goes on only while no request is under way, and then at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.config.settings import Settings
from pipeline.config.sources import YahooSettings
from pipeline.model.messages import AnyMessage, Bar, DeadLetter, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.net.http import Limits
from pipeline.net.rate_limit import RateLimiter
from pipeline.sources.base import SourceContext
from pipeline.sources.yahoo import create
from pipeline.sources.yahoo.client import AT_ONCE, RATES
from testkit.fake_yahoo import FakeYahoo
from testkit.fakes import FakeClock
from testkit.http_fixtures import LIMITS


class WatchedLimiter(RateLimiter):
    """Says how many requests are under way that wait for nothing but their answer."""

    under_way = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        async with super().slot():
            self.under_way += 1
            try:
                yield
            finally:
                self.under_way -= 1

    async def permit(self) -> None:
        self.under_way -= 1
        try:
            await super().permit()
        finally:
            self.under_way += 1


class Bench:
    """`got` is what the feed has handed out."""

    def __init__(
        self,
        url: str,
        yahoo: FakeYahoo,
        clock: FakeClock,
        data_dir: Path,
        *,
        limits: Limits = LIMITS,
        **options: Any,
    ) -> None:
        self.yahoo = yahoo
        self.clock = clock
        self.watchlist = Watchlist()
        self.got: list[AnyMessage] = []
        self.refuse: Callable[[Sequence[AnyMessage]], bool] = lambda batch: False
        """Whether the bus is not there to take a batch, upon which the feed is closed."""
        settings = YahooSettings(
            **({"base_url": url, "fallback_url": url, "stream_url": "", "history_years": 1} | options)
        )
        self._streams = bool(settings.stream_url)
        self._context = SourceContext(Settings(yahoo=settings), data_dir, clock, data_dir, limits)
        self.restart()

    def restart(self) -> None:
        """Everything anew but what is on disk."""
        self.limiter = WatchedLimiter(self.clock, RATES, at_once=AT_ONCE)
        self.source = create(self._context, self.limiter)
        self.got = []

    async def close(self) -> None:
        await self.source.close()
        await self._context.close()

    async def run(self, seconds: float, *tickers: str, until: Callable[[], object] = lambda: False) -> None:
        """Run the feed for that long, or until the condition holds; raises what the feed raises."""
        if tickers:
            self.watchlist.become(tickers)
        running = asyncio.create_task(self._consume())
        try:
            end = self.clock.monotonic() + seconds
            while not until() and not running.done() and await self._step(end):
                pass
            if running.done():
                await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def history(self, ticker: str) -> list[Any]:
        """All chunks of its history."""

        async def load() -> list[Any]:
            return [chunk async for chunk in self.source.history(ticker)]

        loading = asyncio.create_task(load())
        while not loading.done():
            await self._step(self.clock.monotonic() + 3600)
        return await loading

    def bars(self, ticker: str, interval: str = "1min") -> dict[datetime, Bar]:
        """The last that was said of each bar."""
        found = (m for m in self.got if isinstance(m, Bar) and (m.ticker, m.interval) == (ticker, interval))
        return {bar.ts: bar for bar in sorted(found, key=lambda bar: (bar.ts, bar.revision))}

    def quotes(self, ticker: str) -> list[Quote]:
        return [message for message in self.got if isinstance(message, Quote) and message.ticker == ticker]

    @property
    def letters(self) -> list[DeadLetter]:
        return [message for message in self.got if isinstance(message, DeadLetter)]

    def asked(self, symbol: str, interval: str | None = None) -> list[float]:
        """When charts of the symbol were asked for."""
        return [at for at, of, params in self.yahoo.asked if of == symbol and interval in (None, params["interval"])]

    async def _consume(self) -> None:
        async with aclosing(self.source.feeds()[0].stream(self.watchlist)) as stream:
            async for batch in stream:
                if self.refuse(batch):
                    return
                self.got += batch

    async def _step(self, end: float) -> bool:
        """Let what can be done be done, and then go to the next moment that somebody waits for; False at the end."""
        await asyncio.sleep(0)
        if self._streams:
            await asyncio.sleep(0.003)  # what goes over a socket takes a few milliseconds
        for _ in range(10):
            while self.limiter.under_way:
                await asyncio.sleep(0.0005)
            await asyncio.sleep(0)
        wait = self.clock.next_in
        left = end - self.clock.monotonic()
        if wait is None or left <= 0:
            return left > 0
        await self.clock.advance(min(max(wait, 0.0), left))
        return True
