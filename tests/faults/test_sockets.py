"""Clients that misbehave at the control socket of a pipeline that works, and what many of them leave behind."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fintrends_tui.link.client import ControlConnection, connect
from pipeline.contract.protocol import Add, Focus, GetSnapshot, Remove, Restart
from pipeline.contract.snapshot import Snapshot
from pipeline.storage.datadir import DataDir
from testkit.faults.inside import running
from testkit.faults.ledger import Ledger
from testkit.faults.outside import GARBAGE, HALF, HELLO, TOO_LONG, clients
from testkit.faults.recording import Recording, record
from testkit.faults.watching import STOP_SECONDS, audit, settled, total, watch
from testkit.forked import ForkedProduct
from testkit.product import Product

CLIENTS = 200
"""More than find room."""
CYCLES = 50


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return ForkedProduct(tmp_path)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=600)


@pytest.mark.parametrize(
    ("name", "firsts", "patience"),
    [
        pytest.param("garbage, half and oversized frames", [*GARBAGE, *HALF, *TOO_LONG], 0, id="frames"),
        pytest.param(f"{CLIENTS} clients that do not read", [HELLO] * CLIENTS, 60, id="many"),
    ],
)
def test_status_answers_and_the_replay_goes_on(
    product: Product, recording: Recording, ledger: Ledger, name: str, firsts: list[bytes], patience: float
) -> None:
    source = ("--source", f"replay:{recording.directory}", "--speed", 6000)
    with product.running(*recording.tickers, *source) as process:
        with clients(DataDir(product.data_dir).socket, *firsts):
            _until(lambda: product.run("status").returncode == 0, lambda: "status finds no room", patience)
            assert watch(product, process, lambda s: settled(s) and total(s, "stock_data") == len(recording.live))
        product.stop()
        _, errors = process.communicate(timeout=STOP_SECONDS)
        assert process.returncode == 0 and "Traceback" not in errors
    ledger.enter(f"control socket: {name}", audit(product, recording.live))


async def work(path: Path, cycles: int) -> None:
    """Attach, look at a ticker, add and remove one, restart a service, detach: so many times."""
    for cycle in range(cycles):
        snapshots: asyncio.Queue[Snapshot] = asyncio.Queue()
        async with connect(path, snapshots.put_nowait) as connection:
            await connection.ask(Focus("AAPL"))
            await snapshots.get()
            await connection.ask(Add(["NVDA"]))
            await connection.ask(Remove(["NVDA"]))
            if cycle % 10 == 0:
                await connection.ask(Restart())
                await _all_well(connection)


async def _all_well(connection: ControlConnection) -> None:
    async with asyncio.timeout(60):
        while any(s.state not in ("running", "finished") for s in (await connection.ask(GetSnapshot())).services):
            await asyncio.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_handle_and_no_thread_is_left(product: Product, recording: Recording, ledger: Ledger) -> None:
    source = ("--source", f"replay:{recording.directory}", "--speed", "max")
    with product.running(*recording.tickers, *source) as process:
        snapshot = watch(product, process, settled)
        assert snapshot is not None
        pid = snapshot.pipeline.pid
        path = DataDir(product.data_dir).socket
        asyncio.run(work(path, 10))
        handles = asyncio.run(_most(lambda: _count(pid, "fd")))
        threads = _count(pid, "task")
        asyncio.run(work(path, CYCLES))
        _until(lambda: _count(pid, "fd") <= handles, lambda: f"{_count(pid, 'fd')} handles, {handles} before")
        # The event loop's pool of threads grows to its limit, which is less than one for each cycle.
        assert _count(pid, "task") <= threads + (os.cpu_count() or 1) + 4
        product.stop()
        process.communicate(timeout=STOP_SECONDS)
    ledger.enter("attached, changed and restarted over and over", audit(product, recording.live))


def _count(pid: int, what: str) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/{what}").iterdir())


async def _most(count: Callable[[], int]) -> int:
    """The most in many looks: a pipeline at rest has now more of a thing, now fewer."""
    most = 0
    for _ in range(200):
        most = max(most, count())
        await asyncio.sleep(0.01)
    return most


def _until(condition: Callable[[], bool], say: Callable[[], str], patience: float = 10) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, say()
        time.sleep(0.01)


async def test_no_task_is_left(tmp_path: Path, recording: Recording) -> None:
    async with running(tmp_path, recording) as inside:
        await inside.wait_for(settled)
        await work(inside.socket, 10)
        before = await _most(lambda: len(asyncio.all_tasks()))
        await work(inside.socket, CYCLES)
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.01)
