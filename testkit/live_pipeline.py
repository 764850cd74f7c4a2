"""The whole pipeline on live data from a server of the test's, in this process and on a clock of the test's."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.config.settings import AlphaVantageSettings, Loaded, PipelineSettings, Settings
from pipeline.contract.snapshot import Snapshot
from pipeline.engines import Engines
from pipeline.net.http import Limits
from pipeline.ops.logs import LogTail
from pipeline.runtime import Pipeline, RunOptions
from pipeline.sources.alpha_vantage import create
from pipeline.sources.base import SourceContext
from pipeline.sources.choice import SourceChoice
from pipeline.sources.combined import CombinedSource
from pipeline.storage.datadir import DataDir
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, Request, answer

STEP = 0.5
"""Seconds of the test's clock between two looks."""


def healthy(params: Mapping[str, str]) -> dict[str, Any]:
    """What a provider gracefully answers: two daily bars, a quote, no news, an economic value of long ago."""
    match params["function"]:
        case "TIME_SERIES_DAILY":
            row = {"1. open": "10", "2. high": "11", "3. low": "9", "4. close": "10.5", "5. volume": "100"}
            rows = dict.fromkeys(("2026-03-03", "2026-03-02"), row)
            return {"Meta Data": {"5. Time Zone": "US/Eastern"}, "Time Series (Daily)": rows}
        case "TIME_SERIES_INTRADAY":
            return {"Meta Data": {"6. Time Zone": "US/Eastern"}, "Time Series (1min)": {}}
        case "GLOBAL_QUOTE":
            quote = {"01. symbol": params["symbol"], "05. price": "10.5", "07. latest trading day": "2026-03-03"}
            return {"Global Quote": quote}
        case "REALTIME_BULK_QUOTES":
            return {"data": []}
        case "NEWS_SENTIMENT":
            return {"feed": []}
        case series:
            return {"name": series, "interval": "monthly", "unit": "", "data": [{"date": "2026-01-01", "value": "1"}]}


async def in_good_order(request: Request, writer: asyncio.StreamWriter) -> None:
    await answer(healthy(request.params))(request, writer)


def misbehave(server: HttpServer, behaviour: Behaviour, ticker: str | None) -> None:
    """Answer gracefully, but to all requests about the ticker, or to all, by the behaviour."""
    server.on(in_good_order)
    if ticker is None:
        server.on(behaviour)
    else:
        server.on(behaviour, symbol=ticker)
        server.on(behaviour, tickers=ticker)


class LivePipeline:
    """A pipeline that runs; `log` is all that it wrote."""

    def __init__(self, pipeline: Pipeline, store: EmbeddedStore, clock: FakeClock, tail: LogTail) -> None:
        self.pipeline = pipeline
        self.clock = clock
        self._store = store
        self._tail = tail

    @property
    def log(self) -> str:
        return "\n".join(f"{line.level} {line.text}" for line in self._tail.after(0, 10_000))

    async def until(self, condition: Callable[[Snapshot], object]) -> Snapshot:
        """The first snapshot that meets the condition; the clock goes on meanwhile."""
        snapshot = self.pipeline.snapshot("MSFT")
        try:
            async with asyncio.timeout(60):
                while not condition(snapshot):
                    await self.clock.advance(STEP)
                    await asyncio.sleep(0.002)  # sockets and databases take real time
                    snapshot = self.pipeline.snapshot("MSFT")
        except TimeoutError:
            raise AssertionError(f"not in 60 s; the last snapshot was {snapshot}") from None
        return snapshot

    async def stored(self, collection: str, count: int) -> list[dict[str, Any]]:
        """What the collection holds, once that is `count` documents at least."""
        async with asyncio.timeout(60):
            while len(found := await self._store.find(Query(collection))) < count:
                await self.clock.advance(STEP)
        return found


@asynccontextmanager
async def live_pipeline(
    server: HttpServer, directory: Path, key: str, limits: Limits | None = None, **options: Any
) -> AsyncIterator[LivePipeline]:
    """Watches AAPL, and MSFT, which is focused and so asked for first; stops gracefully in the end.

    `options` are those of `alpha_vantage`.
    """
    settings = Settings(
        pipeline=PipelineSettings(tickers=["MSFT", "AAPL"], source="alpha_vantage"),
        alpha_vantage=AlphaVantageSettings(api_key=key, base_url=server.url, **options),
    )
    clock = FakeClock()
    data_dir = DataDir(directory / "data")
    data_dir.create()
    context = SourceContext(settings, data_dir.path, clock, directory, limits)
    source = CombinedSource([create(context)], context.close)
    store = EmbeddedStore(data_dir.store)
    engines = Engines(EmbeddedBus(data_dir.bus), store, SourceChoice(source, "live from alpha_vantage"))
    loaded = Loaded(settings, None, data_dir.path, directory / "logs")
    tail = LogTail(loaded.secrets)
    root = logging.getLogger()
    root.addHandler(tail)
    pipeline = Pipeline(loaded, RunOptions(), data_dir, engines, tail, clock)
    running = asyncio.create_task(pipeline.run())
    try:
        yield LivePipeline(pipeline, store, clock, tail)
    finally:
        pipeline.request_stop()
        while not running.done():
            await clock.advance(STEP)
            await asyncio.sleep(0.002)
        root.removeHandler(tail)
        await running
