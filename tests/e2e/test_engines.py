"""The same replay, with Kafka for the bus and MongoDB for the store."""

from pathlib import Path
from uuid import uuid4

import pytest

from testkit.engines.fixtures import bootstrap, mongodb_uri
from testkit.engines.kafka import KRaftKafka
from testkit.forked import ForkedProduct
from testkit.product import Product
from testkit.recorded import MINUTES, check_store, last_minutes, replay


@pytest.fixture
def product(tmp_path: Path) -> Product:
    database = f"{mongodb_uri()}/replay_{uuid4().hex[:12]}"
    return ForkedProduct(tmp_path, "--kafka", bootstrap(KRaftKafka), "--mongodb", database)


def test_every_bar_is_stored_once_with_its_indicators(product: Product, tmp_path: Path) -> None:
    result = replay(product, last_minutes(tmp_path / "recording"))
    assert result.returncode == 0, result.stderr
    check_store(product, MINUTES)
    assert product.query("dead_letter") == []
    assert not list(product.data_dir.glob("*.sqlite"))


def test_an_engine_out_of_reach_is_waited_for_and_said(tmp_path: Path) -> None:
    product = ForkedProduct(tmp_path, "--kafka", "127.0.0.1:9", "--mongodb", mongodb_uri())
    with product.started("AAPL", "--source", "simulator") as process:
        status = product.wait_for(lambda s: "127.0.0.1:9" in s["pipeline"]["note"], process)
        assert status["pipeline"]["state"] == "starting"
        product.stop()
        assert process.wait(20) == 0
