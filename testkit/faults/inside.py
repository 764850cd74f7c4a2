"""A whole pipeline on the embedded engines within the test's own event loop: its clock and its engines are at hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.bus.embedded import EmbeddedBus
from pipeline.clock import SystemClock
from pipeline.datadir import DataDir
from pipeline.engines import Engines
from pipeline.logs import LogTail
from pipeline.runtime import Pipeline, RunOptions
from pipeline.settings import load
from pipeline.snapshot import Snapshot
from pipeline.sources.choice import choose_source
from pipeline.store.base import Query, Store
from pipeline.store.embedded import EmbeddedStore
from tests.faults.ledger import Entry, compare
from tests.faults.recording import Recording


class TurnedClock(SystemClock):
    """The machine's clock, whose time of day somebody turns."""

    def __init__(self) -> None:
        self.turned = timedelta()

    def now(self) -> datetime:
        return super().now() + self.turned


class Inside:
    """A pipeline that runs here, and what it runs on."""

    def __init__(self, pipeline: Pipeline, bus: EmbeddedBus, store: EmbeddedStore, socket: Path) -> None:
        self.pipeline = pipeline
        self.bus = bus
        self.store = store
        self.socket = socket

    async def wait_for(self, condition: Callable[[Snapshot], object], patience: float = 60) -> Snapshot:
        """The first snapshot that meets the condition."""
        async with asyncio.timeout(patience):
            while not condition(snapshot := self.pipeline.snapshot()):
                await asyncio.sleep(0.01)
        return snapshot

    async def audit(self, recording: Recording) -> Entry:
        """What is stored, held against the recording."""
        return await audit_store(self.store, recording)


async def audit_store(store: Store, recording: Recording) -> Entry:
    stored, rows = [await store.find(Query(collection)) for collection in ("stock_data", "indicators")]
    return compare(recording.live, stored, rows)


@asynccontextmanager
async def running(
    directory: Path,
    recording: Recording,
    *,
    speed: float | str = "max",
    clock: TurnedClock | None = None,
    retention: timedelta = timedelta(days=7),
    store: type[EmbeddedStore] = EmbeddedStore,
) -> AsyncIterator[Inside]:
    """A pipeline that replays the recording; stopped in good order at the end."""
    config = directory / "config.toml"
    config.touch()
    flags = {"source": f"replay:{recording.directory}", "tickers": recording.tickers, "speed": speed}
    loaded = load(config, {"pipeline": flags | {"data_dir": str(directory / "data")}}, environ={})
    data_dir = DataDir(loaded.data_dir)
    data_dir.create()
    bus = EmbeddedBus(data_dir.bus, retention=retention, clock=clock)
    documents = store(data_dir.store)
    engines = Engines(bus, documents, choose_source(loaded))
    pipeline = Pipeline(loaded, RunOptions(), data_dir, engines, LogTail([]), clock)
    run = asyncio.create_task(pipeline.run())
    inside = Inside(pipeline, bus, documents, data_dir.socket)
    try:
        await inside.wait_for(lambda snapshot: snapshot.services or run.done())
        yield inside
    finally:
        pipeline.request_stop()
        status = await run
    assert status == 0
