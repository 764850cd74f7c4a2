"""Which bus, store and source the settings ask for."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from pipeline.bus.base import Bus
from pipeline.bus.embedded import EmbeddedBus
from pipeline.datadir import DataDir
from pipeline.settings import Loaded, Settings
from pipeline.sources.choice import SourceChoice, choose_source
from pipeline.store.base import Store
from pipeline.store.embedded import EmbeddedStore


@dataclass(frozen=True, slots=True)
class Engines:
    """What a pipeline runs on."""

    bus: Bus
    store: Store
    source: SourceChoice


def choose_engines(loaded: Loaded, data_dir: DataDir) -> Engines:
    """The engines for a run; nothing is opened yet.

    Raises:
        SourceError: if the source cannot be used as configured.
    """
    settings = loaded.settings
    return Engines(
        bus=choose_bus(settings, data_dir), store=choose_store(settings, data_dir), source=choose_source(loaded)
    )


def choose_bus(settings: Settings, data_dir: DataDir, *, read_only: bool = False) -> Bus:
    """Kafka where it is configured, the embedded bus otherwise. The clients are slow to import, so only then."""
    kafka = settings.kafka
    if not kafka.bootstrap_servers:
        return EmbeddedBus(data_dir.bus, retention=timedelta(days=settings.bus.retention_days), read_only=read_only)
    from pipeline.bus.kafka import KafkaBus
    from pipeline.bus.kafka_options import KafkaOptions

    return KafkaBus(
        KafkaOptions(
            bootstrap=kafka.bootstrap_servers,
            partitions=kafka.partitions,
            replication=kafka.replication,
            retention_ms=kafka.retention_ms,
            retention_bytes=kafka.retention_bytes,
            security_protocol=kafka.security_protocol,
            sasl_mechanism=kafka.sasl_mechanism,
            sasl_username=kafka.sasl_username or None,
            sasl_password=kafka.sasl_password or None,
            ssl_cafile=kafka.ssl_cafile or None,
            ssl_certfile=kafka.ssl_certfile or None,
            ssl_keyfile=kafka.ssl_keyfile or None,
        )
    )


def choose_store(settings: Settings, data_dir: DataDir, *, read_only: bool = False) -> Store:
    """MongoDB where it is configured, the embedded store otherwise."""
    if not settings.mongodb.uri:
        return EmbeddedStore(data_dir.store, read_only=read_only)
    from pipeline.store.mongo import MongoStore

    return MongoStore(settings.mongodb.uri, read_only=read_only)


def open_store_to_read(loaded: Loaded) -> AbstractAsyncContextManager[Store]:
    """The store of a data directory, for look-ups beside a running pipeline or without one.

    Raises:
        StoreError: on entry, if there is none.
    """
    return _opened(choose_store(loaded.settings, DataDir(loaded.data_dir), read_only=True))


def open_bus_to_read(loaded: Loaded) -> AbstractAsyncContextManager[Bus]:
    """The bus of a data directory, for look-ups.

    Raises:
        BusError: on entry, if there is none.
    """
    return _opened(choose_bus(loaded.settings, DataDir(loaded.data_dir), read_only=True))


@asynccontextmanager
async def _opened[Engine: (Bus, Store)](engine: Engine) -> AsyncIterator[Engine]:
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()
