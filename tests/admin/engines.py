"""Embedded engines with something on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.bus.base import TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import records_of
from pipeline.model.documents import document_of
from pipeline.model.messages import AnyMessage, Bar
from pipeline.store.embedded.store import EmbeddedStore

TS = datetime(2026, 3, 4, 14, 31, tzinfo=UTC)
NOW = TS + timedelta(hours=1)


def bar(minute: int, ticker: str = "AAPL") -> Bar:
    values = {"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0, "volume": 1.0}
    return Bar(ticker=ticker, ts=TS + timedelta(minutes=minute), interval="1min", **values)


def partition(topic: str) -> TopicPartition:
    return TopicPartition(topic, 0)


@asynccontextmanager
async def engines(directory: Path) -> AsyncIterator[tuple[EmbeddedBus, EmbeddedStore]]:
    bus, store = EmbeddedBus(directory / "bus.sqlite"), EmbeddedStore(directory / "store.sqlite")
    await bus.open()
    await store.open()
    yield bus, store
    await bus.close()
    await store.close()


async def put(bus: EmbeddedBus, store: EmbeddedStore, *messages: AnyMessage) -> None:
    """Publish and store them."""
    await bus.publish(records_of(messages))
    for message in messages:
        document = document_of(message)
        await store.upsert(document.collection, [document])
