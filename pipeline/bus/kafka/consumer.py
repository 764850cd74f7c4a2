"""The consumer of the Kafka bus: when to rebalance, at which offset to continue, and how to distinguish a silent broker
from an unreachable one."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, Protocol

from pipeline.bus.base import AssignmentListener, BusError, Received, TopicPartition, TopicRefusedError
from pipeline.bus.kafka.positions import NOWHERE, Move, jump, move

log = logging.getLogger(__name__)

SILENCE_SECONDS: Final = 1.0
"""How long a consumer takes silence for the absence of records before it asks whether anybody is there."""
SLICE_SECONDS: Final = 0.2
"""How long it waits for records before it looks whether a rebalance has brought new partitions."""
AGAIN_SECONDS: Final = 30.0
"""After this long a topic that refused is tried again: access may have been granted meanwhile."""


class Rebalances:
    """What the client's task and `poll` exchange: whether a rebalance may begin, and what the last one assigned."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.assigned: Collection[TopicPartition] | None = None


class ConsumerConnection(Protocol):
    """A connected client that consumes."""

    @property
    def assigned(self) -> frozenset[TopicPartition] | None: ...

    def subscribe(self, topics: Collection[str]) -> None: ...

    def assign(self, partitions: Collection[TopicPartition]) -> None: ...

    def seek(self, positions: Mapping[TopicPartition, int]) -> None: ...

    def positions(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...

    def pause(self, topic: str) -> None: ...

    def resume(self, topic: str) -> None: ...

    async def fetch(self, max_records: int, seconds: float) -> list[Received]: ...

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None: ...

    async def stop(self) -> None: ...


class ConsumerCluster(Protocol):
    """What a consumer asks of its bus. Everything raises `BusError`."""

    def bounded(self, doing: str) -> AbstractAsyncContextManager[None]: ...

    async def explained(self, error: BusError, group: str | None) -> BusError: ...

    async def connect(self, group: str | None, rebalances: Rebalances, *, whole_topics: bool) -> ConsumerConnection: ...

    async def create_topics(self, topics: Collection[str]) -> dict[str, str]: ...

    async def topics(self) -> set[str]: ...

    def forget(self) -> None: ...

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]: ...

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]: ...


class KafkaConsumer:
    """A member of a group, or a reader of everything new.

    The client rebalances in a task of its own, between any two lines of its user. Here a rebalance waits until the
    caller is back in `poll`, so that the consumer that received a batch can commit it, and `poll` itself reports the
    assignment to the listener. After an error the connection is closed, and the next `poll` opens a new one.
    """

    def __init__(
        self,
        cluster: ConsumerCluster,
        group: str | None,
        topics: Collection[str],
        listener: AssignmentListener | None,
        *,
        whole_topics: bool = False,
    ) -> None:
        self._cluster = cluster
        self._group = group
        self._whole_topics = whole_topics
        self._wanted = frozenset(topics)
        self._allowed: frozenset[str] | None = None  # of those wanted; None while that is to be asked
        self._subscribed: frozenset[str] = frozenset()
        self._refused: dict[str, float] = {}  # topics that may not be read, and when to try again
        self._listener = listener
        self._connection: ConsumerConnection | None = None
        self._rebalances = Rebalances()
        self._held: dict[TopicPartition, int] = {}
        self._moved: set[TopicPartition] = set()  # since the last commit
        self._committed: set[TopicPartition] = set()
        self._heard = 0.0
        self._closed = False
        self.skipped = 0

    @property
    def assigned(self) -> frozenset[TopicPartition] | None:
        if self._connection is None or self._subscribed != self._allowed:
            return None
        held = frozenset(self._held)
        if held != self._connection.assigned:
            return None  # a rebalance's result is yet to be taken up
        return frozenset(where for where in held if where.topic not in self._refused)

    @property
    def reached(self) -> dict[TopicPartition, int]:
        return {where: self._held[where] for where in self._moved}

    async def subscribe(self, topics: Collection[str]) -> None:
        self._wanted = frozenset(topics)
        self._allowed = None
        if self._group is None and self._connection is not None:
            connection = await self._ready()  # now, for what is published from now on is to be read
            if self._rebalances.assigned is not None:
                await self._settle(connection, self._rebalances.assigned)

    async def poll(self, max_records: int, timeout: float) -> list[Received]:  # noqa: ASYNC109
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            while not self._closed:
                connection = await self._ready()
                records = await self._fetch(connection, max_records, deadline)
                if connection is not self._connection:
                    break  # closed meanwhile
                if self._rebalances.assigned is not None:
                    await self._settle(connection, self._rebalances.assigned)
                    continue
                if records:
                    await self._advance(connection, records)
                    self._heard = loop.time()
                    return records
                if loop.time() - self._heard > SILENCE_SECONDS:
                    await self._cluster.topics()
                    self._heard = loop.time()
                elif loop.time() >= deadline:
                    # Once before it returns: there may be thousands of partitions to look at.
                    await self._advance(connection, records)
                    break
        except BusError as error:
            await self._leave()
            raise await self._cluster.explained(error, self._group) from error.__cause__
        if self._closed:
            await self._leave()  # it may have been connecting when it was closed
        return []

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        if self._group is None or not positions:
            return
        try:
            if self._connection is None:
                raise BusError("cannot commit: the consumer has left its group; the records will be read again")
            async with self._cluster.bounded("commit to"):
                await self._connection.commit(positions)
            self._committed.update(positions)
            self._moved -= {where for where, position in positions.items() if self._held.get(where) == position}
        except BusError:
            self._held.update({partition: NOWHERE for partition in positions if partition in self._held})
            self._moved.difference_update(positions)
            await self._leave()
            raise

    async def close(self) -> None:
        self._closed = True
        await self._leave()
        held, self._held = self._held, {}
        self._moved.clear()
        if self._listener is not None and held:
            await self._listener.on_revoked(held)

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        self._rebalances.gate.set()  # or a rebalance that waits for the next `poll` would hold it up
        if connection is not None:
            await connection.stop()

    async def _ready(self) -> ConsumerConnection:
        """The connection, subscribed to what is wanted."""
        if self._connection is None:
            self._rebalances = Rebalances()
            self._subscribed = frozenset()
            self._refused.clear()
            self._connection = await self._cluster.connect(
                self._group, self._rebalances, whole_topics=self._whole_topics
            )
            self._heard = asyncio.get_running_loop().time()
        self._allowed = await self._may_use(self._wanted)
        if self._subscribed != self._allowed:
            if self._group is None:
                partitions = (await self._cluster.offsets(self._allowed)).keys()
                self._connection.assign(partitions)
                self._rebalances.assigned = partitions
            else:
                self._connection.subscribe(self._allowed)
                self._rebalances.assigned = None  # for what was subscribed to before; another assignment follows
            self._subscribed = self._allowed
        self._try_again(self._connection)
        return self._connection

    async def _may_use(self, topics: frozenset[str]) -> frozenset[str]:
        """Those of the topics that exist; a deleted one is created again."""
        refused = await self._cluster.create_topics(topics)
        allowed = topics - refused.keys()
        if topics and not allowed:
            topic, reason = min(refused.items())
            raise BusError(f"none of its topics can be used; {topic}: {reason}")
        return allowed

    def _put_off(self, connection: ConsumerConnection, refusal: TopicRefusedError) -> None:
        """Read the other topics for a while."""
        log.warning("%s; it is tried again every %.0f s, and the other topics are read", refusal, AGAIN_SECONDS)
        self._refused[refusal.topic] = asyncio.get_running_loop().time() + AGAIN_SECONDS
        connection.pause(refusal.topic)

    def _try_again(self, connection: ConsumerConnection) -> None:
        """Read again those topics that were put off for long enough."""
        now = asyncio.get_running_loop().time()
        for topic in [topic for topic, at in self._refused.items() if at <= now]:
            del self._refused[topic]
            connection.resume(topic)

    async def _fetch(self, connection: ConsumerConnection, max_records: int, deadline: float) -> list[Received]:
        now = asyncio.get_running_loop().time()
        end = min(deadline, now + SLICE_SECONDS)
        self._rebalances.gate.set()
        try:
            async with self._cluster.bounded("read from"):
                # The client sits out a rebalance however long that takes. To cut it short loses nothing: it does not
                # wait between taking records from its buffer and returning them.
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(end):
                        return await connection.fetch(max_records, max(0.0, end - now))
            return []
        except TopicRefusedError as refusal:
            self._put_off(connection, refusal)
            return []
        finally:
            self._rebalances.gate.clear()

    async def _settle(self, connection: ConsumerConnection, partitions: Collection[TopicPartition]) -> None:
        """Take up the partitions at positions of our own reckoning, and notify the listener.

        aiokafka takes an error of the coordinator for the absence of a commit and would start at the beginning.
        """
        self._rebalances.assigned = None
        self._cluster.forget()  # the assignment may know partitions that are newer
        topics = {partition.topic for partition in partitions}
        committed = None if self._group is None else await self._cluster.committed(self._group, topics)
        if committed is not None:
            # With a topic its commits are deleted: where there is none any longer, the topic is another.
            self._held.update(dict.fromkeys(self._committed.intersection(self._held) - committed.keys(), NOWHERE))
            self._committed = set(committed)
        offsets = await self._cluster.offsets(topics)
        if unknown := {partition.topic for partition in partitions if partition not in offsets}:
            raise BusError(f"it is not known yet where {', '.join(sorted(unknown))} begins and ends")
        change = move(self._held, partitions, committed, offsets)
        async with self._cluster.bounded("read from"):
            connection.seek(change.positions)
        for topic in self._refused:
            connection.pause(topic)
        await self._take(change)

    async def _advance(self, connection: ConsumerConnection, records: Sequence[Received]) -> None:
        """Note how far the client has come: past these records, and past what is none."""
        begun: dict[tuple[str, int], int] = {}  # not by `source`: it is made for each record anew
        for record in records:
            begun.setdefault((record.topic, record.partition), record.offset)
        firsts = {TopicPartition(*where): offset for where, offset in begun.items()}
        reached = connection.positions(firsts or self._held)
        moved = {where: position for where, position in reached.items() if position != self._held[where]}
        await self._look_for_jumps({where: firsts.get(where, position) for where, position in moved.items()})
        self._held.update(moved)
        if self._group is not None:
            self._moved.update(moved)

    async def _look_for_jumps(self, firsts: Mapping[TopicPartition, int]) -> None:
        """Notify the listener of partitions that do not continue where they were."""
        jumped = {where: first for where, first in firsts.items() if first != self._held[where]}
        if jumped:
            offsets = await self._cluster.offsets({where.topic for where in jumped})
            begins = {where: begin for where, (begin, _) in offsets.items()}
            await self._take(jump(self._held, jumped, begins))

    async def _take(self, change: Move) -> None:
        """Make the change, and say what it is."""
        self._held = change.positions
        self._moved -= change.revoked
        if self._group is not None:
            self._say(change)
        if self._listener is not None and change.revoked:
            await self._listener.on_revoked(change.revoked)
        if self._listener is not None and change.assigned:
            await self._listener.on_assigned(change.assigned)

    def _say(self, change: Move) -> None:
        for where, count in change.skipped.items():
            self.skipped += count
            log.warning(
                "%s: %d records of %s, partition %d, were deleted before they were read; reading goes on at offset %d",
                self._group,
                count,
                where.topic,
                where.partition,
                change.positions[where],
            )
        for where in change.anew:
            log.warning(
                "%s: %s, partition %d, was created again; it is read from the beginning",
                self._group,
                where.topic,
                where.partition,
            )
