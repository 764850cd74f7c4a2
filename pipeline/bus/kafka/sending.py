"""Records into aiokafka's producer, a batch a partition: a future and a call for each record would cost several times
what the record does."""

import asyncio
import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final

import aiokafka.errors
import aiokafka.producer.sender
from aiokafka import AIOKafkaProducer
from aiokafka.codec import lz4_encode
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from pipeline.bus.base import Record, TopicPartition


class InvalidRecordError(aiokafka.errors.BrokerResponseError):  # type: ignore[misc]
    """A record that the topic's rules forbid, such as one without a key where the topic is compacted."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker has checked the record and refuses it."


# Of the codes that brokers send nowadays aiokafka knows those up to 79, and calls all others an unknown error.
aiokafka.errors.kafka_errors[InvalidRecordError.errno] = InvalidRecordError

# aiokafka takes level 9, which costs seven times as much for a quarter less of our rows, most of which are digits.
sys.modules[DefaultRecordBatchBuilder.__module__].lz4_encode = partial(lz4_encode, level=1)  # type: ignore[attr-defined]

TOPIC_REFUSES: Final = (
    aiokafka.errors.TopicAuthorizationFailedError,
    aiokafka.errors.InvalidTopicError,
    aiokafka.errors.PolicyViolationError,
)
"""What is about a topic, whatever is to be published there."""
RECORD_REFUSED: Final = (
    aiokafka.errors.MessageSizeTooLargeError,
    aiokafka.errors.RecordListTooLargeError,
    aiokafka.errors.InvalidTimestampError,
    InvalidRecordError,
)
"""What is about a record, or about one of those it was sent with: sent alone, each has its own answer."""


class _ProduceHandler(aiokafka.producer.sender.SendProduceReqHandler):  # type: ignore[misc]
    """aiokafka goes on counting from the records that a broker refused, which takes the next ones as out of order and
    refuses them too, until there is a new producer. Here it counts from the last that were taken."""

    def handle_response(self, response: Any) -> None:
        super().handle_response(response)
        if self._sender._txn_manager is None:
            return  # a producer that is not idempotent numbers nothing
        numbers = self._sender._txn_manager._sequence_numbers
        for partition, batch in self._batches.items():
            if batch.future.done() and isinstance(batch.future.exception(), (*TOPIC_REFUSES, *RECORD_REFUSED)):
                numbers[partition] -= batch.record_count


aiokafka.producer.sender.SendProduceReqHandler = _ProduceHandler

_Refused = list[tuple[Record, KafkaError]]


Taken = Callable[[Sequence[Record], TopicPartition, int, Any], None]
"""Told of each batch that a broker has taken: its records, their partition, the offset of the first, and the batch."""


async def send(
    producer: AIOKafkaProducer, records: Sequence[Record], topics: Collection[str], taken: Taken
) -> _Refused:
    """Send all and wait for every answer; return those that are refused, or raise the first other error.

    The records of a partition go in their order. Of `topics`, which exist and may be next, the producer learns with
    those of the records: one after another, each would have to be asked for.
    """
    known = producer.client.cluster.partitions_for_topic
    if not all(known(topic) for topic in {record.topic for record in records}):
        for topic in {*topics, *(record.topic for record in records)}:
            producer.client.add_topic(topic)
    refused: _Refused = []
    errors: list[BaseException] = []
    sent: list[tuple[list[Record], BatchBuilder]] = []
    acknowledgements = []
    try:
        batches = await _batches(producer, records, refused)
        # The second batch of a partition waits for the first to be taken, so that all first ones go before.
        for number in range(max(map(len, batches.values()), default=0)):
            for where, found in batches.items():
                if number < len(found):
                    batch, builder = found[number]
                    acknowledgements.append(await _queued(producer, builder, where))
                    sent.append((batch, builder))
    except KafkaError as error:
        errors.append(error)
    # Who gives up waiting leaves the answers to be taken all the same: an error that nobody takes would be logged.
    results = await asyncio.shield(asyncio.gather(*acknowledgements, return_exceptions=True))
    for (group, builder), result in zip(sent, results, strict=True):
        if isinstance(result, (*TOPIC_REFUSES, *RECORD_REFUSED)):
            refused += [(record, result) for record in group]
        elif isinstance(result, BaseException):
            errors.append(result)
        else:
            batch = MemoryRecords(bytes(builder._build())).next_batch()
            taken(group, TopicPartition(result.topic, result.partition), result.offset, batch)
    if errors:
        raise errors[0]
    return refused


async def _queued(producer: AIOKafkaProducer, builder: BatchBuilder, where: TopicPartition) -> asyncio.Future[Any]:
    """The answer to the batch, once it is next in its partition.

    Where many publish to one partition aiokafka gives up too early: each time that another is quicker it counts all of
    the wait again. How long this takes at most is for the caller to say.
    """
    while True:
        try:
            answer: asyncio.Future[Any] = await producer.send_batch(builder, where.topic, partition=where.partition)
        except KafkaTimeoutError:
            continue
        return answer


async def _batches(
    producer: AIOKafkaProducer, records: Sequence[Record], refused: _Refused
) -> dict[TopicPartition, list[tuple[list[Record], BatchBuilder]]]:
    """The records in batches, by the partition that their keys belong to; those that are `refused` are left out."""
    batches: dict[TopicPartition, list[tuple[list[Record], BatchBuilder]]] = {}
    partitions: dict[tuple[str, str], TopicPartition | KafkaError] = {}
    for record in records:
        where = partitions.get((record.topic, record.key))
        if where is None:
            where = partitions[record.topic, record.key] = await _partition(producer, record)
        if isinstance(where, KafkaError):
            refused.append((record, where))
            continue
        key, headers = record.key.encode(), list(record.headers.items())
        try:
            producer._serialize(key, record.value, headers)
        except RECORD_REFUSED as error:  # it is larger than any request may be
            refused.append((record, error))
            continue
        found = batches.get(where)
        if found is None:
            found = batches[where] = [([], producer.create_batch())]
        if found[-1][1].append(key=key, value=record.value, timestamp=record.ts, headers=headers) is None:
            found.append(([], producer.create_batch()))
            found[-1][1].append(key=key, value=record.value, timestamp=record.ts, headers=headers)
        found[-1][0].append(record)
    for found in batches.values():
        found[-1][1].close()
    return batches


async def _partition(producer: AIOKafkaProducer, record: Record) -> TopicPartition | KafkaError:
    """Where records of this topic and key go, or why they may not."""
    try:
        await producer.client._wait_on_metadata(record.topic)
    except (*TOPIC_REFUSES, *RECORD_REFUSED) as error:
        return error
    key = record.key.encode()
    return TopicPartition(record.topic, producer._partition(record.topic, None, None, None, key, None))
