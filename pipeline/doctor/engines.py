"""What the doctor checks of bus and store. It reads only; no topic, collection or document is made."""

import asyncio
import os
import shlex
import socket
import sqlite3
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from pipeline.bus.base import BusError
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.named import NamedBus
from pipeline.clock import Clock
from pipeline.config.settings import KafkaSettings, Loaded
from pipeline.doctor import namespaces
from pipeline.doctor.finding import Finding, fault, fault_of, ok, warning
from pipeline.engines import choose_kafka, names_of, where_it_is
from pipeline.model.namespace import own_part
from pipeline.model.topics import ours
from pipeline.ops.topic_report import look, topics_for, watched_tickers
from pipeline.storage.datadir import DataDir
from pipeline.storage.sqlite import OUTDATED
from pipeline.store.base import StoreError
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.system.reach import why_unreachable

CONNECT_SECONDS: Final = 5.0
CLOCK_SKEW: Final = timedelta(seconds=5)

_LOGIN_ERRORS: Final = frozenset(
    {
        "SaslAuthenticationFailed",
        "AuthenticationFailedError",
        "IllegalSaslStateError",
        "UnsupportedSaslMechanismError",
    }
)
"""Of aiokafka, by name: its one adapter knows the classes."""


async def embedded_bus(data_dir: DataDir) -> Finding:
    path = where_it_is(data_dir, data_dir.bus)
    return await _database("bus", path, EmbeddedBus(path, read_only=True))


async def embedded_store(data_dir: DataDir) -> Finding:
    path = where_it_is(data_dir, data_dir.store)
    return await _database("store", path, EmbeddedStore(path, read_only=True))


async def _database(name: str, path: Path, engine: EmbeddedBus | EmbeddedStore) -> Finding:
    """Read from end to end, then opened for its version."""
    aside = shlex.quote(f"{path.parent}/damaged")
    files = f"{shlex.quote(str(path))}*"
    fix = f"`fintrends-tui stop`, then `mkdir -p {aside} && mv {files} {aside}`; the next start makes an empty one"
    try:
        verdict = await asyncio.to_thread(_quick_check, path)
        if verdict is None:
            return ok(f"the embedded {name} is empty; a pipeline fills {path} when it runs")
        if verdict != "ok":
            return fault(f"the embedded {name} {path} is damaged", verdict, fix)
        await engine.open()
        await engine.close()
    except (BusError, StoreError, sqlite3.Error) as error:
        if OUTDATED in str(error):
            cause = "starting the pipeline upgrades it and separates simulated from real data"
            return warning(f"the embedded {name} {path} {OUTDATED}", cause, "none needed: start the pipeline")
        return fault(f"the embedded {name} {path} cannot be read", str(error), fix)
    return ok(f"the embedded {name} {path} is healthy")


def _quick_check(path: Path) -> str | None:
    """SQLite's verdict: "ok", or the first thing that is wrong. None if no pipeline has put anything there yet."""
    if not os.path.lexists(path):
        return None
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
        connection.execute("PRAGMA query_only = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return str(verdict) if version or verdict != "ok" else None


async def kafka(loaded: Loaded, flags: Sequence[str], data_dir: DataDir | None = None) -> AsyncIterator[Finding]:
    """Connection and login, the addresses that the brokers advertise, the topics of the watched tickers, who else is in
    the groups, and whether real and simulated data are mixed.

    `flags` are those that the settings were loaded with, for the commands that fix.
    """
    bus = choose_kafka(loaded.settings)
    try:
        await bus.open()
    except BusError as error:
        yield fault_of(error, _fix_of_kafka(error))
        return
    try:
        yield ok(f"{bus.description} answers")
        reachable = True
        for host, port in bus.advertised:
            finding = await advertised(host, port, loaded.settings.kafka)
            reachable = reachable and finding.level == "ok"
            yield finding
        if reachable:
            named = NamedBus(bus, names_of(loaded.settings, data_dir or DataDir(loaded.data_dir), read_only=True))
            yield await _topics(named, watched_tickers(loaded), flags)
            if found := await _compacted(named, watched_tickers(loaded)):
                yield found
            async for finding in namespaces.on_bus(named, flags):
                yield finding
    finally:
        await bus.close()


def _fix_of_kafka(error: BusError) -> str:
    match error.__cause__:
        case ssl.SSLError() | FileNotFoundError():
            return "set kafka.security_protocol, ssl_cafile, ssl_certfile and ssl_keyfile to what the broker uses"
        case OSError():
            return (
                "start it, or correct its address: --kafka HOST:PORT, KAFKA_BOOTSTRAP_SERVERS or "
                "kafka.bootstrap_servers"
            )
        case ValueError():
            return "correct the section [kafka] of the configuration, --kafka or KAFKA_BOOTSTRAP_SERVERS"
        case cause if type(cause).__name__ in _LOGIN_ERRORS:
            return "set kafka.security_protocol, sasl_mechanism and sasl_username, and FINTRENDS_KAFKA__SASL_PASSWORD"
        case _:  # something listens, but does not speak as expected
            return "set kafka.security_protocol to that of the listener on this port, or correct the port"


async def advertised(host: str, port: int, settings: KafkaSettings) -> Finding:
    """Whether a broker can be reached at the address it advertises; the configured address is only the first
    contact."""
    first_contact = settings.bootstrap_servers.partition(",")[0].strip()
    what = f"the broker advertises the address {host}:{port}, which "
    fix = (
        "set advertised.listeners of the broker (in Docker: KAFKA_ADVERTISED_LISTENERS) to an address that this "
        f"machine reaches, such as {settings.security_protocol}://{first_contact}, and restart it"
    )
    match await why_unreachable(host, port, CONNECT_SECONDS):
        case None:
            return ok(f"the broker can be reached at {host}:{port}, as it advertises")
        case socket.gaierror():
            cause = "the name is known only where the broker runs, as that of a Docker container is"
            return fault(what + "does not resolve here", cause, fix)
        case TimeoutError():
            cause = (
                "the address belongs to another network, as that of a Docker container does, or a firewall is between"
            )
            return fault(what + f"does not answer within {CONNECT_SECONDS:g} seconds", cause, fix)
        case error:
            cause = f"the address is right only where the broker runs, as localhost is ({error.strerror or error})"
            return fault(what + "refuses connections from here", cause, fix)


async def _topics(bus: NamedBus, tickers: Sequence[str], flags: Sequence[str]) -> Finding:
    try:
        existing = ours(await bus.topics())
        await look(bus, existing)
    except BusError as error:
        return fault_of(error, "have the cluster's administrator grant it, or wait until the cluster is ready")
    missing = sorted(bus.names.topic(topic) for topic in set(topics_for(tickers)) - existing)
    if not missing:
        return ok("all topics of the watched tickers exist" if tickers else "the general topics exist")
    what = f"{len(missing)} topics of a pipeline here do not exist: {', '.join(missing)}"
    cause = "no pipeline has run with these tickers on this cluster yet; the pipeline creates them if it is allowed to"
    return warning(what, cause, shlex.join(["fintrends-tui", "topics", *tickers, "--create", *flags]))


async def _compacted(bus: NamedBus, tickers: Sequence[str]) -> Finding | None:
    """Topics of ours that somebody else has made so that they keep little of what we publish."""
    try:
        retention = await bus.retention(set(topics_for(tickers)) & await bus.topics())
    except BusError:
        return None  # of which the check of topics tells
    names = sorted(bus.names.topic(topic) for topic, kept in retention.items() if kept.compacted)
    if not names:
        return None
    what = f"{len(names)} topics of a pipeline here are compacted: {', '.join(names)}"
    cause = "Kafka keeps the last record of each key, which is the ticker; all earlier ones are deleted"
    return warning(what, cause, "set cleanup.policy=delete and retention.ms=-1 on them (kafka-configs.sh --alter)")


async def mongodb(uri: str, clock: Clock, namespace: str = "", flags: Sequence[str] = ()) -> AsyncIterator[Finding]:
    """Connection and login, the right to read, the server's clock, and whether real and simulated data are mixed.
    Whether it may be written is not tried."""
    from pipeline.store.mongo.store import MongoStore

    own = own_part(namespace)  # where both were before there were namespaces
    store = MongoStore(uri, namespace=own, timeout=CONNECT_SECONDS, read_only=True)
    try:
        await store.open()
        await store.counts()
        time = await store.server_time()
        mixed = await store.count_simulated()
    except StoreError as error:
        yield fault_of(error, "correct the URI (MONGODB_URI or mongodb.uri), or start the server if it is down")
        return
    finally:
        await store.close()
    yield ok(f"{store.description} answers and can be read; writing is not tried")
    if found := namespaces.in_store(store.description, mixed, flags):
        yield found
    skew = abs(time - clock.now())
    if skew > CLOCK_SKEW:
        what = f"the clocks of this machine and of {store.description} differ by {skew.total_seconds():.0f} seconds"
        cause = "one of them is not synchronised; ages and latencies are shown wrongly"
        yield warning(what, cause, "sudo timedatectl set-ntp true")
