"""What the contract tests publish, store and wait for."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from pipeline.bus.base import AssignmentListener, Bus, Consumer, Received, Record, TopicPartition
from pipeline.model.documents import Document

PATIENCE = 30.0
"""Seconds that something may take before it counts as never happening."""


def record(topic: str, value: str, key: str = "AAPL", ts: int = 1_700_000_000_000) -> Record:
    return Record(topic, key, value.encode(), ts)


def numbered(topic: str, count: int, key: str = "AAPL", start: int = 0) -> list[Record]:
    return [record(topic, str(i), key) for i in range(start, start + count)]


def values(records: Iterable[Record]) -> list[str]:
    return [r.value.decode() for r in records]


def content(record: Record) -> tuple[str, str, bytes, int, dict[str, bytes]]:
    return record.topic, record.key, record.value, record.ts, dict(record.headers)


def next_offsets(records: Iterable[Received]) -> dict[TopicPartition, int]:
    positions: defaultdict[TopicPartition, int] = defaultdict(int)
    for received in records:
        positions[received.source] = max(positions[received.source], received.offset + 1)
    return dict(positions)


@asynccontextmanager
async def consuming(
    bus: Bus, group: str | None, topics: Collection[str], listener: AssignmentListener | None = None
) -> AsyncIterator[Consumer]:
    consumer = bus.consumer(group, topics, listener)
    try:
        yield consumer
    finally:
        await consumer.close()


async def take(consumer: Consumer, count: int) -> list[Received]:
    """The next `count` records and whatever came with the last of them."""
    received: list[Received] = []
    async with asyncio.timeout(PATIENCE):
        while len(received) < count:
            received += await consumer.poll(500, 1.0)
    return received


class Listener:
    """Notes what it is told. `assigned` is set from the first assignment on."""

    def __init__(self) -> None:
        self.starts: dict[TopicPartition, int] = {}
        self.revoked: list[TopicPartition] = []
        self.assigned = asyncio.Event()

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        await asyncio.sleep(0)  # the consumer must wait for its listener, however it spends its time
        self.starts.update(partitions)
        self.assigned.set()

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        await asyncio.sleep(0)
        self.revoked += partitions


def document(
    key: str,
    version: str = "1",
    minute: int = 0,
    *,
    collection: str = "stock_data",
    ticker: str | None = "AAPL",
    interval: str | None = None,
    **body: Any,
) -> Document:
    """A document of 2024-01-02, `minute` minutes after 14:30 UTC."""
    return Document(collection, key, version, at(minute), body, ticker, interval)


def at(minute: int) -> datetime:
    return datetime.fromtimestamp(datetime(2024, 1, 2, 14, 30, tzinfo=UTC).timestamp() + 60 * minute, UTC)


def keys(documents: Iterable[dict[str, Any]]) -> list[str]:
    return [d["_id"] for d in documents]
