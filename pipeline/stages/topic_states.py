"""What a processor holds of each topic that is assigned to it, and how far it has come there."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from pipeline.bus.base import Received, TopicPartition


class TopicStates[S]:
    """A state of each topic, made when its first record arrives, and dropped when its partitions are assigned anew,
    for then there may be more of them; the listener of the consumer."""

    def __init__(self) -> None:
        self.states: dict[str, S] = {}
        self._positions: defaultdict[str, dict[int, int]] = defaultdict(dict)

    def clear(self) -> None:
        """Forget all."""
        self.states.clear()
        self._positions.clear()

    def drop(self, topics: Collection[str]) -> None:
        """Forget these states, which may be ahead of what was published."""
        for topic in topics:
            self.states.pop(topic, None)

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        """They are read from these positions on."""
        for (topic, partition), position in partitions.items():
            self.states.pop(topic, None)
            self._positions[topic][partition] = position

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Another member works on them now."""
        for topic, partition in partitions:
            self.states.pop(topic, None)
            self._positions[topic].pop(partition, None)

    def processed(self, batch: Sequence[Received]) -> None:
        """The batch is behind us."""
        for record in batch:
            self._positions[record.topic][record.partition] = record.offset + 1

    def before(self, batch: Sequence[Received], topic: str) -> dict[int, int]:
        """By partition, up to where all of the topic was processed before the batch."""
        firsts = {record.partition: record.offset for record in reversed(batch) if record.topic == topic}
        return {**self._positions[topic], **firsts}
