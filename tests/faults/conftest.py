"""Engines that these tests may break: their own, so that those shared by the other tests stay unharmed."""

from collections.abc import Iterator

import pytest

from tests.engines.fixtures import require
from tests.engines.kafka import KafkaServer, KRaftKafka
from tests.engines.mongo import MongoServer
from tests.faults.ledger import Ledger
from tests.faults.report import ledger_of


@pytest.fixture(scope="session")
def ledger(pytestconfig: pytest.Config) -> Ledger:
    """What every fault has cost, for the table at the end of the run."""
    return ledger_of(pytestconfig)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    server = require(lambda: KRaftKafka(tmp_path_factory.mktemp("kafka")))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    server = require(lambda: MongoServer(tmp_path_factory.mktemp("mongo")))
    yield server
    server.stop()
