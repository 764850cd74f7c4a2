"""The pipeline itself is killed or stopped in mid-replay on real engines, and the next one goes on."""

import random
import signal
from dataclasses import replace

import pytest

from testkit.faults.ledger import Ledger
from testkit.faults.on_engines import ENGINES, finish, unused_tickers
from testkit.faults.recording import record
from testkit.faults.replays import PATIENCE, replaying, until
from testkit.faults.watching import total
from testkit.product import Product


@pytest.mark.parametrize(
    ("number", "runs", "name"),
    [
        pytest.param(signal.SIGKILL, 2, "kill -9 of the pipeline", id="kill"),
        pytest.param(signal.SIGTERM, 1, "SIGTERM while replaying", id="term"),
    ],
)
def test_the_next_run_completes_what_was_begun(
    product: Product, ledger: Ledger, number: signal.Signals, runs: int, name: str
) -> None:
    recording = record(product.directory / "recording", unused_tickers(2), minutes=130)
    rng = random.Random(f"1 {name}")
    for _ in range(runs):
        collection, share = rng.choice(["stock_data", "indicators"]), rng.uniform(0.1, 0.7)
        print(f"seed 1: at {share:.0%} of {collection}")  # noqa: T201 - to be read when it fails
        wanted = share * len(recording.live)
        with replaying(product, recording) as process:
            # Of this run, which begins with the first bar again.
            until(product, process, lambda s, c=collection, w=wanted: total(s, c) >= w)
            process.send_signal(number)
            _, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode == (0 if number == signal.SIGTERM else -number), errors
    with replaying(product, recording, "max") as process:
        entry, _ = finish(product, process, recording.live)
    ledger.enter(name, replace(entry, runs=runs), ENGINES)
