"""Consumer lag: how many records a group has yet to commit. `pipeline.supervision.lag` judges how it moves."""

from collections.abc import Collection

from pipeline.bus.base import Bus, TopicPartition


def position_of(committed: int | None, begin: int) -> int:
    """The offset that a group reads next: what it `committed` (None before its first commit), or the oldest record of
    the partition, `begin`, where retention has deleted what the group had yet to read."""
    return max(committed or 0, begin)


def lag_of(committed: int | None, begin: int, end: int) -> int:
    """Records of a partition that a group has yet to commit. `end` is the offset of the next record to be written.

    Never negative: where `end` was read before `committed`, the group may already be further.
    """
    return max(0, end - position_of(committed, begin))


async def read_lag(
    bus: Bus, group: str, topics: Collection[str], within: Collection[TopicPartition] | None = None
) -> int:
    """Records of the topics that the group has yet to commit; only those `within` some partitions if given.

    Raises:
        BusError: if the bus is out of reach.
    """
    # Committed offsets first: in the other order, a group would seem to be further than the end.
    committed = await bus.committed(group, topics)
    offsets = await bus.offsets(topics)
    return sum(
        lag_of(committed.get(where), begin, end)
        for where, (begin, end) in offsets.items()
        if within is None or where in within
    )
