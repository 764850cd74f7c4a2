"""Where a consumer continues after its partitions have changed, and what changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.bus.base import TopicPartition

NOWHERE: Final = -1
"""The position of a partition whose commit failed: what was handed out from it is to be read again."""


@dataclass(frozen=True, slots=True)
class Move:
    """The position in every partition from now on, the new partitions, and the lost ones.

    A partition whose position moved is in both: another member has worked on it meanwhile. `skipped` counts the records
    that were deleted before they were read; `anew` are partitions that end before the position, because their topic was
    deleted and created again.
    """

    positions: dict[TopicPartition, int]
    assigned: dict[TopicPartition, int]
    revoked: set[TopicPartition]
    skipped: dict[TopicPartition, int]
    anew: set[TopicPartition]


def move(
    held: Mapping[TopicPartition, int],
    partitions: Collection[TopicPartition],
    committed: Mapping[TopicPartition, int] | None,
    offsets: Mapping[TopicPartition, tuple[int, int]],
) -> Move:
    """From the positions held to those in `partitions`.

    `committed` are the group's offsets, None outside of a group; `offsets` are begin and end of each partition. A
    partition that was held goes on where it was, for what the consumer has handed out it will not hand out again,
    or at the commit if another member has come further. A position outside of what is retained falls back to the
    beginning.
    """
    positions = {}
    skipped = {}
    anew = set()
    for partition in partitions:
        begin, end = offsets[partition]
        known = [p for p in (held.get(partition), (committed or {}).get(partition)) if p is not None]
        start = max(known, default=end if committed is None else begin)
        positions[partition] = start if begin <= start <= end else begin
        if start > end:
            anew.add(partition)
        elif NOWHERE < start < begin:
            skipped[partition] = begin - start
    stayed = {partition for partition, position in positions.items() if held.get(partition) == position}
    return Move(
        positions=positions,
        assigned={partition: position for partition, position in positions.items() if partition not in stayed},
        revoked=set(held) - stayed,
        skipped=skipped,
        anew=anew,
    )


def jump(
    held: Mapping[TopicPartition, int], firsts: Mapping[TopicPartition, int], begins: Mapping[TopicPartition, int]
) -> Move:
    """What it means that the next records of some partitions, at `firsts`, are not those at the positions held.

    The client has gone to the beginning by itself, for its position was not retained any longer, or is not yet written
    in a topic that was created again. Records before `begins` are deleted; other gaps are the marks of transactions.
    """
    until = {p: min(first, begins.get(p, 0)) for p, first in firsts.items()}
    skipped = {p: deleted - held[p] for p, deleted in until.items() if deleted > held[p]}
    anew = {partition for partition, first in firsts.items() if first < held[partition]}
    moved = {partition: first for partition, first in firsts.items() if partition in anew or partition in skipped}
    return Move(positions={**held, **moved}, assigned=moved, revoked=set(moved), skipped=skipped, anew=anew)
