"""Batches by aiokafka: compute, publish and wait for it, store, commit."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition

from bench.peers.job import BATCH, BROKER, TOPICS, Done, Job, stamp_of, topic_of
from bench.peers.messages import encode


class Forgetful(ConsumerRebalanceListener):
    def __init__(self, job: Job) -> None:
        self._job = job

    async def on_partitions_revoked(self, _: Sequence[TopicPartition]) -> None:
        pass

    async def on_partitions_assigned(self, _: Sequence[TopicPartition]) -> None:
        self._job.forget()


async def publish(producer: AIOKafkaProducer, done: Sequence[Done]) -> None:
    """Publish all rows; returns once the broker has them."""
    deliveries = [
        await producer.send(topic_of(row), encode(row), key=row.ticker.encode(), timestamp_ms=stamp_of(row))
        for _, row in done
    ]
    await producer.flush()
    for delivery in deliveries:
        delivery.result()  # raises what `flush` does not


async def main() -> None:
    job = Job()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=BROKER, group_id="aiokafka", auto_offset_reset="earliest", enable_auto_commit=False
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=BROKER, enable_idempotence=True, compression_type="lz4", max_batch_size=512 * 1024
    )
    consumer.subscribe(TOPICS, listener=Forgetful(job))
    async with consumer, producer:
        while True:
            batch = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
            records = [record for records in batch.values() for record in records]
            done = [found for record in records if (found := job.process(record.value))]
            if done:
                await publish(producer, done)
                await asyncio.to_thread(job.keep, done)
            if batch:
                await consumer.commit({partition: records[-1].offset + 1 for partition, records in batch.items()})


if __name__ == "__main__":
    asyncio.run(main())
