"""aiokafka's records, partitions and metadata in our own types, and back."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any, Final

from pipeline.bus.base import Received, TopicPartition
from pipeline.contract.retention import Retention

EARLIEST: Final = -2
LATEST: Final = -1
"""What a request for offsets asks for in the place of a timestamp: the beginning, and the end."""
NO_OFFSET: Final = -1
"""What is answered where no record is as late as the timestamp asked for."""
READ_COMMITTED: Final = 1
"""The isolation of such a request: of a partition with an open transaction, the end is where that begins."""

TOPIC_RESOURCE: Final = 2
RETENTION_KEYS: Final = ("retention.ms", "retention.bytes", "cleanup.policy")
"""What a request for configurations asks for of each topic."""


def received(topic: str, partition: int, record: Any) -> Received:
    """A record of a batch as what the port hands out; others than us may leave out key, value and values of headers."""
    key = record.key
    return Received(
        topic,
        "" if key is None else key.decode(errors="replace"),
        record.value or b"",
        record.timestamp,
        {name: value or b"" for name, value in record.headers},
        partition,
        record.offset,
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


def committed_offsets(response: Any, check: Callable[[int], bool]) -> dict[TopicPartition, int]:
    """Of an answer to what a group has committed; `check` raises for an error code, or says to leave the topic out."""
    check(response.error_code)
    found: dict[TopicPartition, int] = {}
    for topic, answers in response.topics:
        for partition, offset, _, code in answers:
            if check(code) and offset >= 0:
                found[TopicPartition(topic, partition)] = offset
    return found


def listed_offsets(response: Any, check: Callable[[int], bool]) -> dict[TopicPartition, int]:
    """Of an answer to where partitions begin or end; `check` as for committed offsets."""
    found: dict[TopicPartition, int] = {}
    for topic, answers in response.topics:
        for partition, code, _, offset in answers:
            if check(code):
                found[TopicPartition(topic, partition)] = offset
    return found


def retentions(response: Any) -> dict[str, Retention]:
    """The configurations of topics in an answer; topics without one are left out."""
    found: dict[str, Retention] = {}
    for code, _, _, topic, entries in response.resources:
        if code == 0:
            values = {name: value for name, value, *_ in entries}
            policy = values.get("cleanup.policy", "delete").split(",")
            limits = (int(values.get(key, -1)) if "delete" in policy else -1 for key in RETENTION_KEYS[:2])
            ms, size = (None if limit < 0 else limit for limit in limits)
            found[topic] = Retention(ms=ms, bytes=size, compacted="compact" in policy)
    return found
