"""The consumer of the Kafka bus: when to rebalance, where to go on, and how to tell silence from absence."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, Protocol

from pipeline.bus.base import AssignmentListener, BusError, Received, TopicPartition
from pipeline.bus.kafka_positions import NOWHERE, Move, jump, move

log = logging.getLogger(__name__)

SILENCE_SECONDS: Final = 1.0
"""How long a consumer takes silence for the absence of records before it asks whether anybody is there."""
SLICE_SECONDS: Final = 0.2
"""How long it waits for records before it looks whether a rebalance has brought new partitions."""


class Rebalances:
    """What the client's task and `poll` tell each other: whether a rebalance may begin, and what the last brought."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.assigned: Collection[TopicPartition] | None = None


class Connection(Protocol):
    """A connected client that consumes."""

    @property
    def assigned(self) -> frozenset[TopicPartition] | None: ...

    def subscribe(self, topics: Collection[str]) -> None: ...

    def assign(self, partitions: Collection[TopicPartition]) -> None: ...

    def seek(self, positions: Mapping[TopicPartition, int]) -> None: ...

    async def fetch(self, max_records: int, seconds: float) -> list[Received]: ...

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None: ...

    async def stop(self) -> None: ...


class Cluster(Protocol):
    """What a consumer asks of its bus. Everything raises `BusError`."""

    def bounded(self, doing: str) -> AbstractAsyncContextManager[None]: ...

    async def connect(self, group: str | None, rebalances: Rebalances) -> Connection: ...

    async def create_topics(self, topics: Collection[str]) -> None: ...

    async def topics(self) -> set[str]: ...

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]: ...

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]: ...


class KafkaConsumer:
    """A member of a group, or a reader of everything new.

    The client rebalances in a task of its own, between any two lines of its user. Here a rebalance waits until the
    caller is back in `poll`, so that a batch can be committed by whoever was given it, and what it brought is told
    to the listener by `poll` itself. After an error the connection is given up, and the next `poll` makes a new one.
    """

    def __init__(
        self, cluster: Cluster, group: str | None, topics: Collection[str], listener: AssignmentListener | None
    ) -> None:
        self._cluster = cluster
        self._group = group
        self._wanted = frozenset(topics)
        self._subscribed: frozenset[str] = frozenset()
        self._listener = listener
        self._connection: Connection | None = None
        self._rebalances = Rebalances()
        self._held: dict[TopicPartition, int] = {}
        self._committed: set[TopicPartition] = set()
        self._heard = 0.0
        self._closed = False
        self.skipped = 0

    @property
    def assigned(self) -> frozenset[TopicPartition] | None:
        if self._connection is None or self._subscribed != self._wanted:
            return None
        held = frozenset(self._held)
        return held if held == self._connection.assigned else None  # a rebalance's result is yet to be taken up

    async def subscribe(self, topics: Collection[str]) -> None:
        self._wanted = frozenset(topics)
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
                elif records:
                    self._heard = loop.time()
                    await self._look_for_jumps(records)
                    self._held.update({record.source: record.offset + 1 for record in records})
                    return records
                elif loop.time() - self._heard > SILENCE_SECONDS:
                    await self._cluster.topics()
                    self._heard = loop.time()
                elif loop.time() >= deadline:
                    break
        except BusError:
            await self._leave()
            raise
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
        except BusError:
            self._held.update({partition: NOWHERE for partition in positions if partition in self._held})
            await self._leave()
            raise

    async def close(self) -> None:
        self._closed = True
        await self._leave()
        held, self._held = self._held, {}
        if self._listener is not None and held:
            await self._listener.on_revoked(held)

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        self._rebalances.gate.set()  # or a rebalance that waits for the next `poll` would hold it up
        if connection is not None:
            await connection.stop()

    async def _ready(self) -> Connection:
        """The connection, subscribed to what is wanted."""
        if self._connection is None:
            self._rebalances = Rebalances()
            self._subscribed = frozenset()
            self._connection = await self._cluster.connect(self._group, self._rebalances)
            self._heard = asyncio.get_running_loop().time()
        await self._cluster.create_topics(self._wanted)  # again, should somebody have deleted one
        if self._subscribed != self._wanted:
            if self._group is None:
                partitions = (await self._cluster.offsets(self._wanted)).keys()
                self._connection.assign(partitions)
                self._rebalances.assigned = partitions
            else:
                self._connection.subscribe(self._wanted)
            self._subscribed = self._wanted
        return self._connection

    async def _fetch(self, connection: Connection, max_records: int, deadline: float) -> list[Received]:
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
        finally:
            self._rebalances.gate.clear()

    async def _settle(self, connection: Connection, partitions: Collection[TopicPartition]) -> None:
        """Take up the partitions at positions of our own reckoning, and tell the listener.

        aiokafka takes an error of the coordinator for the absence of a commit and would start at the beginning.
        """
        self._rebalances.assigned = None
        topics = {partition.topic for partition in partitions}
        committed = None if self._group is None else await self._cluster.committed(self._group, topics)
        if committed is not None:
            # With a topic its commits are deleted: where there is none any longer, the topic is another.
            self._held.update(dict.fromkeys(self._committed.intersection(self._held) - committed.keys(), NOWHERE))
            self._committed = set(committed)
        change = move(self._held, partitions, committed, await self._cluster.offsets(topics))
        async with self._cluster.bounded("read from"):
            connection.seek(change.positions)
        await self._take(change)

    async def _look_for_jumps(self, records: Sequence[Received]) -> None:
        """Tell the listener of partitions that do not go on where they were."""
        firsts: dict[TopicPartition, int] = {}
        for record in records:
            firsts.setdefault(record.source, record.offset)
        jumped = {where: first for where, first in firsts.items() if first != self._held[where]}
        if jumped:
            offsets = await self._cluster.offsets({where.topic for where in jumped})
            await self._take(jump(self._held, jumped, {where: begin for where, (begin, _) in offsets.items()}))

    async def _take(self, change: Move) -> None:
        """Make the change, and say what it is."""
        self._held = change.positions
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
                "%s: %d records of %s, partition %d, were deleted before they were read; it goes on at offset %d",
                self._group,
                count,
                where.topic,
                where.partition,
                change.positions[where],
            )
        for where in change.anew:
            log.warning(
                "%s: %s, partition %d, was made anew; it is read from the beginning",
                self._group,
                where.topic,
                where.partition,
            )
