"""Where topics begin and end, and how far groups are."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from pipeline.bus.base import TopicPartition
from pipeline.bus.embedded import tables
from pipeline.bus.embedded.unchanged import Unchanged
from pipeline.storage.sqlite import Database


class KnownOffsets:
    """Those of the process that writes the file: it knows them, and need not ask. The monitor wants all of them once a
    second, and who holds back for slow groups more often.

    Every change is entered once it is committed, in the order of the transactions. Whoever asks in a loop, until
    something is so, lets others go on meanwhile, as if the file were read.
    """

    def __init__(self) -> None:
        self.firsts: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self._committed: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def load(self, topics: Iterable[tuple[str, int, int]], commits: Iterable[tuple[str, str, int]]) -> None:
        for known in (self.firsts, self.ends, self._committed):
            known.clear()
        for topic, first, next_ in topics:
            self.firsts[topic], self.ends[topic] = first, next_
        for group, topic, next_ in commits:
            self._committed[group][topic] = next_

    def append(self, ends: Mapping[str, int]) -> None:
        """Topics that are new, or have more than before."""
        for topic, end in ends.items():
            self.firsts.setdefault(topic, 0)
            self.ends[topic] = end

    def sweep(self, topic: str, first: int) -> None:
        self.firsts[topic] = first

    def delete(self, topic: str) -> None:
        for known in (self.firsts, self.ends, *self._committed.values()):
            known.pop(topic, None)

    def commit(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        self._committed[group].update((at.topic, next_) for at, next_ in positions.items() if at.topic in self.ends)

    async def topics(self) -> set[str]:
        await asyncio.sleep(0)
        return set(self.ends)

    async def offsets(self, topics: Collection[str]) -> dict[str, tuple[int, int]]:
        await asyncio.sleep(0)
        return {topic: (self.firsts[topic], self.ends[topic]) for topic in topics if topic in self.ends}

    async def committed(self, group: str, topics: Collection[str]) -> dict[str, int]:
        await asyncio.sleep(0)
        known = self._committed.get(group, {})
        return {topic: known[topic] for topic in topics if topic in known}


class StoredOffsets:
    """Those of a file that another process writes."""

    def __init__(self, database: Database) -> None:
        self._unchanged = Unchanged(database)

    def forget(self) -> None:
        """To be called when the file is opened."""
        self._unchanged.forget()

    async def topics(self) -> set[str]:
        return {topic for topic, _, _ in await self._unchanged.read("topics", None, tables.topics)}

    async def offsets(self, topics: Collection[str]) -> dict[str, tuple[int, int]]:
        asked = frozenset(topics)

        def look(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
            return {topic: (first, next_) for topic, first, next_ in tables.topics(connection) if topic in asked}

        return await self._unchanged.read("offsets", asked, look)

    async def committed(self, group: str, topics: Collection[str]) -> dict[str, int]:
        asked = frozenset(topics)

        def look(connection: sqlite3.Connection) -> dict[str, int]:
            return dict(tables.committed(group, asked, connection))

        return await self._unchanged.read(f"committed by {group}", asked, look)
