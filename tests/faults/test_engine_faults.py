"""An engine fails in the middle of a replay: what is stored in the end is what would have been stored anyway."""

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipeline.messages import Bar
from tests.data import BARS, recorded_bars, require
from tests.e2e.recorded import check_ticker
from tests.e2e.run import Product
from tests.engines.kafka import KafkaServer
from tests.engines.mongo import MongoServer
from tests.faults.faults import Fault, frozen, killed, missed

TICKERS = ("AAPL", "MSFT")
SESSION = "2019-02-12"
NOTHING = "NONE"
"""A ticker without a bar."""
SPEED = 2400
"""Times real time: the session takes ten seconds, so that its middle can be met."""
PATIENCE = 90.0
SEEDS = [int(seed) for seed in os.environ.get("FINTRENDS_TEST_SEEDS", "1").split(",")]


@pytest.fixture
def product(tmp_path: Path, broker: KafkaServer, mongo: MongoServer) -> Product:
    broker.start()
    mongo.start()
    return Product(tmp_path, "--kafka", broker.bootstrap, "--mongodb", f"{mongo.uri}/faults_{uuid4().hex[:12]}")


@pytest.fixture
def session(tmp_path: Path) -> dict[str, list[Bar]]:
    """The bars of one session by ticker; their recording is in `tmp_path`."""
    (tmp_path / f"{NOTHING}_1min.csv").write_text("datetime,open,high,low,close,volume\n")
    bars = {}
    for ticker in TICKERS:
        header, *rows = require(BARS / f"{ticker}_1min.csv").read_text().splitlines()
        kept = [row for row in rows if row.startswith(SESSION)]
        (tmp_path / f"{ticker}_1min.csv").write_text("\n".join([header, *kept, ""]))
        bars[ticker] = [bar for bar in recorded_bars(ticker) if f"{bar.ts:%Y-%m-%d}" == SESSION]
        assert len(bars[ticker]) == len(kept) > 380
    return bars


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("fault", "who"),
    [
        pytest.param(killed, ["broker"], id="broker-killed"),
        pytest.param(frozen, ["broker"], id="broker-frozen"),
        pytest.param(killed, ["mongo"], id="mongo-killed"),
        pytest.param(killed, ["broker", "mongo"], id="both-killed"),
    ],
)
def test_an_engine_that_fails_in_the_middle_changes_nothing(
    product: Product,
    session: dict[str, list[Bar]],
    broker: KafkaServer,
    mongo: MongoServer,
    fault: Fault,
    who: Sequence[str],
    seed: int,
) -> None:
    engines = {
        "broker": (broker, f"Kafka at {broker.bootstrap}"),
        "mongo": (mongo, mongo.uri.replace("mongodb://", "MongoDB at ")),
    }
    servers, names = zip(*(engines[name] for name in who), strict=True)
    rng = random.Random(f"{seed} {fault.__name__} {who}")
    collection, progress = rng.choice(["stock_data", "indicators"]), rng.uniform(0.1, 0.6)
    print(f"seed {seed}: at {progress:.0%} of {collection}")  # noqa: T201 - to be read when it fails
    total = sum(map(len, session.values()))
    # The replay begins with the tickers, not before: a pipeline that still warms up is far behind its source.
    with product.running(NOTHING, "--source", f"replay:{product.directory}", "--speed", SPEED) as process:
        product.wait_for(_all_running, process)
        assert product.run("add", *TICKERS).returncode == 0
        reached = product.wait_for(lambda s: _written(s, collection) >= progress * total, process)
        assert _written(reached, "indicators") < total, "the replay was over before the fault"
        fault(servers, lambda also: product.wait_for(lambda s: missed(s, names) and also(), process))
        status = product.wait_for(lambda s: _all_running(s) and s["pipeline"]["idle"], process, PATIENCE)
        assert sum(service["restarts"] for service in status["services"]) > 0
        assert product.run("stop").returncode == 0
        assert process.wait(PATIENCE) == 0
    for bars in session.values():
        check_ticker(product, bars)
    assert product.query("dead_letter", "--last", 0) == []


def _all_running(status: dict[str, Any]) -> bool:
    return all(service["state"] == "running" for service in status["services"])


def _written(status: dict[str, Any], collection: str) -> int:
    return next(c["total"] for c in status["collections"] if c["name"] == collection)
