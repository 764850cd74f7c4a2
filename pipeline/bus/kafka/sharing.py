"""What the consumers of a process read of the same partitions: a batch is unpacked once, by whoever comes to it first,
and not at all if this process has published it."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from pipeline.bus.base import Received, Record, TopicPartition
from pipeline.bus.kafka.codec import received

_LIMIT: Final = 8 * 1024 * 1024
_OVERHEAD: Final = 800
"""Bytes of a record beside its value, about: our headers and keys are small."""
_PATIENCE: Final = 1.0
_FIRST: Final = 8
"""Batches for a reader that are looked at when it asks which partitions to read first."""
_FAIR: Final = 16
"""Of so many times that it asks which to read first, it is once told what has waited for the longest time."""

_Key = tuple[Any, ...]
"""Of a batch, see `_key`; begins with topic and partition."""


class SharedBatches:
    """The records of those batches that some readers have yet to read, at most `limit` bytes; the oldest go.

    So that they are still there, nobody reads on who is half of that ahead of others: for `patience` seconds at a time.
    Who has not come after by then is late; for those nothing is kept, and nobody waits, until they read again.
    """

    def __init__(self, limit: int = _LIMIT, patience: float = _PATIENCE) -> None:
        self._limit = limit
        self._patience = patience
        self._size = 0
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._readers: list[BatchReader] = []
        self._dropped = asyncio.Event()
        self.own: set[str] = set()
        """Topics that this process publishes to."""

    def join(self, reader: "BatchReader") -> None:
        self._readers.append(reader)

    def leave(self, reader: "BatchReader") -> None:
        self._readers.remove(reader)
        for key in list(reader.unread):
            self._strike(key, self._kept[key], reader)

    def records(self, topic: str, partition: int, batch: Any, reader: "BatchReader") -> Sequence[Received]:
        """Those of the batch, whose checksum has been verified."""
        key = _key(topic, partition, batch, batch.base_offset)
        reader.late = False
        kept = self._kept.get(key)
        if kept is None:
            for passed in reader.passed(topic, partition, batch.base_offset):
                self._strike(passed, self._kept[passed], reader)
            records = [received(topic, partition, record) for record in batch]
            if records:
                self._keep(key, records, self._before(records[0].source, records[0].offset, reader), reader)
            return records
        if key in reader.unread:
            kept.add(key, reader)
            self._strike(key, kept, reader)
        return kept.records

    def published(self, records: Sequence[Record], where: TopicPartition, offset: int, batch: Any) -> None:
        """Take in what this process has published as a batch, which begins at that offset now."""
        key = _key(*where, batch, offset)
        if offset < 0 or key in self._kept:
            return  # the broker does not say where a batch is that was sent twice; or somebody was quick to read it
        if left := self._before(where, offset):
            found = [
                Received(r.topic, r.key, r.value, r.ts, r.headers, where.partition, at, decoded=r.decoded)
                for at, r in enumerate(records, offset)
            ]
            self._keep(key, found, left)

    def _before(self, where: TopicPartition, offset: int, reader: "BatchReader | None" = None) -> "list[BatchReader]":
        """Those but this one that will come to the record."""
        return [other for other in self._readers if other is not reader and other.is_before(where, offset)]

    def _keep(
        self, key: _Key, records: Sequence[Received], left: "list[BatchReader]", reader: "BatchReader | None" = None
    ) -> None:
        """Keep the batch, which the reader has read, for those who are left, if there are any."""
        size = sum(len(record.value) for record in records) + _OVERHEAD * len(records)
        if not left or size > self._limit:
            return
        kept = self._kept[key] = _Kept(records, size, left)
        self._size += size
        for other in left:
            other.unread[key] = None
        if reader is not None:
            kept.add(key, reader)
        while self._size > self._limit:
            self._drop(next(iter(self._kept)))

    def _strike(self, key: _Key, kept: "_Kept", reader: "BatchReader") -> None:
        """The reader is not to read the batch any longer."""
        del reader.unread[key]
        kept.left.remove(reader)
        if not kept.left:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        kept = self._kept.pop(key)
        self._size -= kept.size
        for reader in kept.done:
            del reader.read[key]
            reader.ahead -= kept.size
        for reader in kept.left:
            del reader.unread[key]
        self._dropped.set()

    async def wait_for_others(self, reader: "BatchReader") -> None:
        """Wait while the reader is far ahead of others. May be cancelled and called again."""
        now = asyncio.get_running_loop().time
        while reader.ahead > self._limit // 2:
            if reader.waits_since is None:
                reader.waits_since = now()
            left = reader.waits_since + self._patience - now()
            if left <= 0:
                for key in list(reader.read):
                    for other in self._kept[key].left:
                        other.late = True
                    self._drop(key)
                break
            self._dropped.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._dropped.wait()
        reader.waits_since = None


class _Kept:
    """A batch: who has read it, and who has yet to."""

    __slots__ = ("done", "left", "records", "size")

    def __init__(self, records: Sequence[Received], size: int, left: "list[BatchReader]") -> None:
        self.records = records
        self.size = size
        self.left = left
        self.done: list[BatchReader] = []

    def add(self, key: _Key, reader: "BatchReader") -> None:
        """The reader has read it, others have not."""
        self.done.append(reader)
        reader.read[key] = None
        reader.ahead += self.size


class BatchReader:
    """A consumer that shares what it reads.

    aiokafka is given it as the deserializer of keys, which takes it to where batches are unpacked.
    """

    def __init__(self, batches: SharedBatches) -> None:
        self._batches = batches
        self._stands: Callable[[TopicPartition], int | None] | None = None
        self._asked = 0
        self.unread: dict[_Key, None] = {}
        """What is kept for it, the oldest first."""
        self.read: dict[_Key, None] = {}
        """What it has read, and is kept for others."""
        self.ahead = 0
        """Bytes of that."""
        self.waits_since: float | None = None
        """By the loop's clock."""
        self.late = False

    def __call__(self, key: bytes | None) -> bytes | None:
        return key

    def join(self, stands: Callable[[TopicPartition], int | None]) -> None:
        """Be one for whom batches are kept; `stands` says which record of a partition it reads next, None if it does
        not read that."""
        self._stands = stands
        self._batches.join(self)

    def close(self) -> None:
        if self._stands is not None:
            self._stands = None
            self._batches.leave(self)

    def is_before(self, where: TopicPartition, offset: int) -> bool:
        """Whether it will come to the record, and before long."""
        at = None if self._stands is None or self.late else self._stands(where)
        return at is not None and at <= offset

    def records(self, topic: str, partition: int, batch: Any) -> Sequence[Received]:
        return self._batches.records(topic, partition, batch, self)

    async def wait_for_others(self) -> None:
        await self._batches.wait_for_others(self)

    def passed(self, topic: str, partition: int, offset: int) -> list[_Key]:
        """What is kept for it and it will not come to, now that it is at that offset: what it was not given, or not as
        it was published."""
        return [key for key in islice(self.unread, _FIRST) if key[:2] == (topic, partition) and key[2] < offset]

    def first[P: tuple[str, int]](self, fetched: Mapping[P, Any]) -> list[P]:
        """Those of the partitions that are to be read before others, the last first: what this process publishes, for
        what that was made from is still in memory, and before that what is kept for it. Now and then it is the one that
        was fetched the longest ago, lest it wait for ever."""
        self._asked += 1
        if self._asked % _FAIR == 0:
            return [min(fetched, key=lambda where: fetched[where]._created)] if fetched else []
        kept = {key[:2] for key in islice(self.unread, _FIRST)}
        own = self._batches.own
        first = [where for where in fetched if where in kept], [where for where in fetched if where[0] in own]
        return [*reversed(first[0]), *reversed(first[1])]


def _key(topic: str, partition: int, batch: Any, offset: int) -> _Key:
    """What is no more than the checksum says may be equal in two batches; with its producer, times and offset it is
    not."""
    return (
        *(topic, partition, offset, batch.next_offset - batch.base_offset, batch.crc),
        *(batch.producer_id, batch.base_sequence, batch.first_timestamp, batch.max_timestamp),
    )
