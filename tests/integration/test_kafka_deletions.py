"""Records and topics that somebody deletes under a consumer."""

import random
from uuid import uuid4

import pytest
from aiokafka import TopicPartition as ClientPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from pipeline.bus.base import Record, TopicPartition
from tests.integration.support import Assignments, drain, following, numbers, opened, records, until


@pytest.fixture
def topic() -> str:
    return f"stock_data_{uuid4().hex}"


async def test_records_deleted_under_a_consumer_are_counted(
    kafka_bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    where = TopicPartition(topic, 0)
    listener = Assignments()

    async def take() -> None:
        batch = await consumer.poll(1, 0.2)
        await consumer.commit(following(batch))
        found.extend(record.offset for record in batch)

    async with opened(kafka_bootstrap) as bus:
        rng = random.Random(1)  # what cannot be compressed: 6 MB are more than a client fetches ahead
        await bus.publish([Record(topic, "K", rng.randbytes(200_000), 0) for _ in range(30)])
        consumer = bus.consumer(f"group-{topic}", [topic], listener)
        found: list[int] = []
        await until(lambda: 0 in found, take)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        await admin.start()
        await admin.delete_records({ClientPartition(*where): RecordsToDelete(before_offset=25)})
        await admin.close()
        await until(lambda: 29 in found, take)
        fetched = next(n for n in range(30) if n not in found)
        assert fetched < 25
        assert found == [*range(fetched), *range(25, 30)]
        assert consumer.skipped == 25 - fetched
        assert f"{25 - fetched} records of {topic}, partition 0, were deleted before they were read" in caplog.text
        assert [call for call, _ in listener.calls] == ["assigned", "revoked", "assigned"]
        assert listener.held == {where: 25}
        await consumer.close()


async def test_a_deleted_topic_is_made_again_and_read_from_its_beginning(
    kafka_bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(kafka_bootstrap, partitions=2) as bus:
        await bus.publish(records(topic, 50))
        consumer = bus.consumer(f"group-{topic}", [topic])
        assert len(await drain(consumer, 50)) == 50
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        await admin.start()
        await admin.delete_topics([topic])
        await admin.close()
        await until(lambda: f"these topics were deleted: {topic}" in caplog.text, bus.topics)
        await bus.publish(records(topic, 20, start=100))
        assert sorted(numbers(await drain(consumer, 20))) == list(range(100, 120))
        assert len(await bus.offsets([topic])) == 2  # ours, not one of the broker's own making
        assert consumer.skipped == 0
        await consumer.close()
