"""An engine fails in the middle of a replay: what is stored in the end is what would have been stored anyway."""

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from testkit.data import BARS, recorded_bars, require
from testkit.engines.kafka import KafkaServer
from testkit.engines.mongo import MongoServer
from testkit.faults.faults import Fault, frozen, killed
from testkit.faults.ledger import Ledger
from testkit.faults.on_engines import ENGINES, SESSION_SECONDS, finish, missed
from testkit.faults.recording import Recording
from testkit.faults.replays import replaying, until
from testkit.faults.watching import total
from testkit.product import Product

TICKERS = ("AAPL", "MSFT")
SESSION = "2019-02-12"
BARS_OF_IT = 150
SPEED = 1200
"""So that even a busy machine meets the middle of it."""
SEEDS = [int(seed) for seed in os.environ.get("FINTRENDS_TEST_SEEDS", "1").split(",")]


@pytest.fixture
def session(tmp_path: Path) -> Recording:
    """The beginning of a recorded session."""
    directory = tmp_path / "recording"
    directory.mkdir()
    bars = []
    for ticker in TICKERS:
        header, *rows = require(BARS / f"{ticker}_1min.csv").read_text().splitlines()
        kept = [row for row in rows if row.startswith(SESSION)]
        of_ticker = [bar for bar in recorded_bars(ticker) if f"{bar.ts:%Y-%m-%d}" == SESSION]
        assert len(of_ticker) == len(kept) > 380
        (directory / f"{ticker}_1min.csv").write_text("\n".join([header, *sorted(kept)[:BARS_OF_IT], ""]))
        bars += of_ticker[:BARS_OF_IT]
    return Recording(directory, bars, [])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("fault", "who", "name"),
    [
        pytest.param(killed, ["broker"], "Kafka killed", id="broker-killed"),
        pytest.param(frozen(SESSION_SECONDS), ["broker"], "Kafka frozen", id="broker-frozen"),
        pytest.param(killed, ["mongo"], "MongoDB server killed", id="mongo-killed"),
        pytest.param(frozen(SESSION_SECONDS), ["mongo"], "MongoDB server frozen", id="mongo-frozen"),
        pytest.param(killed, ["broker", "mongo"], "both killed", id="both-killed", marks=pytest.mark.daily),
    ],
)
def test_an_engine_that_fails_in_the_middle_changes_nothing(
    product: Product,
    session: Recording,
    broker: KafkaServer,
    mongo: MongoServer,
    ledger: Ledger,
    fault: Fault,
    who: Sequence[str],
    name: str,
    seed: int,
) -> None:
    engines = {
        "broker": (broker, f"Kafka at {broker.bootstrap}"),
        "mongo": (mongo, mongo.uri.replace("mongodb://", "MongoDB at ")),
    }
    servers, names = zip(*(engines[name] for name in who), strict=True)
    rng = random.Random(f"{seed} {name}")
    collection, progress = rng.choice(["stock_data", "indicators"]), rng.uniform(0.1, 0.6)
    print(f"seed {seed}: at {progress:.0%} of {collection}")  # noqa: T201 - to be read when it fails
    bars = len(session.live)
    with replaying(product, session, SPEED) as process:
        reached = until(product, process, lambda s: total(s, collection) >= progress * bars)
        assert total(reached, "indicators") < bars, "the replay was over before the fault"
        fault(servers, lambda also: until(product, process, lambda s: missed(s, names) and also()))
        entry, last = finish(product, process, session.live)
    assert any(service.restarts for service in last.services)
    ledger.enter(name, entry, ENGINES)
