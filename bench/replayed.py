"""Recordings, and the real pipeline process that replays them; for `bench/pipeline.py`."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from fintrends_tui.link.client import ControlConnection, NotRunningError, connect
from fintrends_tui.link.process import PIPELINE
from pipeline.bus.base import Bus, BusError
from pipeline.config import settings
from pipeline.config.settings import Loaded
from pipeline.contract.protocol import Stop
from pipeline.contract.snapshot import Snapshot
from pipeline.engines import choose_bus, choose_store
from pipeline.storage.datadir import DataDir
from pipeline.store.base import Store, StoreError
from testkit.product import environment

TICKERS = [f"TICK{number:02d}" for number in range(20)]
PATIENCE = 120.0
_START = datetime(2019, 2, 4, 9, 31, tzinfo=ZoneInfo("America/New_York"))


@dataclass(frozen=True)
class Engines:
    """A bus and a store, by the addresses of their servers; those without one are embedded."""

    kafka: str = ""
    mongodb: str = ""

    def load(self, data_dir: Path, **pipeline: object) -> Loaded:
        """The settings of a pipeline that runs on them, without forecasts, as in `environment`."""
        given = {
            "kafka": {"bootstrap_servers": self.kafka},
            "mongodb": {"uri": self.mongodb},
            "forecasts": {"enabled": False},
            "pipeline": {"data_dir": str(data_dir), **pipeline},
        }
        return settings.load(None, given)

    def flags(self) -> list[str]:
        given = (("--kafka", self.kafka), ("--mongodb", self.mongodb))
        return [text for flag, address in given if address for text in (flag, address)]


def time_of(minute: int) -> float:
    """When the bar of that minute was, in seconds since the epoch."""
    return (_START + timedelta(minutes=minute)).timestamp()


def record(directory: Path, ticker: str, first: int, stop: int) -> None:
    """Write the ticker's 1-minute bars of first ≤ minute < stop as a recording."""
    lines = ["datetime,open,high,low,close,volume"]
    for minute in range(first, stop):
        price = 100 + (minute * 7919 % 1000) / 500
        ts = f"{_START + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S}"
        lines.append(f"{ts},{price},{price + 0.5},{price - 0.5},{price + 0.1},1000")
    (directory / f"{ticker}_1min.csv").write_text("\n".join(lines))


@dataclass(frozen=True)
class Running:
    """A pipeline process, seen from outside: its control socket, and its engines opened beside it."""

    control: ControlConnection
    store: Store
    bus: Bus

    async def stored(self, bars: int) -> None:
        """Wait until the store holds so many bars and as many rows of indicators."""
        async with asyncio.timeout(PATIENCE):
            while True:
                began = time.perf_counter()
                counts = await self.store.counts()
                if min(counts["stock_data"], counts["indicators"]) >= bars:
                    return
                # Looking shall cost a slow server little of what it has.
                await asyncio.sleep(max(0.02, 20 * (time.perf_counter() - began)))


@asynccontextmanager
async def running(
    engines: Engines, directory: Path, tickers: list[str], speed: float | str, heard: Callable[[Snapshot], None]
) -> AsyncIterator[Running]:
    """`python -m pipeline` on a replay of the directory; `heard` is called with every snapshot it pushes."""
    data_dir = DataDir(directory / "data")
    command = [*PIPELINE, *tickers, "--quiet", "--source", f"replay:{directory}", "--speed", str(speed)]
    process = subprocess.Popen(  # noqa: ASYNC220 - once, before anything is measured
        [*command, "--data-dir", str(data_dir.path), *engines.flags()],
        cwd=directory,
        env=environment(),
        stdin=subprocess.DEVNULL,
    )
    try:
        loaded = engines.load(data_dir.path)
        store = choose_store(loaded.settings, data_dir, read_only=True)
        bus = choose_bus(loaded.settings, data_dir, read_only=True)
        async with asyncio.timeout(PATIENCE):
            await _listening(data_dir.socket)
            await _opened(store)
            await _opened(bus)
        try:
            async with connect(data_dir.socket, heard) as control:
                yield Running(control, store, bus)
                await control.ask(Stop())
        finally:
            await store.close()
            await bus.close()
        await asyncio.to_thread(process.wait, PATIENCE)
    finally:
        process.kill()
        process.wait()


async def _listening(socket: Path) -> None:
    while True:
        try:
            async with connect(socket):
                return
        except NotRunningError:
            await asyncio.sleep(0.005)


async def _opened(engine: Store | Bus) -> None:
    while True:
        try:
            return await engine.open()
        except (BusError, StoreError):  # the pipeline has yet to create it
            await asyncio.sleep(0.005)
