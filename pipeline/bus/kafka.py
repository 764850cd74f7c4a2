"""The bus on Apache Kafka 2.1 or later, through aiokafka, which only this and `kafka_connection` import."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.codec import has_lz4
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    InvalidConfigurationError,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    NoError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    UnknownError,
    for_code,
)
from aiokafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest, DescribeGroupsRequest
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.offset import OffsetRequest

from pipeline.bus import kafka_shapes as shapes
from pipeline.bus.base import AssignmentListener, BusError, Member, Received, Record, TopicPartition
from pipeline.bus.kafka_claims import KafkaClaims
from pipeline.bus.kafka_connection import Assignor, Connection, Gate, Paused, assigned_partitions
from pipeline.bus.kafka_consumer import KafkaConsumer, Rebalances
from pipeline.bus.kafka_errors import advice
from pipeline.bus.kafka_options import KafkaOptions
from pipeline.retention import Retention
from pipeline.text import clean

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.1
READ_BATCH: Final = 1000

_OUT_OF_REACH: Final = (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError)

_SETTLING: Final = ("PreparingRebalance", "CompletingRebalance")


class KafkaBus:
    """Topics on a Kafka cluster.

    The producer is idempotent and waits for all replicas in sync. Topics are created here, with the options'
    partitions and retention, before anything reads or writes them: a broker that creates them by itself, as brokers
    do for whoever asks about them, would give them its defaults and delete years-old records at once.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._name = f"Kafka at {options.bootstrap}"
        self._arguments: dict[str, Any] = {}
        self._client: AIOKafkaClient | None = None
        self._producer: AIOKafkaProducer | None = None
        self._producer_lock = asyncio.Lock()
        self._discarding: set[asyncio.Task[None]] = set()
        self._readers: list[Connection] = []
        self._created: set[str] = set()

    @property
    def description(self) -> str:
        return f"kafka {self._options.bootstrap}"

    @property
    def client(self) -> str:
        return self._options.client

    @property
    def timeout(self) -> float:
        """Seconds that any one call may take."""
        return self._options.timeout

    @property
    def advertised(self) -> list[tuple[str, int]]:
        """Host and port of every broker, as the open cluster tells its clients to reach them."""
        return [(broker.host, broker.port) for broker in self._connected.cluster.brokers()]

    async def open(self) -> None:
        try:
            self._arguments = self._options.client_arguments()
            await self._knock()
        except (OSError, ValueError) as error:
            raise BusError(f"Kafka cannot be used as configured: {error}") from error
        client = AIOKafkaClient(**self._arguments)
        await self._start(client.bootstrap, client.close)
        self._client = client

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        readers, self._readers = self._readers, []
        client, self._client = self._client, None
        self._created.clear()
        if producer is not None:
            await _discard(producer)
        await asyncio.gather(*self._discarding)
        for reader in readers:
            await reader.stop()
        if client is not None:
            await client.close()

    async def create_topics(self, topics: Collection[str]) -> None:
        missing = set(topics) - self._created
        if missing:
            missing -= await self.topics()
        if missing:
            await self._retrying("create topics on", partial(self._create, missing))
        self._created.update(topics)

    async def topics(self) -> set[str]:
        metadata = await self._retrying("ask", self._metadata)
        existing = set(metadata.topics(exclude_internal_topics=True))
        if gone := self._created - existing:
            self._created -= gone  # so that whoever needs them makes them again
            log.warning("%s: these topics were deleted: %s", self._name, ", ".join(sorted(gone)))
        return existing

    async def publish(self, records: Sequence[Record]) -> None:
        if not records:
            return
        await self.create_topics({record.topic for record in records})
        async with self._producer_lock:
            if self._producer is None:
                self._producer = await self._new_producer()
            producer = self._producer
        try:
            async with self.bounded("publish to"):
                await _send(producer, records)
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
        self, group: str | None, topics: Collection[str], listener: AssignmentListener | None = None
    ) -> KafkaConsumer:
        return KafkaConsumer(self, group, topics, listener)

    def claims(self, group: str) -> KafkaClaims:
        return KafkaClaims(self, group)

    async def members(self, group: str) -> list[Member] | None:
        return await self._retrying("ask", partial(self._members, group))

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        return await self._retrying("ask", partial(self._committed, group, topics))

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        return await self._retrying("ask", partial(self._offsets, topics))

    async def retention(self, topics: Collection[str]) -> dict[str, Retention]:
        return await self._retrying("ask", partial(self._retention, set(topics) & await self.topics()))

    async def read(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[list[Received]]:
        begin, end = (await self.offsets([partition.topic])).get(partition, (0, 0))
        position, stop = max(start, begin), min(stop, end)
        if position >= stop:
            return
        async with self._reader() as reader:
            reader.assign([partition])
            reader.seek({partition: position})
            while position < stop:
                async with self.bounded("read from"):
                    batch = await reader.fetch(READ_BATCH, self.timeout)
                    reached = await reader.position(partition)
                if reached <= position:
                    raise BusError(f"cannot read from {self._name}: no answer from {partition.topic}")
                position = reached
                if records := [record for record in batch if record.offset < stop]:
                    yield records

    async def connect(self, group: str | None, rebalances: Rebalances | None = None) -> Connection:
        """A connection to consume by, not yet subscribed to anything."""
        consumer = AIOKafkaConsumer(**self._arguments, **self._options.consumer_arguments(), group_id=group)
        await self._start(consumer.start, consumer.stop)
        return Connection(consumer, None if rebalances is None else Gate(rebalances))

    async def connect_paused(self, group: str) -> Connection:
        """A connection that is assigned whole topics of the group's and fetches nothing."""
        arguments = self._arguments | self._options.consumer_arguments() | self._options.claims_arguments()
        consumer = AIOKafkaConsumer(**arguments, group_id=group, partition_assignment_strategy=[Assignor()])
        await self._start(consumer.start, consumer.stop)
        return Connection(consumer, Paused(consumer))

    @asynccontextmanager
    async def bounded(self, doing: str) -> AsyncIterator[None]:
        """Turn errors of aiokafka, and taking longer than the timeout, into `BusError`."""
        try:
            async with asyncio.timeout(self.timeout):
                yield
        except (KafkaError, TimeoutError) as error:
            raise BusError(f"cannot {doing} {self._name}: {advice(error)}") from error

    async def _retrying[T](self, doing: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of `attempt`, made again while the cluster is there but not ready: electing, loading, creating."""
        async with self.bounded(doing):
            while True:
                try:
                    return await attempt()
                except KafkaError as error:
                    # What a broker calls unknown is mostly its own trouble, such as a lost session with ZooKeeper.
                    passing = error.retriable or isinstance(error, UnknownError)
                    if not passing or isinstance(error, _OUT_OF_REACH):
                        raise
                    await asyncio.sleep(RETRY_SECONDS)

    async def _knock(self) -> None:
        """Connect once by hand: the clients' own start says that it failed, but only their log says why."""
        arguments = {k: v for k, v in self._arguments.items() if k not in ("bootstrap_servers", "metadata_max_age_ms")}
        reason: Exception | None = None
        for host, port, _ in collect_hosts(self._arguments["bootstrap_servers"]):
            try:
                (await create_conn(host, port, **arguments)).close()
            except (OSError, KafkaError) as error:  # TimeoutError is an OSError
                reason = error
            else:
                return
        assert reason is not None  # noqa: S101 - there is at least one server in the list
        raise BusError(f"cannot connect to {self._name}: {advice(reason)}") from reason

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
            **self._arguments, **self._options.producer_arguments(), compression_type=compression
        )
        await self._start(producer.start, partial(_discard, producer))
        return producer

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Connection]:
        """A connection outside of any group; kept for the next one who needs it unless something goes wrong."""
        reader = self._readers.pop() if self._readers else await self.connect(None)
        try:
            yield reader
        except BaseException:
            await reader.stop()
            raise
        reader.unsubscribe()
        self._readers.append(reader)

    # What follows is asked of the cluster directly. aiokafka's admin client can neither list offsets nor tell an
    # error of the group coordinator from a group without commits.

    @property
    def _connected(self) -> AIOKafkaClient:
        if self._client is None:
            raise BusError(f"{self._name} is not open")
        return self._client

    async def _metadata(self) -> Any:
        try:
            return await self._connected.fetch_all_metadata()
        except KafkaError as error:
            raise KafkaConnectionError(str(error)) from error

    async def _controller(self) -> int:
        controller = (await self._metadata()).controller
        if controller is None:
            raise LeaderNotAvailableError
        return int(controller.nodeId)

    async def _create(self, topics: Collection[str]) -> None:
        """Create them and wait until they have leaders."""
        preferred, plain = self._options.topic_configs()
        errors = await self._ask_to_create(topics, preferred)
        if errors == {InvalidConfigurationError}:
            errors = await self._ask_to_create(topics, plain)
        for error in errors:
            raise error(", ".join(sorted(topics)))
        metadata = await self._metadata()
        if any(not metadata.available_partitions_for_topic(topic) for topic in topics):
            raise LeaderNotAvailableError

    async def _ask_to_create(self, topics: Collection[str], configs: Mapping[str, str]) -> set[type[KafkaError]]:
        partitions, replication = self._options.partitions, self._options.replication
        wanted = [(topic, partitions, replication, (), tuple(configs.items())) for topic in topics]
        request = CreateTopicsRequest(wanted, round(self.timeout * 1000), validate_only=False)
        response = await self._connected.send(await self._controller(), request)
        return {for_code(code) for _, code, *_ in response.topic_errors} - {NoError, TopicAlreadyExistsError}

    async def _committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        partitions = shapes.partitions_of(await self._metadata(), topics)
        if not partitions:
            return {}
        coordinator = await self._connected.coordinator_lookup(CoordinationType.GROUP, group)
        request = OffsetFetchRequest(group, [(t, list(ps)) for t, ps in shapes.by_topic(partitions).items()])
        return shapes.committed_offsets(await self._connected.send(coordinator, request), _check)

    async def _retention(self, topics: Collection[str]) -> dict[str, Retention]:
        request = DescribeConfigsRequest([(shapes.TOPIC_RESOURCE, t, list(shapes.RETENTION_KEYS)) for t in topics])
        return shapes.retentions(await self._connected.send(await self._controller(), request))

    async def _members(self, group: str) -> list[Member] | None:
        coordinator = await self._connected.coordinator_lookup(CoordinationType.GROUP, group)
        # One group at a time: aiokafka cannot decode the answer about several.
        response = await self._connected.send(coordinator, DescribeGroupsRequest([group]))
        ((code, _, state, _, _, members),) = response.groups
        _check(code)
        if state in _SETTLING:
            return None
        return [
            Member(clean(client, 100), clean(host.lstrip("/"), 100), assigned_partitions(assignment))
            for _, client, host, _, assignment in members
        ]

    async def _offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        metadata = await self._metadata()
        by_leader: defaultdict[int, list[TopicPartition]] = defaultdict(list)
        for partition in shapes.partitions_of(metadata, topics):
            leader = metadata.leader_for_partition(partition)
            if leader is None or leader < 0:
                raise LeaderNotAvailableError
            by_leader[leader].append(partition)
        found: dict[TopicPartition, tuple[int, int]] = {}
        for leader, partitions in by_leader.items():
            # Beginnings first: ends only grow, so that no beginning is after its end.
            begins = await self._list_offsets(leader, partitions, shapes.EARLIEST)
            ends = await self._list_offsets(leader, partitions, shapes.LATEST)
            found.update({partition: (begins[partition], ends[partition]) for partition in partitions})
        return found

    async def _list_offsets(
        self, leader: int, partitions: Collection[TopicPartition], which: int
    ) -> dict[TopicPartition, int]:
        asked = [(topic, [(p, which) for p in numbers]) for topic, numbers in shapes.by_topic(partitions).items()]
        return shapes.listed_offsets(await self._connected.send(leader, OffsetRequest(-1, 0, asked)), _check)


async def _send(producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
    """Send all and wait for every acknowledgement; raise the first error of aiokafka's if there is any."""
    acknowledgements = []
    errors: list[BaseException] = []
    for record in records:
        try:
            acknowledgement = await producer.send(
                record.topic,
                record.value,
                key=record.key.encode(),
                timestamp_ms=record.ts,
                headers=list(record.headers.items()),
            )
        except KafkaError as error:
            errors.append(error)
            break
        acknowledgements.append(acknowledgement)
    results = await asyncio.gather(*acknowledgements, return_exceptions=True)
    errors += [result for result in results if isinstance(result, BaseException)]
    if errors:
        raise errors[0]


async def _discard(producer: AIOKafkaProducer) -> None:
    """Stop after what is on the wire. Its own `stop` waits for all that is queued, for ever if the broker is down."""
    producer._closed = True
    await producer._sender.close()
    await producer.client.close()


def _check(code: int) -> None:
    error = for_code(code)
    if error is not NoError:
        raise error
