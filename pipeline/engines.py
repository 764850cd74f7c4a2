"""Which bus, store and source the settings ask for, and the namespace in which they are used.

Each is imported once it is chosen: where nothing is stored yet, a look-up needs none.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.settings import KafkaSettings, Loaded, Settings, SettingsError
from pipeline.model.namespace import is_simulated, namespace_for, own_part
from pipeline.sources.asked import is_simulated as is_simulated_run
from pipeline.storage.datadir import DataDir
from pipeline.storage.layout import Layout

if TYPE_CHECKING:
    from pipeline.bus.base import Bus
    from pipeline.bus.kafka.bus import KafkaBus
    from pipeline.bus.named import Names
    from pipeline.sources.choice import SourceChoice
    from pipeline.store.base import Store


@dataclass(frozen=True, slots=True)
class Engines:
    """What a pipeline runs on, and in which namespace."""

    bus: "Bus"
    store: "Store"
    source: "SourceChoice"
    namespace: str = ""


def choose_engines(loaded: Loaded, data_dir: DataDir) -> Engines:
    """The engines for a run; nothing is opened yet. To be called by the owner of the directory.

    Raises:
        SettingsError: see `check_engines`.
        SourceError: if the source cannot be used as configured.
    """
    from pipeline.sources.choice import choose_source

    settings = loaded.settings
    check_engines(settings)
    source = choose_source(loaded)
    namespace = namespace_for(settings.pipeline.namespace, simulated=source.source.simulated)
    within = data_dir.within(namespace)
    return Engines(
        bus=choose_bus(settings, within), store=choose_store(settings, within), source=source, namespace=namespace
    )


def namespace_to_read(loaded: Loaded) -> str:
    """The namespace that a look-up is about: that of simulated data if it names one, or the default one by `""`; else,
    below the user's namespace as it is set or named, that of the pipeline that runs on the data directory or ran last;
    else that of a run with these settings. So the same flags show what a run with them has stored.

    Raises:
        SourceError: if a plug-in, which would say whether it is simulated, cannot be used.
    """
    if loaded.namespace is not None and (not loaded.namespace or is_simulated(loaded.namespace)):
        return loaded.namespace
    own = loaded.settings.pipeline.namespace
    last = Layout.of(loaded.data_dir).namespace
    if last is not None and own_part(last) == own:
        return last
    return namespace_for(own, simulated=is_simulated_run(loaded))


def names_of(settings: Settings, data_dir: DataDir, *, read_only: bool = False) -> "Names":
    """What topics and groups are called on Kafka; the embedded bus is of one namespace anyway."""
    from pipeline.bus.named import Names

    if not settings.kafka.bootstrap_servers:
        return Names()
    shared = bool(settings.mongodb.uri)
    return Names(data_dir.namespace, "" if shared else data_dir.store_id(make=not read_only))


def check_engines(settings: Settings) -> None:
    """Check the settings of Kafka and MongoDB as far as possible before anything connects: a start refuses what waiting
    would not fix.

    Raises:
        SettingsError: naming key and file.
    """
    kafka = settings.kafka
    try:
        if kafka.bootstrap_servers:
            check_kafka(kafka)
        if settings.mongodb.uri:
            from pipeline.store.mongo.store import check_uri

            check_uri(settings.mongodb.uri)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def check_kafka(kafka: KafkaSettings) -> None:
    """Login and TLS files.

    Raises:
        ValueError: naming key and file.
    """
    if kafka.security_protocol.startswith("SASL_"):
        for key in ("sasl_username", "sasl_password"):
            if not getattr(kafka, key):
                where = f"kafka.security_protocol is {kafka.security_protocol}, but kafka.{key} is not set"
                raise ValueError(f"{where}; set it, or FINTRENDS_KAFKA__{key.upper()} in the environment")
    if kafka.security_protocol.endswith("SSL"):
        from pipeline.system.tls import check_files

        names = ("kafka.ssl_cafile", "kafka.ssl_certfile", "kafka.ssl_keyfile")
        check_files(kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile, names)


def choose_bus(settings: Settings, data_dir: DataDir, *, read_only: bool = False) -> "Bus":
    """Kafka where it is configured, the embedded bus otherwise; in the namespace of the data directory.

    To write, the caller owns the directory.
    """
    if not settings.kafka.bootstrap_servers:
        from pipeline.bus.embedded.bus import EmbeddedBus

        path = where_it_is(data_dir, data_dir.bus) if read_only else data_dir.bus
        return EmbeddedBus(path, retention=timedelta(days=settings.bus.retention_days), read_only=read_only)
    from pipeline.bus.named import NamedBus

    return NamedBus(choose_kafka(settings), names_of(settings, data_dir, read_only=read_only))


def choose_kafka(settings: Settings) -> "KafkaBus":
    """Kafka as it is, with the topics of everybody."""
    from pipeline.bus.kafka.bus import KafkaBus

    return KafkaBus(settings.kafka, timeout=settings.kafka.request_timeout)


def choose_store(settings: Settings, data_dir: DataDir, *, read_only: bool = False) -> "Store":
    """MongoDB where it is configured, the embedded store otherwise."""
    simulated = is_simulated(data_dir.namespace)
    if not settings.mongodb.uri:
        from pipeline.store.embedded.store import EmbeddedStore

        path = where_it_is(data_dir, data_dir.store) if read_only else data_dir.store
        return EmbeddedStore(path, read_only=read_only)
    from pipeline.store.mongo.store import MongoStore

    return MongoStore(
        settings.mongodb.uri,
        namespace=data_dir.namespace,
        only_simulated=simulated,
        timeout=settings.mongodb.request_timeout,
        read_only=read_only,
    )


def where_it_is(data_dir: DataDir, path: Path) -> Path:
    """Of a file that is only read: before the directory is migrated, simulated data are in one with the others, which
    says that a pipeline has to bring it up to date."""
    if path.exists() or Layout.of(data_dir.path).is_current or not is_simulated(data_dir.namespace):
        return path
    return data_dir.within(own_part(data_dir.namespace)).space / path.name


def open_store_to_read(loaded: Loaded) -> AbstractAsyncContextManager["Store"]:
    """The store of a data directory, for look-ups beside a running pipeline or without one.

    Raises:
        SettingsError: see `check_engines`.
        StoreError: on entry, if there is none.
    """
    check_engines(loaded.settings)
    return _opened(choose_store(loaded.settings, space_to_read(loaded), read_only=True))


def open_bus_to_read(loaded: Loaded) -> AbstractAsyncContextManager["Bus"]:
    """The bus of a data directory, for look-ups.

    Raises:
        SettingsError: see `check_engines`.
        BusError: on entry, if there is none.
    """
    check_engines(loaded.settings)
    return _opened(choose_bus(loaded.settings, space_to_read(loaded), read_only=True))


def space_to_read(loaded: Loaded) -> DataDir:
    """The data directory, in the namespace that a look-up is about."""
    return DataDir(loaded.data_dir, namespace_to_read(loaded))


@asynccontextmanager
async def _opened[Engine: (Bus, Store)](engine: Engine) -> AsyncIterator[Engine]:
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()
