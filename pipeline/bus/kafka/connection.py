"""One aiokafka consumer in our own types, and what its group assigns to it."""

import asyncio
import struct
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from itertools import chain
from typing import Any, Final

import aiokafka.client
import aiokafka.conn
import aiokafka.errors
from aiokafka import AIOKafkaConsumer
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

from pipeline.bus.base import Received, TopicPartition, TopicRefusedError
from pipeline.bus.kafka import wire
from pipeline.bus.kafka.assignment import divide
from pipeline.bus.kafka.consumer import Rebalances
from pipeline.bus.kafka.errors import advice
from pipeline.bus.kafka.fetching import FetchSession
from pipeline.bus.kafka.options import JOIN_SECONDS
from pipeline.bus.kafka.sharing import BatchReader

# aiokafka asks about topics so that a broker makes those it does not know, with its own defaults, and has no option
# against it: a deleted topic would be back at once, and would not keep records of years ago.
aiokafka.client.MetadataRequest = partial(aiokafka.client.MetadataRequest, allow_auto_topic_creation=False)


class ThrottlingQuotaExceededError(aiokafka.errors.BrokerResponseError):  # type: ignore[misc]
    """More changes to topics than the cluster allows at a time."""

    errno = 89
    message = "THROTTLING_QUOTA_EXCEEDED"
    description = "The quota of this user is used up for the moment."
    retriable = True


class HungUpError(aiokafka.errors.KafkaConnectionError):  # type: ignore[misc]
    """A connection that was made and closed before anything was answered."""


wire.install()

# As `InvalidRecordError`, it is unknown to aiokafka.
aiokafka.errors.kafka_errors[ThrottlingQuotaExceededError.errno] = ThrottlingQuotaExceededError


class _Connection(aiokafka.conn.AIOKafkaConnection):  # type: ignore[misc]
    """aiokafka waits for every answer equally long. That to a join comes when the last member of the group has joined,
    and a broker that leaves any other unanswered for so long should have been given up before.

    It fetches without a session, too."""

    _request_timeout: float

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._fetches = FetchSession()

    def send(self, request: Any, expect_response: bool = True) -> Any:
        if isinstance(request, FetchRequest):
            return self._fetches.heard(super().send(self._fetches.within(request), expect_response))
        usual = self._request_timeout
        if isinstance(request, (JoinGroupRequest, SyncGroupRequest)):
            self._request_timeout = max(usual, JOIN_SECONDS)
        try:
            return super().send(request, expect_response)
        finally:
            self._request_timeout = usual

    def __del__(self) -> None:
        """Close it without a word: aiokafka leaves the first connection of a start that was given up to this, and logs
        that as an error."""
        if self.connected() and not self._loop.is_closed():
            self._on_close_cb = None
            self.close()


aiokafka.conn.AIOKafkaConnection = _Connection

TOPICS_A_MS: Final = 4
MAX_WAIT_MS: Final = 1000
"""For records; a broker may take several times as long for any answer."""
HEAR_SECONDS: Final = 0.05
"""How long a commit has to hear that the connection is closed; it would try again for ever."""


class KafkaConnection:
    """Implements the ports `ConsumerConnection` and `ClaimsConnection`."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        listener: aiokafka.ConsumerRebalanceListener | None,
        reader: BatchReader | None = None,
    ) -> None:
        """`reader` is what the consumer was given to share what it fetches; None if no others are to wait for it."""
        self._consumer = consumer
        self._listener = listener
        self._reader = reader
        if reader is not None:
            reader.join(self._stands)
        self._committing: asyncio.Task[None] | None = None

    @property
    def assigned(self) -> frozenset[TopicPartition] | None:
        """What the group has given it for the topics it is subscribed to now; None until it has."""
        assignment = self._assignment
        return None if assignment is None else frozenset(TopicPartition(*partition) for partition in assignment.tps)

    @property
    def _assignment(self) -> Any:
        """aiokafka's, of which `state_value` is None for other partitions; None while there is none."""
        subscription = self._consumer._subscription.subscription
        return None if subscription is None else subscription.assignment

    def subscribe(self, topics: Collection[str]) -> None:
        self._consumer.subscribe(list(topics), listener=self._listener)
        self._wait_for_records(len(topics))

    def _wait_for_records(self, topics: int) -> None:
        """Wait the longer, the more there is to be looked through after each wait that has brought none."""
        wait = self._consumer._fetch_max_wait_ms
        self._consumer._fetcher._fetch_max_wait_ms = min(wait + topics // TOPICS_A_MS, MAX_WAIT_MS)

    def rest(self) -> None:
        """Read nothing, and keep what is known of topics: a client that is unsubscribed asks about all that exist."""
        self._consumer._subscription.assign_from_user([])

    def assign(self, partitions: Collection[TopicPartition], besides: Collection[str] = ()) -> None:
        """Read these partitions. The client learns where they are, and the topics `besides`, which are to be read
        next: one after another, each would have to be asked for."""
        self._consumer._subscription.assign_from_user([aiokafka.TopicPartition(*where) for where in partitions])
        self._consumer._client.set_topics({*besides, *(partition.topic for partition in partitions)})
        self._wait_for_records(len(partitions))

    def seek(self, positions: Mapping[TopicPartition, int]) -> None:
        for partition, position in positions.items():
            self._consumer.seek(aiokafka.TopicPartition(*partition), position)

    async def position(self, partition: TopicPartition) -> int:
        return int(await self._consumer.position(aiokafka.TopicPartition(*partition)))

    def positions(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where it stands in those of the partitions that are assigned to it, unless it is about to find that out."""
        assignment = self._assignment
        if assignment is None:
            return {}
        tps, state_of = assignment.tps, assignment.state_value
        states = [(partition, state_of(partition)) for partition in partitions if partition in tps]
        return {partition: state.position for partition, state in states if state.has_valid_position}

    def _stands(self, partition: TopicPartition) -> int | None:
        """The offset of what it reads next, if it reads the partition."""
        assignment = self._assignment
        state = None if assignment is None else assignment.state_value(partition)
        return None if state is None or state.paused or not state.has_valid_position else int(state.position)

    def pause(self, topic: str) -> None:
        self._consumer.pause(*(p for p in self._consumer.assignment() if p.topic == topic))

    def resume(self, topic: str) -> None:
        self._consumer.resume(*(p for p in self._consumer.assignment() if p.topic == topic))

    async def fetch(self, max_records: int, seconds: float) -> list[Received]:
        if self._reader is not None:
            await self._reader.wait_for_others()
            fetched = self._consumer._fetcher._records
            for partition in self._reader.first(fetched):
                fetched.move_to_end(partition, last=False)
        try:
            batch = await self._consumer.getmany(timeout_ms=seconds * 1000, max_records=max_records)
        except aiokafka.ConsumerStoppedError:
            return []
        except aiokafka.errors.TopicAuthorizationFailedError as error:
            match error.args:
                case (str() as topic,):
                    raise TopicRefusedError(topic, f"cannot read {topic}: {advice(error, 'READ')}") from error
            raise
        return list(chain.from_iterable(batch.values()))

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        offsets = {aiokafka.TopicPartition(*p): offset for p, offset in positions.items()}
        # Not cancelled with the caller: aiokafka goes on with its request then, and nothing waits for its result.
        self._committing = asyncio.create_task(self._consumer.commit(offsets))
        await asyncio.shield(self._committing)

    async def stop(self) -> None:
        if self._reader is not None:
            self._reader.close()
        await self._stop()
        self._consumer._fetcher._records.clear()  # megabytes, and aiokafka's parts refer to each other in circles
        if self._committing is not None:
            await asyncio.wait([self._committing], timeout=HEAR_SECONDS)
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)

    async def _stop(self) -> None:
        stopping = asyncio.create_task(self._consumer.stop())
        await asyncio.wait([stopping])
        if stopping.cancelled() or isinstance(stopping.exception(), aiokafka.errors.KafkaError):
            # A fetch that was about to be retried ends `stop` half-way, with a cancellation that no one requested; one
            # that a rebalance overtook, with an error of its own.
            for fetching in self._consumer._fetcher._pending_tasks:
                fetching.cancel()
            await self._consumer._client.close()
        else:
            stopping.result()


class Gate(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Holds a rebalance up until the consumer is ready for it."""

    def __init__(self, rebalances: Rebalances) -> None:
        self._rebalances = rebalances

    async def on_partitions_revoked(self, _revoked: Collection[Any]) -> None:
        await self._rebalances.gate.wait()

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self._rebalances.assigned = [TopicPartition(*partition) for partition in assigned]


class Paused(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Keeps a consumer from fetching anything of what it is assigned."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    def on_partitions_revoked(self, _revoked: Collection[Any]) -> None:
        """Its rebalances need not wait for anything."""

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self._consumer.pause(*assigned)


class Assignor:
    """Divides topics among the members of a group: by their partition 0, or `whole`, with all their partitions.

    As Kafka's own sticky assignors do, it has each member say in its user data what it holds. Those of aiokafka know
    partitions instead of topics; its sticky one is shared by all consumers of a process besides.
    """

    _VERSION: Final = 0

    def __init__(self, *, whole: bool = False) -> None:
        self.name: Final = "fintrends-whole-topics" if whole else "fintrends-topics"
        self._whole = whole
        self._held: frozenset[str] = frozenset()

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(self._VERSION, list(topics), " ".join(sorted(self._held)).encode())

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        shares = divide(
            {member: data.subscription for member, data in members.items()},
            {member: data.user_data.decode().split() for member, data in members.items()},
        )
        return {
            member: ConsumerProtocolMemberAssignment(
                self._VERSION, [(topic, self._partitions(cluster, topic)) for topic in sorted(share)], b""
            )
            for member, share in shares.items()
        }

    def _partitions(self, cluster: ClusterMetadata, topic: str) -> list[int]:
        return sorted(cluster.partitions_for_topic(topic) or ()) if self._whole else [0]

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        self._held = frozenset(topic for topic, _ in assignment.assignment)


def assigned_partitions(assignment: bytes) -> frozenset[TopicPartition]:
    """From a member's assignment as a group's description has it; empty while it has none, and where another
    application writes something of its own there."""
    if not assignment:
        return frozenset()
    try:
        decoded = ConsumerProtocolMemberAssignment.decode(assignment)
        return frozenset(TopicPartition(*partition) for partition in decoded.partitions())
    except (ValueError, TypeError, IndexError, struct.error):  # ValueError: no UTF-8, or cut short
        return frozenset()
