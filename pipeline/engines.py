"""Which bus, store and source the settings ask for."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pipeline.bus.base import Bus
from pipeline.bus.embedded import EmbeddedBus
from pipeline.datadir import DataDir
from pipeline.settings import REPLAY, Loaded, Settings
from pipeline.sources.base import Source, SourceError
from pipeline.sources.replay import ReplaySource
from pipeline.sources.simulator import SimulatorSource
from pipeline.store.base import Store
from pipeline.store.embedded import EmbeddedStore


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """The source, and a sentence on what it is and why."""

    source: Source
    note: str


@dataclass(frozen=True, slots=True)
class Engines:
    """What a pipeline runs on."""

    bus: Bus
    store: Store
    source: SourceChoice


def choose_engines(settings: Settings, data_dir: DataDir) -> Engines:
    """The engines for a run; nothing is opened yet.

    Raises:
        SourceError: if the source cannot be used as configured.
    """
    return Engines(
        bus=choose_bus(settings, data_dir), store=choose_store(settings, data_dir), source=choose_source(settings)
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


def choose_source(settings: Settings) -> SourceChoice:
    """The source by its name.

    Raises:
        SourceError
    """
    name = settings.pipeline.source
    speed = None if settings.pipeline.speed == "max" else settings.pipeline.speed
    zone = settings.indicators.zone
    pace = "as fast as it goes" if speed is None else f"at {speed:g} times real time"
    if name.startswith(REPLAY):
        directory = Path(name.removeprefix(REPLAY)).expanduser()
        if not directory.is_dir():
            raise SourceError(f"there is no directory {directory} to replay from")
        source = ReplaySource(directory, speed=speed, zone=zone)
        return SourceChoice(source, f"replay of recorded bars from {directory}, {pace}")
    if name == "alpha_vantage":
        raise SourceError("the source alpha_vantage is not available in this version; use simulator or replay:DIR")
    simulator = SimulatorSource(seed=settings.pipeline.seed, speed=speed, zone=zone)
    if name == "simulator":
        return SourceChoice(simulator, f"simulated data, as asked, {pace}")
    if settings.alpha_vantage.api_key:
        why = "this version does not fetch from Alpha Vantage yet, though a key is configured"
    else:
        why = "no Alpha Vantage key is configured"
    return SourceChoice(simulator, f"simulated data, for {why}")


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
