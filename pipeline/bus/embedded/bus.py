"""The embedded bus: topics of one partition, offsets and consumer groups in one SQLite file."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from pipeline.bus.base import AssignmentListener, BusError, Member, Received, Record, Refusal, TopicPartition
from pipeline.bus.client import HOST, client_name
from pipeline.bus.embedded import tables
from pipeline.bus.embedded.blocks import PARTITION, Block
from pipeline.bus.embedded.claims import EmbeddedClaims
from pipeline.bus.embedded.consumer import EmbeddedConsumer
from pipeline.bus.embedded.offsets import KnownOffsets, StoredOffsets
from pipeline.bus.embedded.reader import BlockReader
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
    committed on their topic has read them. Those that are stored together are deleted together, with the last of them.
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
            migrations=tables.MIGRATIONS,
            synchronous="NORMAL",
            error=BusError,
            read_only=read_only,
        )
        self._known = KnownOffsets()
        self._stored = StoredOffsets(self._database)
        self._offsets = self._stored if read_only else self._known
        self._retention = retention
        self._clock = clock or SystemClock()
        self._read_only = read_only
        self.client = client_name()
        self._consumers: set[EmbeddedConsumer] = set()
        self._claims: dict[str, EmbeddedClaims] = {}
        self._reader = BlockReader(self._database, remembers=not read_only)
        self._sweeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the file and sweep it; BusError says why that cannot be done."""
        self._reader.forget()  # others may have written since
        self._stored.forget()
        await self._database.open()
        if self._read_only:
            return
        try:
            self._known.load(*await self._database.read(tables.offsets))
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
        await self._database.write(partial(tables.create_topics, tuple(topics)), self._announce)
        return {}

    async def topics(self) -> set[str]:
        return await self._offsets.topics()

    async def delete_topics(self, topics: Collection[str]) -> dict[str, str]:
        for topic in topics:
            while await self._database.write(partial(tables.delete_topic, topic), partial(self._deleted, topic)):
                pass
        self._reader.forget()
        for consumer in tuple(self._consumers):
            await consumer.forget(topics)
        return {}

    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        if records:
            await self._database.write(partial(tables.insert, tuple(records), self._now()), self._appended)
        return []

    def consumer(
        self,
        group: str | None,
        topics: Collection[str],
        listener: AssignmentListener | None = None,
        *,
        whole_topics: bool = False,  # noqa: ARG002 - they have one partition
    ) -> EmbeddedConsumer:
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
        consumer = EmbeddedConsumer(
            lambda: self._consumers.discard(consumer),
            self._database,
            self._reader,
            self._known,
            group,
            topics,
            listener,
        )
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
            Member(self.client, HOST, frozenset(TopicPartition(topic, PARTITION) for topic in topics))
            for topics in (*claimed, *read)
        ]

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        found = await self._offsets.committed(group, topics)
        return {TopicPartition(topic, PARTITION): next_ for topic, next_ in found.items()}

    async def reset(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        if any(consumer.group == group for consumer in self._consumers):
            raise BusError(f"the group {group!r} has a member; its offsets can be reset while it has none")
        own = dict(positions)
        await self._database.write(partial(tables.commit, group, own), lambda _: self._known.commit(group, own))

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        found = await self._offsets.offsets(topics)
        return {TopicPartition(topic, PARTITION): span for topic, span in found.items()}

    async def offsets_at(self, topics: Collection[str], ts: int) -> dict[TopicPartition, int]:
        found = await self._database.read(partial(tables.offsets_at, tuple(topics), ts))
        return {TopicPartition(topic, PARTITION): offset for topic, offset in found}

    async def retention(self, topics: Collection[str]) -> dict[str, Retention]:
        kept = Retention(ms=self._retention // timedelta(milliseconds=1))
        return dict.fromkeys(await self.topics() & set(topics), kept)

    async def read(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[list[Received]]:
        topic = partition.topic
        while start < stop:
            batch: list[Received] = []
            for _, batch in await self._reader.read([tables.Range(topic, start, stop, tables.BATCH)]):  # noqa: B007
                pass
            if not batch:
                return
            yield batch
            start = batch[-1].offset + 1

    async def sweep(self) -> int:
        """Delete what need not be retained any longer, in steps between which others can write; return how many."""
        before = self._now() - self._retention // timedelta(milliseconds=1)
        deleted = 0
        for topic in await self.topics():
            while step := await self._database.write(partial(tables.sweep, topic, before), self._swept):
                deleted += step.records
        if deleted:
            self._reader.forget()
        return deleted

    async def merge(self) -> None:
        """Make what came in small blocks larger ones, which take less disk; in steps, as above."""
        for topic in await self.topics():
            while await self._database.write(partial(tables.merge, topic)):
                pass

    async def _keep_sweeping(self) -> None:
        while True:
            await self._clock.sleep(_SWEEP_PERIOD)
            try:
                await self.sweep()
                await self.merge()
            except BusError as error:  # what cannot be done now can be later
                log.warning("old records are neither deleted nor packed: %s", error)

    def _appended(self, blocks: Collection[Block]) -> None:
        self._reader.remember(blocks)
        self._announce({block.topic: block.stop for block in blocks})

    def _deleted(self, topic: str, more: bool) -> None:
        if not more:
            self._known.delete(topic)

    def _swept(self, step: tables.Swept | None) -> None:
        if step is not None:
            self._known.sweep(step.topic, step.first)

    def _announce(self, ends: Mapping[str, int]) -> None:
        """Notify the consumers."""
        self._known.append(ends)
        for consumer in self._consumers:
            consumer.wake(ends.keys())

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)
