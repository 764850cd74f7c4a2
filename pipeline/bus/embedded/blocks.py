"""Blocks of records: what the embedded bus writes, reads and keeps in memory at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched, count, repeat
from typing import Final, NamedTuple

import cramjam
import msgspec

from pipeline.bus.base import BusError, Received, Record

PARTITION: Final = 0
"""The only partition of every topic."""

MAX_RECORDS: Final = 100
"""Of a block. Larger ones take hardly less disk, and who wants a part of one has to unpack it all."""
MAX_BYTES: Final = 128 * 1024
"""Of the values in a block, but for one that holds a single record."""

_SMALL_RECORDS: Final = 10
_SMALL_BYTES: Final = 8 * 1024
_COMPRESSED_FROM: Final = 1024
"""Bytes from which compression pays: what is written less, to the log and then to the file, costs more than it."""
_LEVEL: Final = 1
"""Of Zstandard. zlib takes three times as long for a tenth more bytes, LZ4 three quarters for twice as many."""
_OVERHEAD: Final = 800
"""Bytes of a record in memory beside its value, about: our headers and keys are small."""

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""What a frame of Zstandard begins with, and nothing that is packed."""

_Packed = tuple[list[str], list[int], list[dict[str, bytes]], list[bytes]]
"""Keys, times, headers and values: what is alike stands together."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_PACKED: Final = msgspec.msgpack.Decoder(_Packed)
_HEADERS: Final = msgspec.msgpack.Decoder(dict[str, bytes])


class Block(NamedTuple):
    """Records of a topic that follow on each other. `size` is what they take in memory, in bytes."""

    topic: str
    first: int
    records: Sequence[Received]
    size: int

    @property
    def stop(self) -> int:
        return self.first + len(self.records)


class StoredBlock(NamedTuple):
    """A block as it is stored: its one record in columns of its own, or its several `records` packed into `value`."""

    ts: int
    key: str
    headers: bytes
    value: bytes
    records: int

    @property
    def is_small(self) -> bool:
        """Whether it is worth being made one with those beside it."""
        return self.records <= _SMALL_RECORDS and len(self.value) <= _SMALL_BYTES


def split(records: Iterable[Record]) -> Iterator[tuple[Record, ...]]:
    """The records of one topic, as many at a time as a block may hold."""
    for part in batched(records, MAX_RECORDS):
        if sum(len(record.value) for record in part) <= MAX_BYTES:
            yield part
        else:
            yield from _split_by_size(part)


def _split_by_size(records: Sequence[Record]) -> Iterator[tuple[Record, ...]]:
    part: list[Record] = []
    size = 0
    for record in records:
        if part and size + len(record.value) > MAX_BYTES:
            yield tuple(part)
            part, size = [], 0
        part.append(record)
        size += len(record.value)
    yield tuple(part)


def block_of(topic: str, first: int, records: Sequence[Record]) -> tuple[Block, StoredBlock]:
    """The records as a block that begins at that offset, and as it is stored."""
    if len(records) == 1:
        return _block_of_one(topic, first, records[0])
    keys = [record.key for record in records]
    times = [record.ts for record in records]
    headers = [_plain(record.headers) for record in records]
    values = [record.value for record in records]
    packed = _compressed(_ENCODER.encode((keys, times, headers, values)))
    block = _block(topic, first, keys, times, headers, values)
    for received, record in zip(block.records, records, strict=True):
        received.decoded.message = record.decoded.message
    return block, StoredBlock(max(times), "", b"", packed, len(records))


def _block_of_one(topic: str, first: int, record: Record) -> tuple[Block, StoredBlock]:
    """The same in half the time: of what is live, most comes one by one."""
    key, value, ts, headers = record.key, record.value, record.ts, _plain(record.headers)
    received = Received(topic, key, value, ts, headers, PARTITION, first, decoded=record.decoded)
    block = Block(topic, first, (received,), len(value) + _OVERHEAD)
    return block, StoredBlock(ts, key, _ENCODER.encode(headers), value, 1)


def read_block(topic: str, first: int, row: StoredBlock) -> Block:
    """The block that is stored there.

    Raises:
        BusError: if it is damaged.
    """
    try:
        if row.records == 1:
            headers = _HEADERS.decode(row.headers)
            return _block(topic, first, [row.key], [row.ts], [headers], [row.value])
        packed = cramjam.zstd.decompress(row.value) if row.value.startswith(_MAGIC) else row.value
        return _block(topic, first, *_PACKED.decode(packed))
    except (msgspec.MsgspecError, cramjam.DecompressionError) as error:
        damage = f"the records of {topic} from offset {first} on are damaged in the file of the embedded bus"
        raise BusError(f"{damage}; move it away to start with an empty one", permanent=True) from error


def _block(
    topic: str,
    first: int,
    keys: Sequence[str],
    times: Sequence[int],
    headers: Sequence[dict[str, bytes]],
    values: Sequence[bytes],
) -> Block:
    records = list(map(Received, repeat(topic), keys, values, times, headers, repeat(PARTITION), count(first)))
    return Block(topic, first, records, sum(map(len, values)) + _OVERHEAD * len(values))


def _plain(headers: Mapping[str, bytes]) -> dict[str, bytes]:
    return headers if isinstance(headers, dict) else dict(headers)


def _compressed(packed: bytes) -> bytes:
    if len(packed) < _COMPRESSED_FROM:
        return packed
    return bytes(cramjam.zstd.compress(packed, _LEVEL))
