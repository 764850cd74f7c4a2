"""The bus on Apache Kafka 2.1 or later, through aiokafka, which this folder alone imports."""

import asyncio
import logging
import ssl
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.codec import has_lz4
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    InconsistentGroupProtocolError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    NotCoordinatorForGroupError,
    RequestTimedOutError,
    UnknownError,
    UnknownMemberIdError,
)
from aiokafka.protocol.metadata import MetadataRequest

from pipeline.bus.base import AssignmentListener, BusError, Member, Received, Record, Refusal, TopicPartition
from pipeline.bus.kafka.claims import KafkaClaims
from pipeline.bus.kafka.cluster import RECENT_SECONDS, Cluster
from pipeline.bus.kafka.connection import Assignor, Gate, HungUpError, KafkaConnection, Paused
from pipeline.bus.kafka.consumer import KafkaConsumer, Rebalances
from pipeline.bus.kafka.errors import ALL_RIGHTS, advice, is_refusal
from pipeline.bus.kafka.options import KafkaOptions
from pipeline.bus.kafka.refusals import RefusedTopics
from pipeline.bus.kafka.sending import TOPIC_REFUSES, send
from pipeline.bus.kafka.sharing import BatchReader, SharedBatches
from pipeline.config.settings import KafkaSettings
from pipeline.contract.retention import Retention
from pipeline.system.reach import why_unreachable

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.1
CREATED_AT_ONCE: Final = 200
"""Topics that are created by one request: a cluster answers when it has made them all, and a call has its time."""
READ_BATCH: Final = 1000
READ_SECONDS: Final = 0.2
"""How long a reader waits for records before it looks how far it has come without any."""
DELETED_SECONDS: Final = 3.0
"""For how long brokers must deny that there is a topic, before that is believed: one may not have heard of it yet."""
REACH_SECONDS: Final = 1.0

_NO_COORDINATOR: Final = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""What is about a group, not about topics: of a thousand, metadata are too much to ask for at each attempt."""
_OUT_OF_REACH: Final = (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError)
_SILENT: Final = (*_OUT_OF_REACH, KafkaTimeoutError, TimeoutError)


class KafkaBus:
    """Topics on a Kafka cluster.

    The producer is idempotent and waits for all replicas in sync. Topics are created here, with the settings'
    partitions and retention, before anything reads or writes them: a broker that creates them by itself, as brokers
    do for whoever asks about them, would give them its defaults and delete years-old records at once.
    """

    def __init__(self, settings: KafkaSettings, *, timeout: float = 15.0) -> None:
        """`timeout` bounds every call, in seconds."""
        self._settings = settings
        self._options = KafkaOptions(settings, timeout)
        self._name = f"Kafka at {settings.bootstrap_servers}"
        self._arguments: dict[str, Any] = {}
        self._client: AIOKafkaClient | None = None
        self._asked: Cluster | None = None
        self._producer: AIOKafkaProducer | None = None
        self._producer_lock = asyncio.Lock()
        self._discarding: set[asyncio.Task[None]] = set()
        self._readers: list[KafkaConnection] = []
        self._batches = SharedBatches()
        self._creating = asyncio.Lock()
        self._created: set[str] = set()
        self._missed: dict[str, float] = {}  # of those created, since when brokers deny them
        self._uncreatable = RefusedTopics("be created")
        self._unwritable = RefusedTopics("be written")

    @property
    def description(self) -> str:
        return f"kafka {self._settings.bootstrap_servers}"

    @property
    def client(self) -> str:
        return self._options.client

    @property
    def timeout(self) -> float:
        """Seconds that any one call may take."""
        return self._options.timeout

    @property
    def advertised(self) -> list[tuple[str, int]]:
        """Host and port of every broker, as the open cluster advertises them."""
        return self._cluster.brokers()

    async def open(self) -> None:
        try:
            self._arguments = self._options.client_arguments()
            await self._knock()
        except (OSError, ValueError) as error:
            raise BusError(f"Kafka cannot be used as configured: {error}", permanent=True) from error
        client = AIOKafkaClient(**self._arguments)
        await self._start(client.bootstrap, client.close)
        self._client, self._asked = client, Cluster(client, self._settings, self._options)

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        readers, self._readers = self._readers, []
        client, self._client, self._asked = self._client, None, None
        self._created.clear()
        self._missed.clear()
        self._uncreatable.clear()
        self._unwritable.clear()
        if producer is not None:
            await _discard(producer)
        await asyncio.gather(*self._discarding)
        for reader in readers:
            await reader.stop()
        if client is not None:
            await client.close()

    async def create_topics(self, topics: Collection[str]) -> dict[str, str]:
        if not self._uncreatable and self._created.issuperset(topics):
            return {}  # as nearly always, and each consumer asks for all of its topics whenever it looks for records
        refused = self._uncreatable.among(topics)
        wanted = set(topics) - refused.keys()
        if wanted - self._created:
            self._created |= wanted & await self.topics()
        while missing := sorted(wanted - self._created - refused.keys())[:CREATED_AT_ONCE]:
            before = len(self._created)
            try:
                # At the start all consumers want many of the same.
                async with self.bounded("create topics on"), self._creating:
                    refused |= await self._create(set(missing) - self._created)
            except BusError:
                if len(self._created) == before:
                    raise
                # The others have got on meanwhile: there are many to be made.
        self._uncreatable.works(wanted - refused.keys())
        return refused

    async def _create(self, topics: Collection[str]) -> dict[str, str]:
        if not topics:
            return {}
        refused = await self._retrying("create topics on", partial(self._cluster.create, topics))
        for topic, reason in refused.items():
            self._uncreatable.add(topic, reason)
        self._created.update(set(topics) - refused.keys())
        return refused

    async def topics(self) -> set[str]:
        metadata = await self._retrying("ask", partial(self._cluster.metadata, RECENT_SECONDS))
        existing = set(metadata.topics(exclude_internal_topics=True))
        # The answer is that of any broker, and news of topics takes its time from one to the next.
        now = time.monotonic()
        self._missed = {topic: self._missed.get(topic, now) for topic in self._created - existing}
        if gone := {topic for topic, since in self._missed.items() if now - since >= DELETED_SECONDS}:
            self._created -= gone  # so that whoever needs them makes them again
            log.warning("%s: these topics were deleted: %s", self._name, ", ".join(sorted(gone)))
        return existing | (self._missed.keys() - gone)

    async def delete_topics(self, topics: Collection[str]) -> dict[str, str]:
        refused = await self._retrying("delete topics on", partial(self._cluster.delete, topics))
        gone = set(topics) - refused.keys()
        self._created -= gone
        self._missed = {topic: since for topic, since in self._missed.items() if topic not in gone}
        return refused

    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        topics = {record.topic for record in records}
        self._batches.own |= topics
        refused = await self.create_topics(topics) | self._unwritable.among(topics)
        refusals = [Refusal(record, refused[record.topic]) for record in records if record.topic in refused]
        parts = deque([[record for record in records if record.topic not in refused]])
        while parts:
            failed: defaultdict[str, list[tuple[Record, KafkaError]]] = defaultdict(list)
            for record, error in await self._send(parts.popleft()):
                failed[record.topic].append((record, error))
            for topic, failures in failed.items():
                reason = advice(failures[0][1], "WRITE")
                if any(isinstance(error, TOPIC_REFUSES) for _, error in failures):
                    self._unwritable.add(topic, reason)
                elif middle := len(failures) // 2:
                    # A broker refuses a whole batch for one of its records, or for being too large together.
                    parts += ([record for record, _ in half] for half in (failures[:middle], failures[middle:]))
                    continue
                refusals += [Refusal(record, reason) for record, _ in failures]
        return refusals

    async def _send(self, records: Sequence[Record]) -> list[tuple[Record, KafkaError]]:
        """Send them, and return those that were refused; all others are acknowledged."""
        if not records:
            return []
        async with self._producer_lock:
            if self._producer is None:
                self._producer = await self._new_producer()
            producer = self._producer
        try:
            async with self.bounded("publish to"):
                failed = await send(producer, records, self._created, self._batches.published)
            self._unwritable.works({record.topic for record in records} - {record.topic for record, _ in failed})
            return failed
        except BusError:
            # What is still queued must not follow later, behind the back of whoever publishes it again.
            self._created.clear()
            if self._producer is producer:
                self._producer = None
                discarding = asyncio.create_task(_discard(producer))  # which may take as long again
                self._discarding.add(discarding)
                discarding.add_done_callback(self._discarding.discard)
            raise

    def consumer(
        self,
        group: str | None,
        topics: Collection[str],
        listener: AssignmentListener | None = None,
        *,
        whole_topics: bool = False,
    ) -> KafkaConsumer:
        return KafkaConsumer(self, group, topics, listener, whole_topics=whole_topics)

    def claims(self, group: str) -> KafkaClaims:
        return KafkaClaims(self, group)

    async def delete_before(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Delete the records before these offsets, for good."""
        await self._retrying("delete records on", partial(self._cluster.delete_before, offsets), right="DELETE")

    async def members(self, group: str) -> list[Member] | None:
        return await self._retrying("ask", partial(self._cluster.members, group))

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        return await self._retrying("ask", partial(self._cluster.committed, group, topics))

    async def reset(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        try:
            await self._retrying("reset a group on", partial(self._cluster.reset, group, positions))
        except BusError as error:
            if isinstance(error.__cause__, UnknownMemberIdError):  # what a broker calls somebody who is no member
                told = f"{self._name}: the group {group!r} has members; its offsets can be reset while it has none"
                raise BusError(told) from error.__cause__
            raise

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        return await self._retrying("ask", partial(self._cluster.offsets, topics))

    async def offsets_at(self, topics: Collection[str], ts: int) -> dict[TopicPartition, int]:
        return await self._retrying("ask", partial(self._cluster.offsets_at, topics, ts))

    async def retention(self, topics: Collection[str]) -> dict[str, Retention]:
        return await self._retrying("ask", partial(self._cluster.retention, set(topics) & await self.topics()))

    async def read(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[list[Received]]:
        if start >= stop:
            return
        begin, end = (await self.offsets([partition.topic])).get(partition, (0, 0))
        position, stop = max(start, begin), min(stop, end)
        if position >= stop:
            return
        async with self._reader() as reader:
            reader.assign([partition], self._created)
            reader.seek({partition: position})
            heard = time.monotonic()
            while position < stop:
                async with self.bounded("read from"):
                    batch = await reader.fetch(READ_BATCH, READ_SECONDS)
                    reached = await reader.position(partition)
                if reached > position:
                    position, heard = reached, time.monotonic()
                elif time.monotonic() - heard > self.timeout:
                    raise BusError(f"cannot read from {self._name}: no answer from {partition.topic}")
                if records := [record for record in batch if record.offset < stop]:
                    yield records

    async def connect(
        self, group: str | None, rebalances: Rebalances | None = None, *, whole_topics: bool = False
    ) -> KafkaConnection:
        """A connection to consume by, not yet subscribed to anything."""
        arguments = await self._client_arguments() | self._options.consumer_arguments()
        if whole_topics:
            arguments["partition_assignment_strategy"] = [Assignor(whole=True)]
        if group is not None:
            # A cluster makes its topic of groups when it first hears of one, and shall not do so behind all of ours.
            await self._retrying("read from", partial(self._cluster.coordinator, group))
        reader = BatchReader(self._batches)
        consumer = AIOKafkaConsumer(**arguments, group_id=group, key_deserializer=reader)
        await self._start(consumer.start, consumer.stop)
        return KafkaConnection(consumer, None if rebalances is None else Gate(rebalances), reader)

    async def _connect_reader(self) -> KafkaConnection:
        arguments = await self._client_arguments()
        arguments = arguments | self._options.consumer_arguments() | self._options.reader_arguments()
        consumer = AIOKafkaConsumer(**arguments, group_id=None, key_deserializer=BatchReader(self._batches))
        await self._start(consumer.start, consumer.stop)
        return KafkaConnection(consumer, None)

    async def connect_paused(self, group: str) -> KafkaConnection:
        """A connection that is assigned whole topics of the group's and fetches nothing."""
        arguments = await self._client_arguments()
        arguments = arguments | self._options.consumer_arguments() | self._options.claims_arguments()
        consumer = AIOKafkaConsumer(**arguments, group_id=group, partition_assignment_strategy=[Assignor()])
        await self._start(consumer.start, consumer.stop)
        return KafkaConnection(consumer, Paused(consumer))

    async def explained(self, error: BusError, group: str | None) -> BusError:
        """The same error, or one that names who else is in the group if that is why we cannot join it."""
        if group is None or not isinstance(error.__cause__, InconsistentGroupProtocolError):
            return error
        try:
            members = await self.members(group) or []
        except BusError:
            members = []
        who = ", ".join(sorted({f"{member.client} at {member.host}" for member in members})) or "it has left since"
        told = BusError(
            f"{self._name}: another application uses the consumer group {group!r} and divides its topics otherwise "
            f"({who}); stop it, or set [pipeline] namespace (--namespace), which gives us groups of our own"
        )
        told.__cause__ = error.__cause__
        return told

    @asynccontextmanager
    async def bounded(self, doing: str, right: str = ALL_RIGHTS) -> AsyncIterator[None]:
        """Turn errors of aiokafka, and taking longer than the timeout, into `BusError`. `right` is what it takes."""
        try:
            async with asyncio.timeout(self.timeout):
                yield
        except (KafkaError, TimeoutError) as error:
            reason = await self._unreachable() if isinstance(error, _SILENT) else None
            what = f"cannot {doing} {self._name}: {reason or advice(error, right)}"
            raise BusError(what, permanent=is_refusal(error)) from error

    async def _unreachable(self) -> str | None:
        """Which of the brokers cannot be reached where the cluster says that they are, and why; aiokafka's errors tell
        neither."""
        if self._client is None:
            return None
        known = {(host, port) for host, port, _ in collect_hosts(self._arguments["bootstrap_servers"])}
        addresses = self.advertised
        reasons = await asyncio.gather(*(why_unreachable(*address, REACH_SECONDS) for address in addresses))
        for (host, port), reason in zip(addresses, reasons, strict=True):
            if reason is not None and (host, port) in known:
                return f"{host}:{port}: {advice(reason)}"
            if reason is not None:
                return (
                    f"the broker advertises the address {host}:{port}, where there is no connection from here "
                    f"({reason.strerror or str(reason) or 'no answer'}); `fintrends-tui doctor` says what to do"
                )
        return None

    async def _retrying[T](self, doing: str, attempt: Callable[[], Awaitable[T]], right: str = ALL_RIGHTS) -> T:
        """The result of `attempt`, made again while the cluster is there but not ready: electing, loading, creating."""
        async with self.bounded(doing, right):
            while True:
                try:
                    return await attempt()
                except KafkaError as error:
                    if isinstance(error, _NO_COORDINATOR):
                        self._cluster.forget_coordinators()
                    else:
                        self.forget()
                    # What a broker calls unknown is mostly its own trouble, such as a lost session with ZooKeeper.
                    passing = error.retriable or isinstance(error, UnknownError)
                    if not passing or isinstance(error, _OUT_OF_REACH):
                        raise
                    await asyncio.sleep(RETRY_SECONDS)

    async def _client_arguments(self) -> dict[str, Any]:
        """What a new client is made with; it starts from a server that answers now, where there is a choice."""
        if "," in self._settings.bootstrap_servers:
            await self._knock()
        return self._arguments

    async def _knock(self) -> None:
        """Connect once by hand: the clients' own start says that it failed, but only their log says why.

        To all servers at the same time, and the first that answers is the one that clients start from: they try one
        after the other, and one that is silent would use up the time of all.
        """
        servers = self._options.client_arguments()["bootstrap_servers"]
        arguments = {k: v for k, v in self._arguments.items() if k not in ("bootstrap_servers", "metadata_max_age_ms")}
        reasons: list[Exception] = []
        knocking = [asyncio.create_task(_knock_at(server, arguments)) for server in servers]
        try:
            for first in asyncio.as_completed(knocking):
                try:
                    self._arguments["bootstrap_servers"] = [await first]
                except (OSError, KafkaError) as error:  # TimeoutError is an OSError
                    reasons.append(error)
                else:
                    return
        finally:
            for task in knocking:
                task.cancel()
            await asyncio.gather(*knocking, return_exceptions=True)
        reason = next(filter(is_refusal, reasons), reasons[0])
        what = f"cannot connect to {self._name}: {advice(reason)}"
        raise BusError(what, permanent=is_refusal(reason)) from reason

    async def _start(self, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
        """Start a client, or else stop what there is of it already."""
        try:
            async with self.bounded("connect to"):
                await start()
        except BaseException:
            await stop()
            raise

    async def _new_producer(self) -> AIOKafkaProducer:
        compression = "lz4" if has_lz4() else "gzip"
        producer = AIOKafkaProducer(
            **await self._client_arguments(), **self._options.producer_arguments(), compression_type=compression
        )
        await self._start(producer.start, partial(_discard, producer))
        return producer

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[KafkaConnection]:
        """A connection outside of any group; kept for the next one who needs it unless something goes wrong."""
        reader = self._readers.pop() if self._readers else await self._connect_reader()
        try:
            yield reader
        except BaseException:
            await reader.stop()
            raise
        reader.rest()
        self._readers.append(reader)

    @property
    def _cluster(self) -> Cluster:
        if self._asked is None:
            raise BusError(f"{self._name} is not open")
        return self._asked

    def forget(self) -> None:
        """Ask the cluster anew for topics and leaders: they may have changed."""
        self._cluster.forget()


async def _knock_at(server: str, arguments: Mapping[str, Any]) -> str:
    """Connect to the server, ask it something, and return it. A broker that misses a login hangs up only then."""
    ((host, port, _),) = collect_hosts([server])
    try:
        connection = await create_conn(host, port, **arguments)
        try:
            await connection.send(MetadataRequest([]))
        finally:
            connection.close()
    except KafkaConnectionError as error:
        match error.__cause__:
            case ssl.SSLError() as alert:  # the answer to our certificate comes after the handshake
                raise alert from error
            case EOFError() | ConnectionError():
                raise HungUpError from error
            case _:
                raise
    except ConnectionResetError as error:  # in the handshake
        raise HungUpError from error
    return server


async def _discard(producer: AIOKafkaProducer) -> None:
    """Stop after what is on the wire. Its own `stop` waits for all that is queued, for ever if the broker is down."""
    producer._closed = True
    await producer._sender.close()
    await producer.client.close()
