"""A long replay with faults sprinkled in, and what must come of it: nothing lost, memory flat, lag gone after each.

A source that begins again with every process would heal what was lost before. So each new process replays only what
its predecessors had not published: what they had, the pipeline itself must bring to its end.
"""

import asyncio
import contextlib
import random
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

from fintrends_tui.link.client import ControlConnection, connect
from fintrends_tui.link.port import LinkError
from pipeline.bus.base import Bus, BusError
from pipeline.bus.lag import read_lag
from pipeline.config import settings
from pipeline.config.settings import Loaded
from pipeline.contract.protocol import GetSnapshot
from pipeline.contract.snapshot import Snapshot
from pipeline.engines import open_bus_to_read, open_store_to_read
from pipeline.model.topics import INDICATORS, READERS, STOCK_DATA, topic_for
from pipeline.storage.datadir import DataDir
from pipeline.store.base import Query, Store, StoreError
from testkit.engines.process import ServerProcess
from testkit.faults.recording import Recording
from testkit.faults.samples import PERIOD, Sample, entries, resident, size_of
from testkit.faults.watching import STOP_SECONDS, settled
from testkit.product import Product
from testkit.terminal import Terminal

PATIENCE = 60.0
"""Seconds without progress that mean there will be none: the longest back-off, twice."""
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Engine:
    """A server that the pipeline runs on, and how it is called where it is missed."""

    server: ServerProcess
    name: str


@dataclass(frozen=True)
class Fault:
    """`act` does it and undoes it. `ends` says that the pipeline's process ends with it, and that `act` begins anew."""

    name: str
    act: Callable[["Soak"], Awaitable[None]]
    ends: bool = False


@dataclass(frozen=True)
class Happened:
    """A fault, when in seconds since the run began it was there, and the seconds until all was caught up after it."""

    name: str
    began: float
    ended: float
    recovery: float


class Soak:
    """A pipeline process that replays a recording `speed` times as fast as real time, watched from outside.

    `unforeseen` is what processes said on stderr that had a traceback to tell.
    """

    def __init__(
        self, product: Product, recording: Recording, speed: float, loaded: Loaded, rng: random.Random,
        engines: Sequence[Engine] = (),
    ) -> None:  # fmt: skip
        self.product = product
        self.recording = recording
        self.rng = rng
        self.engines = engines
        self.samples: list[Sample] = []
        self.happened: list[Happened] = []
        self.unforeseen: list[str] = []
        self.screen: Terminal | None = None
        self.process: Popen[str]
        self._loaded = loaded
        self._speed = speed
        self._times = sorted({bar.ts for bar in recording.live})
        self._next = self._times[0]
        self._lives = 0
        self._began = time.monotonic()
        self._bus: Bus
        self._store: Store

    @property
    def socket(self) -> Path:
        return DataDir(self.product.data_dir).socket

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def start(self) -> None:
        """Start a process."""
        source = ("--source", f"replay:{self.recording.directory}", "--speed", self._speed)
        self.process = self.product.start(*self.recording.tickers, "--no-ui", *source)
        self._lives += 1

    async def start_again(self) -> None:
        """Start a process that replays what has not been published so far."""
        published = await self._published()
        await asyncio.to_thread(self.recording.rewind, published)
        self._next = self._at(max(published.values()), 1)
        self.start()

    async def _published(self) -> dict[str, datetime]:
        """The time of each ticker's last bar on the bus."""
        topics = {topic_for(STOCK_DATA, ticker): ticker for ticker in self.recording.tickers}
        published = dict.fromkeys(topics.values(), self._times[0] - timedelta(minutes=1))
        for where, (first, stop) in (await self._bus.offsets(topics)).items():
            async for records in self._bus.read(where, max(first, stop - 1), stop):
                ticker, ts = topics[where.topic], datetime.fromtimestamp(records[-1].ts / 1000, UTC)
                published[ticker] = max(published[ticker], ts)
        return published

    async def ended(self) -> int:
        """The exit status of the process, once it has ended."""
        _, errors = await asyncio.to_thread(self.process.communicate, timeout=STOP_SECONDS)
        if "Traceback" in errors:
            self.unforeseen.append(errors)
        return self.process.returncode

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[ControlConnection]:
        """A connection to the pipeline, as soon as it listens."""
        async with contextlib.AsyncExitStack() as stack:
            yield await self._connect(stack)

    async def _connect(self, stack: contextlib.AsyncExitStack) -> ControlConnection:
        async with asyncio.timeout(_START_SECONDS):
            while True:
                assert self.process.poll() is None, "the pipeline has ended"
                try:
                    return await stack.enter_async_context(connect(self.socket))
                except LinkError:
                    await asyncio.sleep(0.05)

    async def told(self, condition: Callable[[Snapshot], object]) -> None:
        """Wait for a snapshot that meets the condition."""
        async with self.connected() as connection, asyncio.timeout(PATIENCE):
            while not condition(await connection.ask(GetSnapshot())):
                await asyncio.sleep(0.05)

    def attach(self, columns: int = 140, lines: int = 45) -> Terminal:
        """A screen on the pipeline."""
        flags = ("--data-dir", self.product.data_dir)
        return Terminal(self.product.directory, *flags, columns=columns, lines=lines)

    async def run(self, schedule: Sequence[tuple[float, Fault]], *, to_the_end: bool = True) -> None:
        """Replay; each fault comes when its share of the recording is stored, and the one before is over.

        Unless it goes `to_the_end` it is stopped after the last fault, and the recording cut to what was published.
        A screen looks on from the last start of the pipeline to its end: before, it would start one of its own.
        """
        last_end = max((index for index, (_, fault) in enumerate(schedule) if fault.ends), default=-1)
        self.start()
        await self.told(lambda snapshot: snapshot.pipeline.state == "running")  # its engines are open
        async with open_bus_to_read(self._loaded) as self._bus, open_store_to_read(self._loaded) as self._store:
            watching = asyncio.create_task(self._watch())
            try:
                for index, (share, fault) in enumerate(schedule):
                    if index == last_end + 1:
                        await self._open_screen()
                    await self._reach(self._times[int(share * (len(self._times) - 1))], whatever_the_lag=True)
                    await self._suffer(fault)
                if to_the_end:
                    await self._reach(self._times[-1])
                    await self.told(settled)
                assert not watching.done(), "it is no longer watched"
                assert self.screen is not None and self.screen.process.poll() is None, "the screen has ended"
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                if self.screen is not None:
                    self.screen.close()
            await asyncio.to_thread(self.product.stop)
            assert await self.ended() == 0
            self.recording = self.recording.until(await self._published())

    def close(self) -> None:
        """End the process, should anything have left it running."""
        self.process.kill()
        self.process.communicate()

    async def _open_screen(self) -> None:
        async with self.connected():
            pass
        self.screen = self.attach()

    async def _suffer(self, fault: Fault) -> None:
        at = await self._newest()
        assert at < self._times[-1], f"the replay was over before {fault.name!r}"
        began = self.now
        await fault.act(self)
        ended = self.now
        bars_meanwhile = int((ended - began) * self._speed / 60)
        await self._reach(self._next if fault.ends else self._at(at, bars_meanwhile))
        self.happened.append(Happened(fault.name, began, ended, self.now - ended))

    async def _reach(self, due: datetime, *, whatever_the_lag: bool = False) -> None:
        """Wait until the rows of indicators of that time are stored and no group has any lag."""
        last, since = None, self.now
        while (newest := await self._newest()) < due or not whatever_the_lag:
            lag = await self._lag()
            if newest >= due and lag == 0:
                return
            if (newest, lag) != last:
                last, since = (newest, lag), self.now
            assert self.process.poll() is None, "the pipeline has ended"
            assert self.now - since < PATIENCE, f"stuck at {newest} of {due}, lag {lag}, after {self.happened[-1:]}"
            await asyncio.sleep(0.1)

    async def _newest(self) -> datetime:
        """The time of the newest row of indicators that is stored."""
        with contextlib.suppress(StoreError):
            for row in await self._store.find(Query("indicators", last=1)):
                ts: datetime = row["ts"]
                return ts
        return self._times[0] - timedelta(minutes=1)

    async def _lag(self) -> int | None:
        """Of all groups together; None while the bus is out of reach."""
        try:
            lags = [
                await read_lag(self._bus, group, {topic_for(kind, ticker) for ticker in self.recording.tickers})
                for kind in (STOCK_DATA, INDICATORS)
                for group in READERS[kind]
            ]
        except BusError:
            return None
        return sum(lags)

    async def _watch(self) -> None:
        while True:
            lag = await self._lag()
            with contextlib.suppress(OSError, ProcessLookupError):  # ended meanwhile
                self._sample(lag)
            if self.screen is not None:
                self.screen.read(0)
            await asyncio.sleep(PERIOD)

    def _sample(self, lag: int | None) -> None:
        pid, directory = self.process.pid, self.product.data_dir
        self.samples.append(
            Sample(
                at=self.now,
                life=self._lives,
                lag=lag,
                memory=resident(pid),
                handles=entries(pid, "fd"),
                threads=entries(pid, "task"),
                databases=size_of(directory, "*.sqlite"),
                logs=size_of(directory, "*.sqlite-wal"),
                screen=resident(self.screen.process.pid) if self.screen else None,
            )
        )

    def _at(self, time: datetime, after: int) -> datetime:
        """The time of the latest bars until then, or of those so many later; at most that of the last."""
        index = bisect_right(self._times, time) - 1 + after
        return self._times[min(max(index, 0), len(self._times) - 1)]


def load(product: Product, kafka: str = "", mongodb: str = "") -> Loaded:
    """The settings of a pipeline on the product's data directory and on these engines."""
    engines = {"kafka": {"bootstrap_servers": kafka}, "mongodb": {"uri": mongodb}}
    return settings.load(None, engines | {"pipeline": {"data_dir": str(product.data_dir)}}, environ={})
