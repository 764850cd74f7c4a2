"""aiokafka's records, partitions and metadata in our own types, and back."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any, Final

from pipeline.bus.base import Received, TopicPartition
from pipeline.retention import Retention

EARLIEST: Final = -2
LATEST: Final = -1
"""What a request for offsets asks for in the place of a timestamp: the beginning, and the end."""

TOPIC_RESOURCE: Final = 2
RETENTION_KEYS: Final = ("retention.ms", "retention.bytes")
"""What a request for configurations asks for of each topic."""


def received(record: Any) -> Received:
    """A `ConsumerRecord` as what the port hands out; others than us may leave key and value out."""
    return Received(
        topic=record.topic,
        key="" if record.key is None else record.key.decode(errors="replace"),
        value=record.value or b"",
        ts=record.timestamp,
        headers=dict(record.headers),
        partition=record.partition,
        offset=record.offset,
    )


def partitions_of(metadata: Any, topics: Collection[str]) -> list[TopicPartition]:
    """The partitions of those topics that exist, from a `ClusterMetadata`."""
    return [TopicPartition(topic, p) for topic in topics for p in sorted(metadata.partitions_for_topic(topic) or ())]


def by_topic(partitions: Collection[TopicPartition]) -> dict[str, list[int]]:
    """Partition numbers by topic, as requests group them."""
    grouped: defaultdict[str, list[int]] = defaultdict(list)
    for topic, partition in partitions:
        grouped[topic].append(partition)
    return grouped


def committed_offsets(response: Any, check: Callable[[int], None]) -> dict[TopicPartition, int]:
    """Of an answer to what a group has committed; `check` raises for an error code."""
    check(response.error_code)
    found: dict[TopicPartition, int] = {}
    for topic, answers in response.topics:
        for partition, offset, _, code in answers:
            check(code)
            if offset >= 0:
                found[TopicPartition(topic, partition)] = offset
    return found


def listed_offsets(response: Any, check: Callable[[int], None]) -> dict[TopicPartition, int]:
    """Of an answer to where partitions begin or end; `check` raises for an error code."""
    found: dict[TopicPartition, int] = {}
    for topic, answers in response.topics:
        for partition, code, _, offset in answers:
            check(code)
            found[TopicPartition(topic, partition)] = offset
    return found


def retentions(response: Any) -> dict[str, Retention]:
    """Of an answer to how topics are configured; those that are not told, for whatever reason, are left out."""
    found: dict[str, Retention] = {}
    for code, _, _, topic, entries in response.resources:
        if code == 0:
            values = {name: int(value) for name, value, *_ in entries if name in RETENTION_KEYS}
            ms, size = (None if (limit := values.get(key, -1)) < 0 else limit for key in RETENTION_KEYS)
            found[topic] = Retention(ms=ms, bytes=size)
    return found
