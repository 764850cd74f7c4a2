"""Engines that these tests may break: their own, so that those shared by the other tests stay unharmed."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from testkit.engines.fixtures import require
from testkit.engines.kafka import KafkaServer, KRaftKafka
from testkit.engines.mongo import MongoServer
from testkit.engines.process import free_port
from testkit.faults.ledger import Ledger
from testkit.faults.on_engines import IMPATIENT
from testkit.faults.proxy import Proxy
from testkit.forked import ForkedProduct
from testkit.product import Product
from tests.faults.report import ledger_of


@pytest.fixture(scope="session")
def ledger(pytestconfig: pytest.Config) -> Ledger:
    """What every fault has cost, for the table at the end of the run."""
    return ledger_of(pytestconfig)


# Of session scope: a broker takes longer to start than many a test. Each test starts what the one before has killed.
@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    server = require(lambda: KRaftKafka(tmp_path_factory.mktemp("kafka")))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    server = require(lambda: MongoServer(tmp_path_factory.mktemp("mongo")))
    yield server
    server.stop()


@pytest.fixture
def product(tmp_path: Path, broker: KafkaServer, mongo: MongoServer) -> Product:
    """The product on both engines, which run, and a database of its own. Tests on the embedded ones have another."""
    broker.start()
    mongo.start()
    return ForkedProduct(
        tmp_path, "--kafka", broker.bootstrap, "--mongodb", f"{mongo.uri}/faults_{uuid4().hex[:12]}", **IMPATIENT
    )


@pytest.fixture
def proxies(broker: KafkaServer, mongo: MongoServer) -> Iterator[dict[str, Proxy]]:
    """Both engines, running, behind proxies, by their names in the product."""
    broker.start()
    mongo.start()
    with (
        Proxy(broker.proxy_port, broker.proxied_port).running() as kafka,
        Proxy(free_port(), mongo.port).running() as mongodb,
    ):
        yield {"Kafka": kafka, "MongoDB": mongodb}
