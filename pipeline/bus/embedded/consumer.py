"""A consumer of the embedded bus."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from pipeline.bus.base import AssignmentListener, BusError, Received, TopicPartition
from pipeline.bus.embedded import tables
from pipeline.bus.embedded.blocks import PARTITION
from pipeline.bus.embedded.offsets import KnownOffsets
from pipeline.bus.embedded.reader import BlockReader
from pipeline.storage.sqlite import Database


class EmbeddedConsumer:
    """Implements the port `Consumer`. `reader` and `known` are the bus's, kept up to date by it."""

    skipped = 0  # what a group has yet to read is retained

    def __init__(
        self,
        leave: Callable[[], object],
        database: Database,
        reader: BlockReader,
        known: KnownOffsets,
        group: str | None,
        topics: Collection[str],
        listener: AssignmentListener | None,
    ) -> None:
        self.group = group
        self._leave = leave
        self._database = database
        self._reader = reader
        self._known = known
        self._ends = known.ends
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
        return frozenset(TopicPartition(topic, PARTITION) for topic in self._positions)

    @property
    def reached(self) -> dict[TopicPartition, int]:
        return {TopicPartition(topic, PARTITION): self._positions[topic] for topic in self._moved}

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
        group, own = self.group, dict(positions)
        await self._database.write(partial(tables.commit, group, own), lambda _: self._known.commit(group, own))
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
            self._leave()

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
        starts = self._starts
        if self.group is not None:
            starts = await self._known.committed(self.group, added)
        positions = {topic: max(self._known.firsts.get(topic, 0), starts.get(topic, 0)) for topic in added}
        if self._listener is not None:
            await self._listener.on_assigned({TopicPartition(topic, PARTITION): at for topic, at in positions.items()})
        self._positions.update(positions)
        self._behind.update(dict.fromkeys(positions))

    async def _revoke(self, topics: Collection[str]) -> None:
        if topics and self._listener is not None:
            await self._listener.on_revoked([TopicPartition(topic, PARTITION) for topic in topics])
        for topic in topics:
            del self._positions[topic]
            self._behind.pop(topic, None)
            self._moved.discard(topic)

    async def _fetch(self, max_records: int) -> list[Received]:
        """What there is, from the topics that were served the longest ago."""
        while ranges := self._next_ranges(max_records):
            batch: list[Received] = []
            for wanted, found in await self._reader.read(ranges):
                batch += found
                topic = wanted.topic
                # Where nothing is found, what was there has been swept away.
                self._positions[topic] = position = found[-1].offset + 1 if found else wanted.stop
                if self.group is not None:
                    self._moved.add(topic)
                self._behind.pop(topic, None)  # so that it goes to the end of the queue
                if position < self._ends.get(topic, 0):
                    self._behind[topic] = None
            if batch:
                return batch
        return []

    def _next_ranges(self, max_records: int) -> list[tables.Range]:
        for topic in [topic for topic in self._behind if self._positions.get(topic, -1) >= self._ends.get(topic, 0)]:
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
