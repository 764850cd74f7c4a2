"""Three brokers of which the leader is killed: whoever publishes and consumes goes on without it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.bus.base import BusError
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.config.settings import KafkaSettings
from testkit.engines.cluster import KafkaCluster
from testkit.engines.fixtures import require
from tests.integration.support import PATIENCE, consuming, following, numbers, records

SESSION_MS = 2000
"""Until another leads: shorter than by default, for every run waits for it."""
TOTAL = 200


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    servers = require(lambda: KafkaCluster(tmp_path, SESSION_MS))
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


async def test_a_leader_that_does_not_come_back_is_replaced_and_nothing_is_lost(cluster: KafkaCluster) -> None:
    topic = f"stock_data_{uuid4().hex}"
    bus = KafkaBus(KafkaSettings(bootstrap_servers=cluster.bootstrap, replication=3))
    await bus.open()
    consumed: list[int] = []

    async def publish() -> None:
        for start in range(0, TOTAL, 20):
            if start == TOTAL // 2:
                (await asyncio.to_thread(cluster.leader, topic)).kill()
            while True:
                try:
                    await bus.publish(records(topic, 20, start=start))
                    break
                except BusError:
                    await asyncio.sleep(0.1)  # the backoff of a stage

    async def consume() -> None:
        async with consuming(bus, f"group-{topic}", topic) as consumer:
            while set(consumed) != {*range(TOTAL)}:
                try:
                    batch = await consumer.poll(20, 0.2)
                    consumed.extend(numbers(batch))
                    await consumer.commit(following(batch))
                except BusError:
                    await asyncio.sleep(0.1)

    try:
        async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as tasks:
            tasks.create_task(publish())
            tasks.create_task(consume())
        assert len([node for node in cluster.nodes.values() if node.running]) == 2
    finally:
        await bus.close()
