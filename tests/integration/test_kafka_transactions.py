"""Records of transactions on a real broker: which count, and where a reader stands after them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from pipeline.bus.base import TopicPartition
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.bus.kafka.consumer import KafkaConsumer
from pipeline.bus.lag import read_lag
from tests.integration.support import PATIENCE, consuming, drain, numbers, opened, records, until


@pytest.fixture
def topic() -> str:
    return f"stock_data_{uuid4().hex}"


@asynccontextmanager
async def transactional(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """Somebody else's producer."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"other-{uuid4().hex}")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def write(producer: AIOKafkaProducer, topic: str, *values: int, commit: bool = True) -> None:
    await producer.begin_transaction()
    for value in values:
        await producer.send_and_wait(topic, str(value).encode(), key=b"K")
    await (producer.commit_transaction() if commit else producer.abort_transaction())


async def marked(bus: KafkaBus, topic: str, end: int) -> int:
    """Wait until the topic ends there: a transaction is over before its marks are written."""
    async with asyncio.timeout(PATIENCE):
        while (reached := (await bus.offsets([topic]))[TopicPartition(topic, 0)][1]) < end:
            pass
    return reached


async def caught_up(bus: KafkaBus, consumer: KafkaConsumer, group: str, topic: str) -> list[int]:
    """Read and commit until nothing is left; what was read."""
    found: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while await read_lag(bus, group, [topic]):
            found += numbers(await consumer.poll(100, 0.2))
            if consumer.reached:
                await consumer.commit(consumer.reached)
    return found


async def test_what_is_taken_back_is_no_data_and_marks_leave_no_lag(kafka_bootstrap: str, topic: str) -> None:
    async with opened(kafka_bootstrap) as bus, transactional(kafka_bootstrap) as producer:
        await bus.create_topics([topic])
        await write(producer, topic, 1, 2)
        await write(producer, topic, 3, commit=False)
        await marked(bus, topic, 5)
        async with consuming(bus, f"group-{topic}", topic) as consumer:
            assert await caught_up(bus, consumer, f"group-{topic}", topic) == [1, 2]
            await write(producer, topic, 4, 5, commit=False)  # now there are marks and nothing else
            await marked(bus, topic, 8)
            assert await caught_up(bus, consumer, f"group-{topic}", topic) == []
            await write(producer, topic, 6)
            await marked(bus, topic, 10)
            assert await caught_up(bus, consumer, f"group-{topic}", topic) == [6]
            assert consumer.skipped == 0
        async with consuming(bus, f"group-{topic}", topic) as again:
            assert await again.poll(100, 2) == []
            assert again.reached == {}


async def test_one_that_hangs_is_not_yet_there(kafka_bootstrap: str, topic: str) -> None:
    async with opened(kafka_bootstrap) as bus, transactional(kafka_bootstrap) as producer:
        await bus.create_topics([topic])
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"7", key=b"K")
        await bus.publish(records(topic, 3))  # behind it, and so hidden by it
        assert await bus.offsets([topic]) == {TopicPartition(topic, 0): (0, 0)}
        async with consuming(bus, f"group-{topic}", topic) as consumer:
            assert await consumer.poll(100, 1.5) == []
            assert await read_lag(bus, f"group-{topic}", [topic]) == 0
            await producer.commit_transaction()
            await until(lambda: bool(consumer.reached), lambda: consumer.poll(1, 0.1))
            assert await caught_up(bus, consumer, f"group-{topic}", topic) in ([0, 1, 2], [7, 0, 1, 2])


async def test_a_range_ends_behind_marks_without_waiting_for_more(kafka_bootstrap: str, topic: str) -> None:
    async with opened(kafka_bootstrap, timeout=8) as bus, transactional(kafka_bootstrap) as producer:
        await bus.create_topics([topic])
        await write(producer, topic, *range(30), commit=False)
        await write(producer, topic, 100)
        await write(producer, topic, 101, commit=False)
        where = TopicPartition(topic, 0)
        end = await marked(bus, topic, 35)
        async with asyncio.timeout(4):
            assert [n async for batch in bus.read(where, 0, end) for n in numbers(batch)] == [100]
            assert [n async for batch in bus.read(where, end - 2, end) for n in numbers(batch)] == []


async def test_without_a_group_one_reads_on_behind_marks(kafka_bootstrap: str, topic: str) -> None:
    async with opened(kafka_bootstrap) as bus, transactional(kafka_bootstrap) as producer:
        await bus.create_topics([topic])
        await write(producer, topic, 1)
        reader = bus.consumer(None, [topic])
        assert await reader.poll(10, 0.5) == []
        await write(producer, topic, 2, commit=False)
        await write(producer, topic, 3)
        assert numbers(await drain(reader, 1)) == [3]
        assert reader.reached == {}
        await reader.close()
