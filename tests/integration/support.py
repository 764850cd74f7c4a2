"""What the integration tests share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from pipeline.bus.base import Consumer, Received, Record, TopicPartition
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.bus.kafka.consumer import KafkaConsumer
from pipeline.config.settings import KafkaSettings

PATIENCE = 40.0
"""Seconds after which a condition is taken for one that never comes true."""
SESSION_SECONDS = 4.0


@asynccontextmanager
async def opened(bootstrap: str, *, partitions: int = 1, timeout: float = 5.0) -> AsyncIterator[KafkaBus]:  # noqa: ASYNC109
    """A bus; fails if it leaves a task behind."""
    before = asyncio.all_tasks()
    settings = KafkaSettings(bootstrap_servers=bootstrap, partitions=partitions, session_timeout=SESSION_SECONDS)
    bus = KafkaBus(settings, timeout=timeout)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()
    assert asyncio.all_tasks() <= before


@asynccontextmanager
async def consuming(bus: KafkaBus, group: str, topic: str) -> AsyncIterator[KafkaConsumer]:
    """A consumer of one topic that is closed whatever happens, so that one test's failure stays its own."""
    consumer = bus.consumer(group, [topic])
    try:
        yield consumer
    finally:
        await consumer.close()


def records(topic: str, count: int, *, start: int = 0) -> list[Record]:
    """Numbered records under eight keys."""
    return [Record(topic, f"K{n % 8}", str(n).encode(), 1_500_000_000_000 + n) for n in range(start, start + count)]


def numbers(received: Collection[Received]) -> list[int]:
    return [int(record.value) for record in received]


def following(received: Collection[Received]) -> dict[TopicPartition, int]:
    """What to commit for these."""
    positions: dict[TopicPartition, int] = {}
    for record in received:
        positions[record.source] = record.offset + 1
    return positions


async def drain(consumer: Consumer, count: int) -> list[Received]:
    """Poll and commit until `count` records have come."""
    found: list[Received] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            batch = await consumer.poll(100, 0.2)
            await consumer.commit(following(batch))
            found += batch
    return found


async def until(condition: Callable[[], bool], step: Callable[[], Awaitable[object]]) -> None:
    """Repeat the step until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await step()


class Assignments:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.held: dict[TopicPartition, int] = {}
        self.calls: list[tuple[str, set[TopicPartition]]] = []

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        self.calls.append(("assigned", set(partitions)))
        self.held.update(partitions)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        self.calls.append(("revoked", set(partitions)))
        for partition in partitions:
            del self.held[partition]
