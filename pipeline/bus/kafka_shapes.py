"""aiokafka's records, partitions and metadata in our own types, and back."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final

from pipeline.bus.base import Received, TopicPartition

EARLIEST: Final = -2
LATEST: Final = -1
"""What a request for offsets asks for in the place of a timestamp: the beginning, and the end."""


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
