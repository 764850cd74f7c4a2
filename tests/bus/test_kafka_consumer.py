"""What a consumer makes of assignments that come at any time."""

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from pipeline.bus.base import Received, TopicPartition
from pipeline.bus.kafka.consumer import KafkaConsumer, Rebalances

BARS, ROWS = TopicPartition("bars", 0), TopicPartition("rows", 0)


class Connection:
    """A group that assigns partition 0 of each topic, once it is told to."""

    def __init__(self, rebalances: Rebalances) -> None:
        self.rebalances = rebalances
        self.topics: Collection[str] = ()
        self.assigned: frozenset[TopicPartition] | None = None
        self.sought: dict[TopicPartition, int] = {}

    def subscribe(self, topics: Collection[str]) -> None:
        self.topics, self.assigned = topics, None

    def rebalance(self) -> None:
        self.assigned = frozenset(TopicPartition(topic, 0) for topic in self.topics)
        self.rebalances.assigned = list(self.assigned)

    def seek(self, positions: Mapping[TopicPartition, int]) -> None:
        assert self.assigned is not None, "nothing is assigned yet"
        assert positions.keys() <= self.assigned
        self.sought.update(positions)

    def positions(self, _: object) -> dict[TopicPartition, int]:
        return {}

    async def fetch(self, max_records: int, seconds: float) -> list[Received]:
        return []

    async def stop(self) -> None: ...


class Cluster:
    def __init__(self) -> None:
        self.connection: Any = None

    def bounded(self, doing: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def connect(self, group: str | None, rebalances: Rebalances, *, whole_topics: bool) -> Any:
        self.connection = Connection(rebalances)
        return self.connection

    async def create_topics(self, topics: Collection[str]) -> dict[str, str]:
        return {}

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        return {}

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        return {TopicPartition(topic, 0): (0, 5) for topic in topics}

    def forget(self) -> None: ...


async def test_what_was_assigned_before_another_subscription_is_not_taken_up() -> None:
    cluster: Any = Cluster()
    consumer = KafkaConsumer(cluster, "sink", ["bars"], None)
    await consumer.poll(10, 0.0)
    cluster.connection.rebalance()  # while nobody polls
    await consumer.subscribe(["bars", "rows"])
    await consumer.poll(10, 0.0)
    assert consumer.assigned is None
    cluster.connection.rebalance()
    await consumer.poll(10, 0.0)
    assert consumer.assigned == {BARS, ROWS}
    assert cluster.connection.sought == {BARS: 0, ROWS: 0}
    await consumer.close()
