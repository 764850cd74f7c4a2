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

from pipeline.bus.base import Bus, BusError
from pipeline.bus.embedded import EmbeddedBus
from pipeline.clock import Clock
from pipeline.datadir import DataDir
from pipeline.doctor_finding import Finding, fault, fault_of, ok, warning
from pipeline.engines import choose_bus
from pipeline.settings import KafkaSettings, Loaded
from pipeline.store.base import StoreError
from pipeline.store.embedded import EmbeddedStore
from pipeline.topic_report import look, ours, topics_for, watched_tickers

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
    bus = EmbeddedBus(data_dir.bus, read_only=True)
    return await _database("bus", data_dir.bus, bus)


async def embedded_store(data_dir: DataDir) -> Finding:
    return await _database("store", data_dir.store, EmbeddedStore(data_dir.store, read_only=True))


async def _database(name: str, path: Path, engine: EmbeddedBus | EmbeddedStore) -> Finding:
    """Read from end to end, then opened for its version."""
    aside = shlex.quote(f"{path.parent}/damaged")
    files = f"{shlex.quote(str(path))}*"
    mend = f"`fintrends-tui stop`, then `mkdir -p {aside} && mv {files} {aside}`; the next start makes an empty one"
    try:
        verdict = await asyncio.to_thread(_quick_check, path)
        if verdict is None:
            return ok(f"the embedded {name} is empty; a pipeline fills {path} when it runs")
        if verdict != "ok":
            return fault(f"the embedded {name} {path} is damaged", verdict, mend)
        await engine.open()
        await engine.close()
    except (BusError, StoreError, sqlite3.Error) as error:
        return fault(f"the embedded {name} {path} cannot be read", str(error), mend)
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


async def kafka(loaded: Loaded, flags: Sequence[str]) -> AsyncIterator[Finding]:
    """Connection and login, the addresses that the brokers advertise, and the topics of the watched tickers.

    `flags` are those that the settings were loaded with, for the command that makes topics.
    """
    from pipeline.bus.kafka import KafkaBus

    bus = choose_bus(loaded.settings, DataDir(loaded.data_dir), read_only=True)
    assert isinstance(bus, KafkaBus)  # noqa: S101 - called only when Kafka is configured
    try:
        await bus.open()
    except BusError as error:
        yield fault_of(error, _mend_of_kafka(error))
        return
    try:
        yield ok(f"{bus.description} answers")
        reachable = True
        for host, port in bus.advertised:
            finding = await advertised(host, port, loaded.settings.kafka)
            reachable = reachable and finding.level == "ok"
            yield finding
        if reachable:
            yield await _topics(bus, watched_tickers(loaded), flags)
    finally:
        await bus.close()


def _mend_of_kafka(error: BusError) -> str:
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
    """Whether a broker can be reached where it tells its clients to; the configured address is their first contact
    only."""
    first_contact = settings.bootstrap_servers.partition(",")[0].strip()
    what = f"the broker tells its clients to connect to {host}:{port}, which "
    mend = (
        "set advertised.listeners of the broker (in Docker: KAFKA_ADVERTISED_LISTENERS) to an address that this "
        f"machine reaches, such as {settings.security_protocol}://{first_contact}, and restart it"
    )
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror:
        cause = "the name is known only where the broker runs, as that of a Docker container is"
        return fault(what + "does not resolve here", cause, mend)
    except TimeoutError:
        cause = "the address belongs to another network, as that of a Docker container does, or a firewall is between"
        return fault(what + f"does not answer within {CONNECT_SECONDS:g} seconds", cause, mend)
    except OSError as error:
        cause = f"the address is right only where the broker runs, as localhost is ({error.strerror or error})"
        return fault(what + "refuses connections from here", cause, mend)
    writer.close()
    return ok(f"the broker can be reached at {host}:{port}, as it tells its clients")


async def _topics(bus: Bus, tickers: Sequence[str], flags: Sequence[str]) -> Finding:
    try:
        existing = ours(await bus.topics())
        await look(bus, existing)
    except BusError as error:
        return fault_of(error, "have the cluster's administrator grant it, or wait until the cluster is ready")
    missing = sorted(set(topics_for(tickers)) - existing)
    if not missing:
        return ok("all topics of the watched tickers exist" if tickers else "the general topics exist")
    what = f"{len(missing)} topics of a pipeline here do not exist: {', '.join(missing)}"
    cause = "no pipeline has run with these tickers on this cluster yet; one makes them if it may"
    return warning(what, cause, shlex.join(["fintrends-tui", "topics", *tickers, "--create", *flags]))


async def mongodb(uri: str, clock: Clock) -> AsyncIterator[Finding]:
    """Connection and login, the right to read, and the server's clock. Whether it may be written is not tried."""
    from pipeline.store.mongo import MongoStore

    store = MongoStore(uri, timeout=CONNECT_SECONDS, read_only=True)
    try:
        await store.open()
        await store.counts()
        time = await store.server_time()
    except StoreError as error:
        yield fault_of(error, "correct the URI (MONGODB_URI or mongodb.uri), or start the server if it is down")
        return
    finally:
        await store.close()
    yield ok(f"{store.description} answers and can be read; writing is not tried")
    skew = abs(time - clock.now())
    if skew > CLOCK_SKEW:
        what = f"the clocks of this machine and of {store.description} differ by {skew.total_seconds():.0f} seconds"
        cause = "one of them is not synchronised; ages and latencies are shown wrongly"
        yield warning(what, cause, "sudo timedatectl set-ntp true")
