"""Batches of records as a Kafka broker keeps them."""

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

_LIMIT = 1 << 20


def batch(first: int, count: int, text: str = "text", *, last: int | None = None) -> bytes:
    """Records from offset `first` on; `last` is the batch's, where records after these are compacted away."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, _LIMIT)
    for number in range(count):
        builder.append(number, 1000 + number, b"K", f"{text} {first + number}".encode(), [("schema", b"bar/1")])
    data = builder.build()
    if last is not None:
        data[23:27] = (last - first).to_bytes(4)
        data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4)
    data[:8] = first.to_bytes(8)  # not part of the checksum
    return bytes(data)
