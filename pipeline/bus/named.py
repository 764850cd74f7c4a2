"""A shared bus: the names that the topics and groups of one namespace have there."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from pipeline.bus.base import (
    AssignmentListener,
    Bus,
    Claims,
    Consumer,
    Member,
    Received,
    Record,
    Refusal,
    TopicPartition,
)
from pipeline.contract.retention import Retention
from pipeline.contract.snapshot import NamesView
from pipeline.model.topics import PRODUCER_GROUP


@dataclass(frozen=True, slots=True)
class Names:
    """What topics and groups of a namespace are called on the bus.

    `owner` is the id of a store that no other pipeline writes to. It has consumer groups of its own, because a group
    divides the records among its members, and such a store must get all of them. Claims belong to producers, whose
    records are for all stores, so their group is shared.
    """

    namespace: str = ""
    owner: str = ""

    @property
    def prefix(self) -> str:
        return f"{self.namespace}-" if self.namespace else ""

    @property
    def suffix(self) -> str:
        """Of the groups that read."""
        return f"-{self.owner}" if self.owner else ""

    def topic(self, topic: str) -> str:
        return self.prefix + topic

    def group(self, group: str) -> str:
        return f"{self.prefix}{group}" + ("" if group == PRODUCER_GROUP else self.suffix)

    def inverse(self, name: str) -> str | None:
        """The topic of that name on the bus; None if that is not in this namespace.

        A name in a namespace below this one still has a prefix then. `split_topic` knows by it that this is not a topic
        of ours: our topics have a `_` before any `-`, and a namespace has none.
        """
        return name.removeprefix(self.prefix) if name.startswith(self.prefix) else None


class NamedBus:
    """Implements the port `Bus` by another bus. Those who use it know topics and groups as `pipeline.model.topics`
    does; errors and the log of the bus say what they are called there."""

    def __init__(self, bus: Bus, names: Names) -> None:
        self._bus = bus
        self.names = names

    @property
    def description(self) -> str:
        return self._bus.description

    @property
    def client(self) -> str:
        return self._bus.client

    async def open(self) -> None:
        await self._bus.open()

    async def close(self) -> None:
        await self._bus.close()

    async def create_topics(self, topics: Collection[str]) -> dict[str, str]:
        refused = await self._bus.create_topics(self._named(topics))
        return {name.removeprefix(self.names.prefix): reason for name, reason in refused.items()}

    async def topics(self) -> set[str]:
        return {topic for name in await self._bus.topics() if (topic := self.names.inverse(name)) is not None}

    async def delete_topics(self, topics: Collection[str]) -> dict[str, str]:
        refused = await self._bus.delete_topics(self._named(topics))
        return {name.removeprefix(self.names.prefix): reason for name, reason in refused.items()}

    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        if not self.names.prefix:
            return await self._bus.publish(records)
        named = [replace(record, topic=self.names.topic(record.topic)) for record in records]
        return [
            Refusal(replace(record, topic=record.topic.removeprefix(self.names.prefix)), reason)
            for record, reason in await self._bus.publish(named)
        ]

    def consumer(
        self,
        group: str | None,
        topics: Collection[str],
        listener: AssignmentListener | None = None,
        *,
        whole_topics: bool = False,
    ) -> Consumer:
        named = None if group is None else self.names.group(group)
        heard = None if listener is None else _NamedListener(listener, self.names)
        consumer = self._bus.consumer(named, self._named(topics), heard, whole_topics=whole_topics)
        return _NamedConsumer(consumer, self.names)

    def claims(self, group: str) -> Claims:
        return _NamedClaims(self._bus.claims(self.names.group(group)), self.names)

    async def members(self, group: str) -> list[Member] | None:
        members = await self._bus.members(self.names.group(group))
        if members is None:
            return None
        return [Member(m.client, m.host, frozenset(map(self._logical_or_foreign, m.partitions))) for m in members]

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        return _logical(await self._bus.committed(self.names.group(group), self._named(topics)), self.names)

    async def reset(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        named = {_physical(where, self.names): next_ for where, next_ in positions.items()}
        await self._bus.reset(self.names.group(group), named)

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        return _logical(await self._bus.offsets(self._named(topics)), self.names)

    async def offsets_at(self, topics: Collection[str], ts: int) -> dict[TopicPartition, int]:
        return _logical(await self._bus.offsets_at(self._named(topics), ts), self.names)

    async def retention(self, topics: Collection[str]) -> dict[str, Retention]:
        found = await self._bus.retention(self._named(topics))
        return {name.removeprefix(self.names.prefix): retention for name, retention in found.items()}

    async def read(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[list[Received]]:
        async for records in self._bus.read(_physical(partition, self.names), start, stop):
            yield _of_logical(records, self.names)

    def _named(self, topics: Collection[str]) -> list[str]:
        return [self.names.topic(topic) for topic in topics]

    def _logical_or_foreign(self, partition: TopicPartition) -> TopicPartition:
        """A foreign member may work on foreign topics, whose names are then reported unchanged."""
        topic = self.names.inverse(partition.topic)
        return TopicPartition(partition.topic if topic is None else topic, partition.partition)


def names_view(bus: Bus) -> NamesView:
    """What topics and groups are called on the bus."""
    if not isinstance(bus, NamedBus):
        return NamesView()
    return NamesView(topic_prefix=bus.names.prefix, group_suffix=bus.names.suffix)


class _NamedConsumer:
    def __init__(self, consumer: Consumer, names: Names) -> None:
        self._consumer = consumer
        self._names = names

    @property
    def assigned(self) -> frozenset[TopicPartition] | None:
        assigned = self._consumer.assigned
        return None if assigned is None else frozenset(_logical_one(where, self._names) for where in assigned)

    @property
    def skipped(self) -> int:
        return self._consumer.skipped

    @property
    def reached(self) -> dict[TopicPartition, int]:
        return _logical(self._consumer.reached, self._names)

    async def subscribe(self, topics: Collection[str]) -> None:
        await self._consumer.subscribe([self._names.topic(topic) for topic in topics])

    async def poll(self, max_records: int, timeout: float) -> list[Received]:  # noqa: ASYNC109 - as in the port
        return _of_logical(await self._consumer.poll(max_records, timeout), self._names)

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        await self._consumer.commit({_physical(where, self._names): next_ for where, next_ in positions.items()})

    async def close(self) -> None:
        await self._consumer.close()


class _NamedClaims:
    def __init__(self, claims: Claims, names: Names) -> None:
        self._claims = claims
        self._names = names

    async def claim(self, topics: Collection[str]) -> None:
        await self._claims.claim([self._names.topic(topic) for topic in topics])

    async def poll(self, timeout: float) -> frozenset[str] | None:  # noqa: ASYNC109 - as in the port
        held = await self._claims.poll(timeout)
        return None if held is None else frozenset(name.removeprefix(self._names.prefix) for name in held)

    async def close(self) -> None:
        await self._claims.close()


class _NamedListener:
    def __init__(self, listener: AssignmentListener, names: Names) -> None:
        self._listener = listener
        self._names = names

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        await self._listener.on_assigned(_logical(partitions, self._names))

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        await self._listener.on_revoked([_logical_one(where, self._names) for where in partitions])


def _physical(where: TopicPartition, names: Names) -> TopicPartition:
    return TopicPartition(names.topic(where.topic), where.partition)


def _logical_one(where: TopicPartition, names: Names) -> TopicPartition:
    """Of what was asked for by our names, so that it has the prefix."""
    return TopicPartition(where.topic.removeprefix(names.prefix), where.partition)


def _logical[T](by_partition: Mapping[TopicPartition, T], names: Names) -> dict[TopicPartition, T]:
    return {_logical_one(where, names): value for where, value in by_partition.items()}


def _of_logical(records: Sequence[Received], names: Names) -> list[Received]:
    if not names.prefix:
        return list(records)
    return [replace(record, topic=record.topic.removeprefix(names.prefix)) for record in records]
