"""Fixtures for real engines; import them into a conftest.

`FINTRENDS_TEST_KAFKA` (HOST:PORT) and `FINTRENDS_TEST_MONGODB` (a URI) name servers to use instead of those started
here. An engine that cannot run here skips its tests and says why; under CI that is a failure.
"""

import os
from collections.abc import Callable, Iterator
from typing import Final, NoReturn

import pytest

from testkit.engines import shared
from testkit.engines.kafka import KafkaServer, KRaftKafka, ZooKeeperKafka
from testkit.engines.mongo import MongoServer
from testkit.engines.process import EngineUnavailableError

KAFKA_VARIABLE: Final = "FINTRENDS_TEST_KAFKA"
MONGODB_VARIABLE: Final = "FINTRENDS_TEST_MONGODB"


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it under CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def require[T](get: Callable[[], T]) -> T:
    """What `get` returns, unless the engine cannot run here."""
    try:
        return get()
    except EngineUnavailableError as error:
        unavailable(str(error))


def bootstrap(kind: type[KafkaServer]) -> str:
    """HOST:PORT of the broker to test with."""
    return os.environ.get(KAFKA_VARIABLE) or require(lambda: shared.kafka(kind)).bootstrap


def mongodb_uri() -> str:
    """The URI of the MongoDB server to test with."""
    return os.environ.get(MONGODB_VARIABLE) or require(shared.mongo).uri


# Of session scope, so that pytest runs all tests of one kind before those of the other. Every run shows by the contract
# suite what a broker with ZooKeeper does.
@pytest.fixture(
    scope="session",
    params=[
        pytest.param(KRaftKafka, id="kraft"),
        pytest.param(ZooKeeperKafka, id="zookeeper", marks=pytest.mark.daily),
    ],
)
def kafka_kind(request: pytest.FixtureRequest) -> type[KafkaServer]:
    """Which kind of broker the test runs on."""
    kind: type[KafkaServer] = request.param
    if os.environ.get(KAFKA_VARIABLE) and kind is not KRaftKafka:
        pytest.skip(f"{KAFKA_VARIABLE} names the broker to test with")
    return kind


@pytest.fixture
def kafka_bootstrap(kafka_kind: type[KafkaServer]) -> str:
    """HOST:PORT of a broker."""
    return bootstrap(kafka_kind)


@pytest.fixture
def kafka_server(kafka_kind: type[KafkaServer]) -> Iterator[KafkaServer]:
    """A broker that the test may kill and freeze."""
    if os.environ.get(KAFKA_VARIABLE):
        pytest.skip(f"the broker of {KAFKA_VARIABLE} is not ours to control")
    broker = require(lambda: shared.kafka(kafka_kind))
    yield broker
    broker.recover()


@pytest.fixture
def mongo_uri() -> str:
    """The URI of a server."""
    return mongodb_uri()


@pytest.fixture
def mongo_server() -> Iterator[MongoServer]:
    """A server that the test may kill and freeze."""
    if os.environ.get(MONGODB_VARIABLE):
        pytest.skip(f"the server of {MONGODB_VARIABLE} is not ours to control")
    server = require(shared.mongo)
    yield server
    server.start()
