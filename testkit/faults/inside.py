"""A whole pipeline on the embedded engines within the test's own event loop: its clock and its engines are at hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.clock import SystemClock
from pipeline.config.settings import load
from pipeline.contract.snapshot import Snapshot
from pipeline.engines import Engines
from pipeline.ops.logs import LogTail
from pipeline.runtime import Pipeline, RunOptions
from pipeline.sources.choice import choose_source
from pipeline.storage.datadir import DataDir
from pipeline.store.base import Query, Store
from pipeline.store.embedded.store import EmbeddedStore
from testkit.faults.ledger import Entry, compare
from testkit.faults.recording import Recording

PACE: Final = 120.0
DEFAULTS: Final = RunOptions()


class TurnedClock(SystemClock):
    """The machine's clock, whose time of day somebody turns."""

    def __init__(self) -> None:
        self.turned = timedelta()

    def now(self) -> datetime:
        return super().now() + self.turned


class FastClock(TurnedClock):
    """One that goes 120 times as fast: a pause of a minute takes half a second."""

    def __init__(self) -> None:
        super().__init__()
        self._began = self.monotonic()

    def monotonic(self) -> float:
        return super().monotonic() * PACE

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.monotonic() - self._began)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / PACE)


class Inside:
    """A pipeline that runs here, and what it runs on."""

    def __init__(
        self, pipeline: Pipeline, run: asyncio.Task[int], bus: EmbeddedBus, store: EmbeddedStore, data_dir: DataDir
    ) -> None:
        self.pipeline = pipeline
        self.run = run
        self.data_dir = data_dir
        self.bus = bus
        self.store = store
        self.socket = data_dir.socket

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
    options: RunOptions = DEFAULTS,
) -> AsyncIterator[Inside]:
    """A pipeline that replays the recording; stopped gracefully at the end."""
    config = directory / "config.toml"
    config.touch()
    flags = {"source": f"replay:{recording.directory}", "tickers": recording.tickers, "speed": speed}
    if isinstance(clock, FastClock):
        flags["stop_timeout"] = 600  # the most that is allowed, which is five of the machine's seconds
    loaded = load(config, {"pipeline": flags | {"data_dir": str(directory / "data")}}, environ={})
    data_dir = DataDir(loaded.data_dir)
    data_dir.create()
    bus = EmbeddedBus(data_dir.bus, retention=retention, clock=clock)
    documents = store(data_dir.store)
    engines = Engines(bus, documents, choose_source(loaded))
    pipeline = Pipeline(loaded, options, data_dir, engines, LogTail([]), clock)
    run = asyncio.create_task(pipeline.run())
    inside = Inside(pipeline, run, bus, documents, data_dir)
    try:
        await inside.wait_for(lambda snapshot: snapshot.services or run.done())
        yield inside
    finally:
        pipeline.request_stop()
        status = await run
    assert status == 0
