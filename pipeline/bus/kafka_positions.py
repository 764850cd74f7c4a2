"""Where a consumer goes on after a change of its partitions, and what that change was."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.bus.base import TopicPartition

NOWHERE: Final = -1
"""The position of a partition whose commit failed: what was handed out from it is to be read again."""


@dataclass(frozen=True, slots=True)
class Move:
    """The position in every partition from now on, those that are new, and those that are gone.

    A partition whose position moved is in both: somebody else has worked on it meanwhile.
    """

    positions: dict[TopicPartition, int]
    assigned: dict[TopicPartition, int]
    revoked: set[TopicPartition]


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
    for partition in partitions:
        begin, end = offsets[partition]
        known = [p for p in (held.get(partition), (committed or {}).get(partition)) if p is not None]
        start = max(known, default=end if committed is None else begin)
        positions[partition] = start if begin <= start <= end else begin
    stayed = {partition for partition, position in positions.items() if held.get(partition) == position}
    return Move(
        positions=positions,
        assigned={partition: position for partition, position in positions.items() if partition not in stayed},
        revoked=set(held) - stayed,
    )
