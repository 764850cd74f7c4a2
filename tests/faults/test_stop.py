"""SIGTERM and `kill -9` at any moment: the pipeline ends soon, and the next run completes what was begun."""

import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import pytest

from pipeline.contract.snapshot import Snapshot
from testkit.faults.ledger import Ledger
from testkit.faults.recording import Recording, record
from testkit.faults.watching import STOP_SECONDS, audit, total, watch
from testkit.forked import ForkedProduct
from testkit.product import Product

TICKERS = ("AAPL", "BRK.B", "TSLA")
Phase = Callable[[Product, Popen[str], random.Random, Recording], object]
"""Waits for a moment of its own."""
LEFT_AT_ONCE = 128 + signal.SIGTERM


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return record(tmp_path / "recording", TICKERS, minutes=500, days=300)


def _starting(product: Product, process: Popen[str], rng: random.Random, _: Recording) -> None:
    """A moment after one of the files that it makes on its way appears."""
    name, milliseconds = rng.choice(["pipeline.lock", "control.sock", "bus.sqlite", "store.sqlite"]), rng.random() * 100
    print(f"{milliseconds:.0f} ms after {name}")  # noqa: T201 - to be read when it fails
    while not (product.data_dir / name).exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(milliseconds / 1000)


def _replaying(product: Product, process: Popen[str], rng: random.Random, recording: Recording) -> None:
    collection, share = rng.choice(["stock_data", "indicators"]), rng.uniform(0.05, 0.7)
    print(f"at {share:.0%} of {collection}")  # noqa: T201 - to be read when it fails
    wanted = share * len(recording.live)
    assert watch(product, process, lambda snapshot: total(snapshot, collection) >= wanted)


def _loading(product: Product, process: Popen[str], rng: random.Random, _: Recording) -> None:
    ticker = rng.choice(TICKERS)
    print(f"while {ticker} is loaded")  # noqa: T201 - to be read when it fails

    def begun(snapshot: Snapshot) -> bool:
        return any(load.ticker == ticker and load.done > 0 for load in snapshot.loads)

    assert watch(product, process, begun)


def _draining(product: Product, process: Popen[str], rng: random.Random, recording: Recording) -> None:
    """Asked to stop, which is under way."""
    _replaying(product, process, rng, recording)
    process.send_signal(signal.SIGTERM)
    watch(product, process, lambda snapshot: any(service.state == "draining" for service in snapshot.services))


@pytest.mark.parametrize(
    ("phase", "seeds", "statuses"),
    [
        # Before it listens to signals, there is nothing that it could leave undone.
        pytest.param(_starting, (1, 2), {0, -signal.SIGTERM}, id="starting"),
        pytest.param(_starting, (3, 4, 5), {0, -signal.SIGTERM}, id="starting-again", marks=pytest.mark.daily),
        pytest.param(_replaying, (1, 2), {0}, id="replaying"),
        pytest.param(_loading, (1,), {0}, id="initial-load"),
        # The second one makes it leave at once, unless it was done by then, and perhaps no longer listened.
        pytest.param(_draining, (1,), {0, LEFT_AT_ONCE, -signal.SIGTERM}, id="draining"),
    ],
)
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "kill-9"])
def test_an_end_at_any_moment(
    tmp_path: Path, recording: Recording, ledger: Ledger,
    end: signal.Signals, phase: Phase, seeds: Sequence[int], statuses: set[int],
) -> None:  # fmt: skip
    """Each stop of the seeds in turn, on the same data directory; then a run to the end."""
    product = Product(tmp_path) if phase is _starting else ForkedProduct(tmp_path)
    flags = ("--no-ui", "--initial-load", "--until-idle", "--source", f"replay:{recording.directory}", "--speed", "max")
    if end == signal.SIGKILL:
        statuses = {-signal.SIGKILL, *({0} if phase is _draining else ())}
    for seed in seeds:
        print(f"seed {seed}")  # noqa: T201 - to be read when it fails
        process = product.start(*TICKERS, *flags)
        try:
            phase(product, process, random.Random(f"{seed} {end.name}"), recording)
            process.send_signal(end)
            _, errors = process.communicate(timeout=STOP_SECONDS)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode in statuses, errors
        assert "Traceback" not in errors
    result = product.run(*TICKERS, *flags)
    assert result.returncode == 0, result.stderr
    found = audit(product, [*recording.live, *recording.history])
    name = "SIGTERM" if end == signal.SIGTERM else "kill -9"
    ledger.enter(f"{name} while {phase.__name__.strip('_')}", replace(found, runs=len(seeds)))
