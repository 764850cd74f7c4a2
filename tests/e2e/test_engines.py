"""The same replay, with Kafka for the bus and MongoDB for the store."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.data import BARS, require
from tests.e2e.recorded import check_store, replay
from tests.e2e.run import Product
from tests.engines.fixtures import bootstrap, mongodb_uri
from tests.engines.kafka import KRaftKafka


@pytest.fixture
def product(tmp_path: Path) -> Product:
    database = f"{mongodb_uri()}/replay_{uuid4().hex[:12]}"
    return Product(tmp_path, "--kafka", bootstrap(KRaftKafka), "--mongodb", database)


def test_every_bar_is_stored_once_with_its_indicators(product: Product) -> None:
    require(BARS)
    result = replay(product, BARS)
    assert result.returncode == 0, result.stderr
    check_store(product)
    assert product.query("dead_letter", "--last", 0) == []
    assert not list(product.data_dir.glob("*.sqlite"))


def test_an_engine_out_of_reach_is_waited_for_and_said(tmp_path: Path) -> None:
    product = Product(tmp_path, "--kafka", "127.0.0.1:9", "--mongodb", mongodb_uri())
    with product.started("AAPL", "--source", "simulator") as process:
        status = product.wait_for(lambda s: "127.0.0.1:9" in s["pipeline"]["note"], process)
        assert status["pipeline"]["state"] == "starting"
        assert product.run("stop").returncode == 0
        assert process.wait(20) == 0
