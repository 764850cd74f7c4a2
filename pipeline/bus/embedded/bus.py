"""The embedded bus: topics of one partition, offsets and consumer groups in one SQLite file."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from pipeline.bus.base import AssignmentListener, BusError, Member, Received, Record, Refusal, TopicPartition
from pipeline.bus.client import HOST, client_name
from pipeline.bus.embedded import tables
from pipeline.bus.embedded.claims import EmbeddedClaims
from pipeline.bus.embedded.tail import Tail
from pipeline.bus.embedded.unchanged import Unchanged
from pipeline.clock import Clock, SystemClock
from pipeline.contract.retention import Retention
from pipeline.storage.sqlite import Database

log = logging.getLogger(__name__)

_SWEEP_PERIOD: Final = 3600.0
"""Seconds between two sweeps."""


class EmbeddedBus:
    """Implements the port `Bus` for one process; others may open the file `read_only` for look-ups.

    What is acknowledged survives the end of the process, however it ends. A power cut may lose the last moments
    (synchronous NORMAL); see `EmbeddedStore` for why this order is right.

    Records are kept for `retention` from when they were appended, and beyond it until every group that has ever
    committed on their topic has read them.
    """

    description = "embedded"

    def __init__(
        self,
        path: Path,
        *,
        retention: timedelta = timedelta(days=7),
        clock: Clock | None = None,
        read_only: bool = False,
    ) -> None:
        self._database = Database(
            path,
            schema=tables.SCHEMA,
            version=tables.VERSION,
            synchronous="NORMAL",
            error=BusError,
            read_only=read_only,
        )
        self._unchanged = Unchanged(self._database)
        self._retention = retention
        self._clock = clock or SystemClock()
        self._read_only = read_only
        self.client = client_name()
        self._consumers: set[EmbeddedConsumer] = set()
        self._claims: dict[str, EmbeddedClaims] = {}
        self._ends: dict[str, int] = {}
        self._tail = Tail()
        self._sweeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the file and sweep it; BusError says why that cannot be done."""
        self._tail.clear()  # others may have written since
        self._unchanged.forget()
        await self._database.open()
        if self._read_only:
            return
        try:
            self._ends.update((topic, next_) for topic, _, next_ in await self._database.read(tables.topics))
            await self.sweep()
        except BaseException:
            await self.close()
            raise
        self._sweeper = asyncio.create_task(self._keep_sweeping())

    async def close(self) -> None:
        """Close the consumers too."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
            self._sweeper = None
        for consumer in tuple(self._consumers):
            await consumer.close()
        await self._database.close()

    async def create_topics(self, topics: Collection[str]) -> dict[str, str]:
        await self._announced(self._database.write(partial(tables.create_topics, tuple(topics))))
        return {}

    async def topics(self) -> set[str]:
        return {topic for topic, _, _ in await self._unchanged.read("topics", None, tables.topics)}

    async def delete_topics(self, topics: Collection[str]) -> dict[str, str]:
        for topic in topics:
            while await self._database.write(partial(tables.delete_topic, topic)):
                pass
            self._ends.pop(topic, None)
        self._tail.clear()
        for consumer in tuple(self._consumers):
            await consumer.forget(topics)
        return {}

    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        if records:
            await self._announced(self._insert(tuple(records)))
        return []

    def consumer(
        self,
        group: str | None,
        topics: Collection[str],
        listener: AssignmentListener | None = None,
        *,
        whole_topics: bool = False,  # noqa: ARG002 - they have one partition
    ) -> "EmbeddedConsumer":
        """As in the port; but a group has one member at a time.

        Raises:
            BusError: if the group has one already, or the bus is open for reading only.
        """
        if self._read_only:
            raise BusError("the bus is open for reading only; consumers belong to the pipeline")
        if group is not None and any(consumer.group == group for consumer in self._consumers):
            raise BusError(
                f"the group {group!r} has a consumer already, and the embedded bus allows one; close it first"
            )
        consumer = EmbeddedConsumer(self, self._database, self._tail, self._ends, group, topics, listener)
        self._consumers.add(consumer)
        return consumer

    def claims(self, group: str) -> EmbeddedClaims:
        """As in the port; one at a time in each group, as with consumers.

        Raises:
            BusError: if the group has a member already, or the bus is open for reading only.
        """
        if self._read_only:
            raise BusError("the bus is open for reading only; claims belong to the pipeline")
        if group in self._claims:
            raise BusError(f"the group {group!r} has a member already, and the embedded bus allows one; close it first")
        self._claims[group] = claims = EmbeddedClaims(lambda: self._claims.pop(group))
        return claims

    async def members(self, group: str) -> list[Member]:
        claimed = [c.held for name, c in self._claims.items() if name == group]
        read = [c.positions.keys() for c in self._consumers if c.group == group]
        return [
            Member(self.client, HOST, frozenset(TopicPartition(topic, tables.PARTITION) for topic in topics))
            for topics in (*claimed, *read)
        ]

    def leave(self, consumer: "EmbeddedConsumer") -> None:
        """Called by a consumer that is closed."""
        self._consumers.discard(consumer)

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        asked = frozenset(topics)

        def look(connection: sqlite3.Connection) -> dict[TopicPartition, int]:
            found = tables.committed(group, asked, connection)
            return {TopicPartition(topic, tables.PARTITION): next_ for topic, next_ in found}

        return dict(await self._unchanged.read(f"committed by {group}", asked, look))

    async def reset(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        if any(consumer.group == group for consumer in self._consumers):
            raise BusError(f"the group {group!r} has a member; its offsets can be reset while it has none")
        await self._database.write(partial(tables.commit, group, dict(positions)))

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        asked = frozenset(topics)

        def look(connection: sqlite3.Connection) -> dict[TopicPartition, tuple[int, int]]:
            found = tables.topics(connection)
            return {
                TopicPartition(topic, tables.PARTITION): (first, next_)
                for topic, first, next_ in found
                if topic in asked
            }

        return dict(await self._unchanged.read("offsets", asked, look))

    async def offsets_at(self, topics: Collection[str], ts: int) -> dict[TopicPartition, int]:
        found = await self._database.read(partial(tables.offsets_at, tuple(topics), ts))
        return {TopicPartition(topic, tables.PARTITION): offset for topic, offset in found}

    async def retention(self, topics: Collection[str]) -> dict[str, Retention]:
        kept = Retention(ms=self._retention // timedelta(milliseconds=1))
        return dict.fromkeys(await self.topics() & set(topics), kept)

    async def read(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[list[Received]]:
        topic = partition.topic
        while start < stop:
            batch, positions = await self._database.read(
                partial(tables.read, [tables.Range(topic, start, stop, tables.BATCH)])
            )
            if not batch:
                return
            yield batch
            start = positions[topic]

    async def sweep(self) -> int:
        """Delete what need not be retained any longer, in steps between which others can write; return how many."""
        before = self._now() - self._retention // timedelta(milliseconds=1)
        deleted = 0
        for topic in await self.topics():
            while step := await self._database.write(partial(tables.sweep, topic, before)):
                deleted += step
        if deleted:
            self._tail.clear()
        return deleted

    async def _keep_sweeping(self) -> None:
        while True:
            await self._clock.sleep(_SWEEP_PERIOD)
            try:
                await self.sweep()
            except BusError as error:  # what cannot be deleted now can be later
                log.warning("old records are not deleted: %s", error)

    async def _insert(self, records: Sequence[Record]) -> dict[str, int]:
        inserted = await self._database.write(partial(tables.insert, records, self._now()))
        self._tail.append(inserted)
        return {record.topic: record.offset + 1 for record in inserted}

    async def _announced(self, written: Coroutine[Any, Any, dict[str, int]]) -> None:
        """Write, and notify the consumers of the topics whose ends that returns."""
        # Shielded, for what is written must be announced to the consumers even if the writer is cancelled meanwhile.
        await asyncio.shield(self._announce(written))

    async def _announce(self, written: Coroutine[Any, Any, dict[str, int]]) -> None:
        ends = await written
        for topic, end in ends.items():
            self._ends[topic] = max(end, self._ends.get(topic, 0))
        for consumer in self._consumers:
            consumer.wake(ends.keys())

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


class EmbeddedConsumer:
    """Implements the port `Consumer`. `tail` and `ends` are the bus's, kept up to date by it."""

    skipped = 0  # what a group has yet to read is retained

    def __init__(
        self,
        bus: EmbeddedBus,
        database: Database,
        tail: Tail,
        ends: Mapping[str, int],
        group: str | None,
        topics: Collection[str],
        listener: AssignmentListener | None,
    ) -> None:
        self.group = group
        self._bus = bus
        self._database = database
        self._tail = tail
        self._ends = ends
        self._listener = listener
        self._subscribed: frozenset[str] = frozenset()
        self._outdated = False
        self._starts: dict[str, int] = {}
        self._positions: dict[str, int] = {}
        self._moved: set[str] = set()  # since the last commit
        # Topics that may have something to read, those served the longest ago first: there may be thousands, of which
        # a few have.
        self._behind: dict[str, None] = {}
        self._closed = False
        self._woken = asyncio.Event()
        self._busy = asyncio.Lock()
        self._subscribe(topics)

    @property
    def positions(self) -> Mapping[str, int]:
        """The next offset to be read in each topic it works on."""
        return self._positions

    @property
    def assigned(self) -> frozenset[TopicPartition] | None:
        if self._positions.keys() != self._subscribed & self._ends.keys():
            return None
        return frozenset(TopicPartition(topic, tables.PARTITION) for topic in self._positions)

    @property
    def reached(self) -> dict[TopicPartition, int]:
        return {TopicPartition(topic, tables.PARTITION): self._positions[topic] for topic in self._moved}

    async def subscribe(self, topics: Collection[str]) -> None:
        self._subscribe(topics)

    def _subscribe(self, topics: Collection[str]) -> None:
        """The listener hears of it at the next `poll`, or at once through one that waits."""
        added = set(topics) - self._subscribed
        self._subscribed = frozenset(topics)
        # Noted here and not when first polled, so that nothing published from now on is missed.
        self._starts = {topic: end for topic, end in self._starts.items() if topic in self._subscribed}
        self._starts.update((topic, self._ends[topic]) for topic in added if topic in self._ends)
        # Also what it works on: of a topic that was left out and is back, nobody has kept whether it was behind.
        self._behind = {topic: None for topic in (*self._behind, *self._positions) if topic in self._subscribed}
        self._outdated = True
        self._woken.set()

    async def poll(self, max_records: int, timeout: float) -> list[Received]:  # noqa: ASYNC109 - as in the port
        """As in the port; BusError also when the consumer is closed, meanwhile or before."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            self._woken.clear()
            async with self._busy:
                if self._closed:
                    raise BusError("the consumer is closed")
                await self._reassign()
                if batch := await self._fetch(max_records):
                    return batch
            try:
                async with asyncio.timeout_at(deadline):
                    await self._woken.wait()
            except TimeoutError:
                return []

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        if self.group is None:
            raise BusError("a consumer without a group cannot commit")
        if self._closed:
            raise BusError("the consumer is closed")
        await self._database.write(partial(tables.commit, self.group, dict(positions)))
        self._moved -= {where.topic for where, at in positions.items() if self._positions.get(where.topic) == at}

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._woken.set()
        try:
            async with self._busy:
                await self._revoke(list(self._positions))
        finally:
            self._bus.leave(self)

    async def forget(self, topics: Collection[str]) -> None:
        """Work no longer on these topics, which are deleted; on those that are created again, from their beginning."""
        async with self._busy:
            await self._revoke([topic for topic in topics if topic in self._positions])
            for topic in topics:
                self._starts.pop(topic, None)
                self._behind.pop(topic, None)
            self._outdated = True

    def wake(self, topics: Collection[str]) -> None:
        """Look again, for there is something new in these topics."""
        if news := [topic for topic in topics if topic in self._subscribed]:
            self._behind.update(dict.fromkeys(news))
            self._woken.set()

    async def _reassign(self) -> None:
        """Make the assignment that of the subscription."""
        if not self._outdated and self._behind.keys() <= self._positions.keys():
            return
        subscribed = self._subscribed
        await self._revoke([topic for topic in self._positions if topic not in subscribed])
        added = [topic for topic in subscribed if topic in self._ends and topic not in self._positions]
        if added:
            await self._assign(added)
        self._outdated = self._subscribed is not subscribed

    async def _assign(self, added: Sequence[str]) -> None:
        firsts = {topic: first for topic, first, _ in await self._database.read(tables.topics)}
        starts = self._starts
        if self.group is not None:
            starts = dict(await self._database.read(partial(tables.committed, self.group, added)))
        positions = {topic: max(firsts[topic], starts.get(topic, 0)) for topic in added}
        if self._listener is not None:
            await self._listener.on_assigned(
                {TopicPartition(topic, tables.PARTITION): at for topic, at in positions.items()}
            )
        self._positions.update(positions)
        self._behind.update(dict.fromkeys(positions))

    async def _revoke(self, topics: Collection[str]) -> None:
        if topics and self._listener is not None:
            await self._listener.on_revoked([TopicPartition(topic, tables.PARTITION) for topic in topics])
        for topic in topics:
            del self._positions[topic]
            self._behind.pop(topic, None)
            self._moved.discard(topic)

    async def _fetch(self, max_records: int) -> list[Received]:
        """What there is, from the topics that were served the longest ago."""
        while ranges := self._next_ranges(max_records):
            batch: list[Received] = []
            positions: dict[str, int] = {}
            older = []
            for wanted in ranges:
                if found := self._tail.read(wanted.topic, wanted.start, min(wanted.stop, wanted.start + wanted.limit)):
                    batch += found
                    positions[wanted.topic] = found[-1].offset + 1
                else:
                    older.append(wanted)
            if older:
                found, found_positions = await self._database.read(partial(tables.read, older))
                batch += found
                positions |= found_positions
            for topic, position in positions.items():
                self._positions[topic] = position
                if self.group is not None:
                    self._moved.add(topic)
                self._behind.pop(topic, None)  # so that it goes to the end of the queue
                if position < self._ends[topic]:
                    self._behind[topic] = None
            if batch:
                return batch
        return []

    def _next_ranges(self, max_records: int) -> list[tables.Range]:
        for topic in [topic for topic in self._behind if self._positions.get(topic, -1) >= self._ends[topic]]:
            del self._behind[topic]
        wanted: dict[str, int] = {}
        room = max_records
        for topic in self._behind:
            if room <= 0:
                break
            if topic in self._positions:
                wanted[topic] = self._ends[topic] - self._positions[topic]
                # Of each a tenth of the batch if it has as much, then it is the others' turn: a record of each of
                # hundreds of topics costs many times as much, here and for whoever works on them.
                room -= min(wanted[topic], max(1, max_records // 10))
        shares = _shares(wanted, max_records)
        return [tables.Range(topic, self._positions[topic], self._ends[topic], shares[topic]) for topic in wanted]


def _shares(wanted: Mapping[str, int], total: int) -> dict[str, int]:
    """`total` divided among those who want some: equally, but what one does not need is the others'."""
    shares = {}
    ascending = sorted(wanted.items(), key=lambda item: item[1])
    for served, (topic, wish) in enumerate(ascending):
        shares[topic] = min(wish, total // (len(ascending) - served))
        total -= shares[topic]
    return shares
