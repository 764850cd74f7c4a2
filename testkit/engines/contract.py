"""Kafka and MongoDB as the contract suites know an engine."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pipeline.contract.retention import Retention
from testkit.engines.fixtures import bootstrap, mongodb_uri, unavailable
from testkit.engines.kafka import KafkaServer, KRaftKafka, ZooKeeperKafka

if TYPE_CHECKING:  # the client libraries are loaded by the tests that need them
    from pipeline.bus.kafka.bus import KafkaBus
    from pipeline.store.mongo.store import MongoStore


class KafkaEngine:
    """A broker shared by all tests, whose topics have names of their own."""

    quiet = 1.5  # a member joins and rebalances within
    retention = Retention(ms=None, bytes=300 << 20)

    kind: type[KafkaServer] = KRaftKafka

    def __init__(self, directory: Path) -> None:
        _need("aiokafka")
        self._bootstrap = bootstrap(self.kind)
        self._bus: KafkaBus | None = None

    async def connect(self) -> "KafkaBus":
        from pipeline.bus.kafka.bus import KafkaBus
        from pipeline.config.settings import KafkaSettings

        await self.close()
        self._bus = KafkaBus(KafkaSettings(bootstrap_servers=self._bootstrap, retention_bytes=300 << 20))
        await self._bus.open()
        return self._bus

    async def close(self) -> None:
        if self._bus is not None:
            await self._bus.close()


class ZooKeeperEngine(KafkaEngine):
    """The same on a broker of the last line that still knows ZooKeeper."""

    kind = ZooKeeperKafka


class MongoEngine:
    """A database of its own on a server shared by all tests."""

    def __init__(self, directory: Path) -> None:
        _need("motor")
        self._uri = f"{mongodb_uri()}/contract_{uuid4().hex[:12]}"
        self._store: MongoStore | None = None

    async def connect(self) -> "MongoStore":
        from pipeline.store.mongo.store import MongoStore

        await self.close()
        self._store = MongoStore(self._uri)
        await self._store.open()
        return self._store

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()


def _need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        unavailable(f"the package {package} is not installed")
