"""A source of one websocket, made as the pipeline makes it, against the server on this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from pipeline.config.settings import Settings
from pipeline.model.messages import AnyMessage, Bar, DeadLetter, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources import registry
from pipeline.sources.base import SourceContext
from pipeline.sources.share_stream import ShareStreamSource
from testkit.fakes import FakeClock


class Rig:
    """`got` is what the feed has handed out; a test moves the clock."""

    def __init__(self, source: ShareStreamSource, clock: FakeClock, tickers: Sequence[str]) -> None:
        self.source = source
        self.clock = clock
        self.watchlist = Watchlist(tickers)
        self.got: list[AnyMessage] = []
        self.task = asyncio.ensure_future(self._take())

    @property
    def quotes(self) -> list[Quote]:
        return [message for message in self.got if isinstance(message, Quote)]

    @property
    def bars(self) -> list[Bar]:
        return [message for message in self.got if isinstance(message, Bar)]

    @property
    def letters(self) -> list[DeadLetter]:
        return [message for message in self.got if isinstance(message, DeadLetter)]

    def why(self, ticker: str) -> str:
        """The ticker's trouble, "" if it has none."""
        trouble = self.source.troubles().get(ticker)
        return trouble.why if trouble else ""

    async def until(self, condition: Callable[[], object], step: float = 0.25) -> None:
        """Wait until it holds, so many seconds of the clock's at a time, or raise what the feed raised."""
        async with asyncio.timeout(5):
            while not (self.task.done() or condition()):
                await self.clock.advance(step)
                await asyncio.sleep(0.001)
        if self.task.done():
            self.task.result()

    async def _take(self) -> None:
        (feed,) = self.source.feeds()
        assert feed.name == "market"
        async with aclosing(feed.stream(self.watchlist)) as batches:
            async for batch in batches:
                self.got += batch


@asynccontextmanager
async def running(name: str, settings: Settings, directory: Path, *tickers: str) -> AsyncIterator[Rig]:
    clock = FakeClock()
    source = registry.make(name, SourceContext(settings, directory, clock, directory))
    assert isinstance(source, ShareStreamSource)
    rig = Rig(source, clock, tickers)
    try:
        yield rig
    finally:
        rig.task.cancel()
        await asyncio.gather(rig.task, return_exceptions=True)
        await source.close()
