"""Reading ranges of topics of the embedded bus, from memory and from the file."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from pipeline.bus.base import Received
from pipeline.bus.embedded import tables
from pipeline.bus.embedded.blocks import Block
from pipeline.bus.embedded.cache import BlockCache
from pipeline.bus.embedded.tables import Range
from pipeline.storage.sqlite import Database

_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of each of the two."""


class BlockReader:
    """Consumers that keep up are served the newest records from memory. Of those that are behind, the first reads a
    block from the file, and the others find it in memory too, if they come before others take its place.

    `remembers` must be false where another process writes: it may delete what is remembered here.
    """

    def __init__(self, database: Database, *, remembers: bool) -> None:
        self._database = database
        limit = _LIMIT if remembers else 0
        self._newest, self._older = BlockCache(limit), BlockCache(limit)
        self._forgotten = 0

    def remember(self, appended: Collection[Block]) -> None:
        for block in appended:
            self._newest.put(block)

    def forget(self) -> None:
        """Some of it has been deleted."""
        self._newest.clear()
        self._older.clear()
        self._forgotten += 1

    async def read(self, ranges: Sequence[Range]) -> list[tuple[Range, list[Received]]]:
        """Records of each range, the first it has, in order; all of them if there are none.

        Ranges of topics that do not exist are left out, and those for which there was no room: some megabytes are read
        at once.
        """
        found = []
        missing = []
        for wanted in ranges:
            stop = min(wanted.stop, wanted.start + wanted.limit)
            here = self._newest.read(wanted.topic, wanted.start, stop)
            if here or (here := self._older.read(wanted.topic, wanted.start, stop)):
                found.append((wanted, here))
            else:
                missing.append(wanted)
        if missing:
            forgotten = self._forgotten
            for wanted, blocks in await self._database.read(partial(tables.read, missing)):
                found.append((wanted, _within(wanted, blocks)))
                if forgotten == self._forgotten:  # else it may be what was deleted meanwhile
                    for block in blocks:
                        self._older.put(block)
        return found


def _within(wanted: Range, blocks: Collection[Block]) -> list[Received]:
    records: list[Received] = []
    for block in blocks:
        records += block.records[max(0, wanted.start - block.first) : wanted.stop - block.first]
    return records[: wanted.limit]
