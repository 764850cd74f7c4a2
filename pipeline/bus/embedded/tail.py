"""The newest records of the embedded bus, held in memory."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from pipeline.bus.base import Received

_LIMIT: Final = 4 * 1024 * 1024
_OVERHEAD: Final = 800
"""Bytes of a record beside its value, about: our headers and keys are small."""


class Tail:
    """As many of the newest records as fit into `limit` bytes: consumers that keep up read them here, and not from the
    file.

    A record that every consumer has to read from the file costs a fifth of what the whole pipeline does for a bar, and
    with a thousand topics, of which each has a few, a third.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._records: OrderedDict[tuple[str, int], Received] = OrderedDict()

    def append(self, records: Sequence[Received]) -> None:
        """Take in records, of each topic the next after those before; the oldest of all go."""
        for record in records:
            self._records[record.topic, record.offset] = record
            self._size += _size_of(record)
        while self._size > self._limit:
            _, oldest = self._records.popitem(last=False)
            self._size -= _size_of(oldest)

    def clear(self) -> None:
        """Forget all, for some of it has been deleted."""
        self._records.clear()
        self._size = 0

    def read(self, topic: str, start: int, stop: int) -> list[Received]:
        """The topic's records with start ≤ offset < stop; none if the first of them is here no longer."""
        found = []
        for offset in range(start, stop):
            record = self._records.get((topic, offset))
            if record is None:
                break
            found.append(record)
        return found


def _size_of(record: Received) -> int:
    return len(record.value) + _OVERHEAD
