"""One consumer of aiokafka's in our own types, and what it is told of its group."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final

import aiokafka.client
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from pipeline.bus.base import Received, TopicPartition
from pipeline.bus.kafka_consumer import Rebalances
from pipeline.bus.kafka_division import divide
from pipeline.bus.kafka_shapes import received

# aiokafka asks about topics so that a broker makes those it does not know, with its own defaults, and has no option
# against it: a topic that somebody deletes would be back at once, and would not keep records of years ago.
aiokafka.client.MetadataRequest = partial(aiokafka.client.MetadataRequest, allow_auto_topic_creation=False)

HEAR_SECONDS: Final = 0.05
"""How long a commit has to hear that the connection is closed; it would try again for ever."""


class Connection:
    """Fills `kafka_consumer.Connection` and `kafka_claims.Connection`."""

    def __init__(self, consumer: AIOKafkaConsumer, listener: aiokafka.ConsumerRebalanceListener | None) -> None:
        self._consumer = consumer
        self._listener = listener
        self._committing: asyncio.Task[None] | None = None

    @property
    def assigned(self) -> frozenset[TopicPartition] | None:
        """What the group has given it for the topics it is subscribed to now; None until it has."""
        subscription = self._consumer._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return None
        return frozenset(TopicPartition(*partition) for partition in subscription.assignment.tps)

    def subscribe(self, topics: Collection[str]) -> None:
        self._consumer.subscribe(list(topics), listener=self._listener)

    def unsubscribe(self) -> None:
        self._consumer.unsubscribe()

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        self._consumer.assign([aiokafka.TopicPartition(*partition) for partition in partitions])

    def seek(self, positions: Mapping[TopicPartition, int]) -> None:
        for partition, position in positions.items():
            self._consumer.seek(aiokafka.TopicPartition(*partition), position)

    async def position(self, partition: TopicPartition) -> int:
        return int(await self._consumer.position(aiokafka.TopicPartition(*partition)))

    async def fetch(self, max_records: int, seconds: float) -> list[Received]:
        try:
            batch = await self._consumer.getmany(timeout_ms=seconds * 1000, max_records=max_records)
        except aiokafka.ConsumerStoppedError:
            return []
        return [received(record) for records in batch.values() for record in records]

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        offsets = {aiokafka.TopicPartition(*p): offset for p, offset in positions.items()}
        # Not cancelled with the caller: aiokafka goes on with its request then, and nobody hears how that ends.
        self._committing = asyncio.create_task(self._consumer.commit(offsets))
        await asyncio.shield(self._committing)

    async def stop(self) -> None:
        await self._stop()
        if self._committing is not None:
            await asyncio.wait([self._committing], timeout=HEAR_SECONDS)
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)

    async def _stop(self) -> None:
        stopping = asyncio.create_task(self._consumer.stop())
        await asyncio.wait([stopping])
        if stopping.cancelled():
            # A fetch that was about to be retried ends `stop` half-way, with a cancellation that is nobody's.
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
    """Divides topics, by their partition 0, among the members of a group.

    As Kafka's own sticky assignors do, it has each member say in its user data what it holds. Those of aiokafka know
    partitions instead of topics; its sticky one is shared by all consumers of a process besides.
    """

    name: Final = "fintrends-topics"
    _VERSION: Final = 0

    def __init__(self) -> None:
        self._held: frozenset[str] = frozenset()

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(self._VERSION, list(topics), " ".join(sorted(self._held)).encode())

    def assign(
        self, _cluster: object, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        shares = divide(
            {member: data.subscription for member, data in members.items()},
            {member: data.user_data.decode().split() for member, data in members.items()},
        )
        return {
            member: ConsumerProtocolMemberAssignment(self._VERSION, [(topic, [0]) for topic in sorted(share)], b"")
            for member, share in shares.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        self._held = frozenset(topic for topic, _ in assignment.assignment)


def assigned_partitions(assignment: bytes) -> frozenset[TopicPartition]:
    """From a member's assignment as a group's description has it; empty while it has none."""
    if not assignment:
        return frozenset()
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return frozenset(TopicPartition(*partition) for partition in decoded.partitions())
