"""The engines that the contract suites run on. Whatever only one of them needs stays here."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from pipeline.bus.base import Bus
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.named import NamedBus, Names
from pipeline.contract.retention import Retention
from pipeline.store.base import Store
from pipeline.store.embedded.store import EmbeddedStore
from testkit.engines.contract import KafkaEngine, MongoEngine, ZooKeeperEngine


class BusEngine(Protocol):
    """A bus whose data outlives its clients."""

    quiet: float
    """Seconds without a record after which none is to be expected."""
    retention: Retention
    """Of the topics that its clients create."""

    async def connect(self) -> Bus:
        """A new client, open, on the same data; the one before is closed."""

    async def close(self) -> None: ...


class StoreEngine(Protocol):
    """A store whose data outlives its clients. It is empty at first."""

    async def connect(self) -> Store:
        """A new client, open, on the same data; the one before is closed."""

    async def close(self) -> None: ...


class EmbeddedBusEngine:
    quiet = 0.05
    retention = Retention(ms=5 * 3_600_000)

    def __init__(self, directory: Path) -> None:
        self._path = directory / "bus.sqlite"
        self._bus: EmbeddedBus | None = None

    async def connect(self) -> EmbeddedBus:
        await self.close()
        self._bus = EmbeddedBus(self._path, retention=timedelta(hours=5))
        await self._bus.open()
        return self._bus

    async def close(self) -> None:
        if self._bus is not None:
            await self._bus.close()


class NamespaceEngine(EmbeddedBusEngine):
    """The same bus in a namespace, for a store of its own."""

    async def connect(self) -> Bus:  # type: ignore[override]
        return NamedBus(await super().connect(), Names("staging", "0123abcd"))


class EmbeddedStoreEngine:
    def __init__(self, directory: Path) -> None:
        self._path = directory / "store.sqlite"
        self._store: EmbeddedStore | None = None

    async def connect(self) -> EmbeddedStore:
        await self.close()
        self._store = EmbeddedStore(self._path)
        await self._store.open()
        return self._store

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()


# Each is given a directory of its own. A factory may skip the test where its servers are out of reach.
BUS_ENGINES: Final[dict[str, Callable[[Path], BusEngine]]] = {
    "embedded": EmbeddedBusEngine,
    "namespace": NamespaceEngine,
    "kafka": KafkaEngine,
    "kafka-zookeeper": ZooKeeperEngine,
}
STORE_ENGINES: Final[dict[str, Callable[[Path], StoreEngine]]] = {
    "embedded": EmbeddedStoreEngine,
    "mongodb": MongoEngine,
}
