"""Batches by confluent-kafka, which is librdkafka: compute, publish and wait for it, store, commit."""

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from bench.peers.job import BATCH, BROKER, TOPICS, Done, Job, stamp_of, topic_of
from bench.peers.messages import encode

WAIT_SECONDS = 0.1
"""For a batch to become full."""


def delivered(error: KafkaError | None, _: Message) -> None:
    if error is not None:
        raise KafkaException(error)  # out of the `poll` or `flush` that is running


def publish(producer: Producer, done: Sequence[Done]) -> None:
    """Publish all rows; returns once the broker has them."""
    for _, row in done:
        producer.produce(
            topic_of(row),
            encode(row),
            key=row.ticker,
            timestamp=stamp_of(row),
            on_delivery=delivered,
        )
        producer.poll(0)
    producer.flush()


def main() -> None:
    job = Job()
    consumer = Consumer(
        {
            "bootstrap.servers": BROKER,
            "group.id": "confluent",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": BROKER, "enable.idempotence": True, "compression.type": "lz4"})
    consumer.subscribe(TOPICS, on_assign=lambda *_: job.forget())
    while True:
        messages = consumer.consume(BATCH, WAIT_SECONDS)
        for message in messages:
            if (error := message.error()) is not None:
                raise KafkaException(error)
        done = [found for message in messages if (found := job.process(message.value()))]
        if done:
            publish(producer, done)
            job.keep(done)
        if messages:
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
