"""Blocks of the embedded bus that are held in memory."""

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict, defaultdict

from pipeline.bus.base import Received
from pipeline.bus.embedded.blocks import Block


class BlockCache:
    """As many blocks as fit into `limit` bytes; those put there the longest ago go."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._blocks: OrderedDict[tuple[str, int], Block] = OrderedDict()
        self._firsts: defaultdict[str, list[int]] = defaultdict(list)
        """Of each topic in ascending order."""

    def put(self, block: Block) -> None:
        """Take in a block, in place of one that begins at the same offset."""
        where = block.topic, block.first
        if where in self._blocks:
            self._drop(self._blocks.pop(where))
        self._blocks[where] = block
        insort(self._firsts[block.topic], block.first)
        self._size += block.size
        while self._size > self._limit:
            _, oldest = self._blocks.popitem(last=False)
            self._drop(oldest)

    def _drop(self, block: Block) -> None:
        self._size -= block.size
        firsts = self._firsts[block.topic]
        del firsts[bisect_left(firsts, block.first)]
        if not firsts:
            del self._firsts[block.topic]

    def clear(self) -> None:
        self._blocks.clear()
        self._firsts.clear()
        self._size = 0

    def read(self, topic: str, start: int, stop: int) -> list[Received]:
        """The topic's records with start ≤ offset < stop, up to the first that is not here."""
        found: list[Received] = []
        firsts = self._firsts.get(topic, ())
        at = bisect_right(firsts, start) - 1
        while 0 <= at < len(firsts) and start < stop:
            _, first, records, _ = self._blocks[topic, firsts[at]]
            if not first <= start < first + len(records):
                break
            found += records[start - first : stop - first]
            start = first + len(records)
            at += 1
        return found
