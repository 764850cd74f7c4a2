"""SIGTERM at any moment: the pipeline ends soon, and the next run completes what was begun."""

import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import pytest

from pipeline.snapshot import Snapshot
from tests.e2e.run import Product
from tests.faults.ledger import Ledger
from tests.faults.recording import Recording, record
from tests.faults.watching import STOP_SECONDS, audit, total, watch

TICKERS = ("AAPL", "BRK.B", "TSLA")
Phase = Callable[[Product, Popen[str], random.Random, Recording], set[int]]
"""Sends the signal at a moment of its own and returns which exit statuses may follow."""
LEFT_AT_ONCE = 128 + signal.SIGTERM


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return record(tmp_path / "recording", TICKERS, minutes=800, days=800)


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def _starting(product: Product, process: Popen[str], rng: random.Random, _: Recording) -> set[int]:
    """A moment after one of the files that it makes on its way appears."""
    name, milliseconds = rng.choice(["pipeline.lock", "control.sock", "bus.sqlite", "store.sqlite"]), rng.random() * 100
    print(f"{milliseconds:.0f} ms after {name}")  # noqa: T201 - to be read when it fails
    while not (product.data_dir / name).exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGTERM)
    return {0, -signal.SIGTERM}  # before it listens to signals, there is nothing that it could leave undone


def _replaying(product: Product, process: Popen[str], rng: random.Random, recording: Recording) -> set[int]:
    collection, share = rng.choice(["stock_data", "indicators"]), rng.uniform(0.05, 0.7)
    print(f"at {share:.0%} of {collection}")  # noqa: T201 - to be read when it fails
    wanted = share * len(recording.live)
    assert watch(product, process, lambda snapshot: total(snapshot, collection) >= wanted)
    process.send_signal(signal.SIGTERM)
    return {0}


def _loading(product: Product, process: Popen[str], rng: random.Random, _: Recording) -> set[int]:
    ticker = rng.choice(TICKERS)
    print(f"while {ticker} is loaded")  # noqa: T201 - to be read when it fails

    def begun(snapshot: Snapshot) -> bool:
        return any(load.ticker == ticker and load.done > 0 for load in snapshot.loads)

    assert watch(product, process, begun)
    process.send_signal(signal.SIGTERM)
    return {0}


def _draining(product: Product, process: Popen[str], rng: random.Random, recording: Recording) -> set[int]:
    """Asked to stop, and again while it drains: then it leaves at once."""
    _replaying(product, process, rng, recording)
    watch(product, process, lambda snapshot: any(service.state == "draining" for service in snapshot.services))
    process.send_signal(signal.SIGTERM)
    return {0, LEFT_AT_ONCE}  # it may have been done by then


@pytest.mark.parametrize(
    ("phase", "seeds"),
    [
        pytest.param(_starting, (1, 2, 3), id="starting"),
        pytest.param(_replaying, (1, 2), id="replaying"),
        pytest.param(_loading, (1,), id="initial-load"),
        pytest.param(_draining, (1,), id="draining"),
    ],
)
def test_sigterm(product: Product, recording: Recording, ledger: Ledger, phase: Phase, seeds: Sequence[int]) -> None:
    """Each stop of the seeds in turn, on the same data directory; then a run to the end."""
    flags = ("--no-ui", "--initial-load", "--until-idle", "--source", f"replay:{recording.directory}", "--speed", "max")
    for seed in seeds:
        print(f"seed {seed}")  # noqa: T201 - to be read when it fails
        process = product.start(*TICKERS, *flags)
        try:
            allowed = phase(product, process, random.Random(seed), recording)
            _, errors = process.communicate(timeout=STOP_SECONDS)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode in allowed, errors
        assert "Traceback" not in errors
    result = product.run(*TICKERS, *flags)
    assert result.returncode == 0, result.stderr
    found = audit(product, [*recording.live, *recording.history])
    ledger.enter(f"SIGTERM while {phase.__name__.strip('_')}", replace(found, runs=len(seeds)))
