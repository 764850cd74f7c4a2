"""Three Kafka brokers, each a controller too: topics with three replicas, of which two must be in sync."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.admin import AlterPartitionReassignmentsRequest

from testkit.engines.kafka import KRaftKafka, answer
from testkit.engines.process import free_port

SIZE: Final = 3
_PROPERTIES: Final = """\
controller.quorum.voters={voters}
broker.heartbeat.interval.ms={heartbeat_ms}
broker.session.timeout.ms={session_ms}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.num.partitions=3
offsets.topic.replication.factor=3
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
log.cleaner.dedupe.buffer.size=4194304
"""
_PATIENCE: Final = 90.0
"""Seconds that a cluster has to come to terms with itself."""


class KafkaNode(KRaftKafka):
    """One of them; it is ready as soon as another is there too, for it takes two to make a majority."""

    megabytes = 256


class KafkaCluster:
    """The brokers of a cluster, killed, frozen and restarted one by one by tests.

    `session_ms` is how long controllers wait for a broker's heartbeat until others lead its partitions; Kafka's own
    default is nine seconds.
    """

    def __init__(self, folder: Path, session_ms: int = 9000) -> None:
        ports = {number: free_port() for number in range(1, SIZE + 1)}
        voters = ",".join(f"{number}@127.0.0.1:{port}" for number, port in ports.items())
        self.nodes: dict[int, KafkaNode] = {}
        for number, port in ports.items():
            (folder / str(number)).mkdir(parents=True)
            self.nodes[number] = KafkaNode(
                folder / str(number),
                _PROPERTIES,
                number=number,
                voters=voters,
                controller_port=port,
                session_ms=session_ms,
                heartbeat_ms=session_ms // 4,
            )

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes.values())

    def start(self) -> None:
        """Start those that do not run, and wait until all are there and every partition is on all of them."""
        missing = [node for node in self.nodes.values() if not node.running]
        for node in missing:
            node.launch()
        for node in missing:
            node.wait_until_ready()
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Wait until every partition has a leader and all replicas in sync, as an administrator does in between."""
        first = next(iter(self.nodes.values()))
        first.wait_for(lambda: self._ask(_is_whole), _PATIENCE)

    def stop(self) -> None:
        for node in self.nodes.values():
            node.kill()

    def leader(self, topic: str, partition: int = 0) -> KafkaNode:
        """Who leads it."""
        return self.nodes[self._ask(partial(_leader, topic, partition))]

    def coordinator(self, group: str) -> KafkaNode:
        """Who coordinates the group."""
        return self.nodes[self._ask(partial(_coordinator, group))]

    def move_leader(self, topics: Iterable[str]) -> None:
        """Have other brokers lead the first partitions of these topics, by taking them from the leader for a moment."""
        self._ask(partial(_move_leaders, list(topics)))

    def add_partitions(self, topic: str, total: int) -> None:
        """Have the topic divided into so many partitions from now on."""
        self._ask(partial(_add_partitions, self.bootstrap, topic, total))

    def _ask[T](self, question: Callable[[AIOKafkaClient], Awaitable[T]]) -> T:
        return answer(_asked(self.bootstrap, question))


async def _asked[T](bootstrap: str, question: Callable[[AIOKafkaClient], Awaitable[T]]) -> T:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        await client.bootstrap()
        async with asyncio.timeout(_PATIENCE):
            while True:
                try:
                    return await question(client)
                except KafkaError as error:
                    if not error.retriable:
                        raise
                    await asyncio.sleep(0.1)
    finally:
        await client.close()


async def _is_whole(client: AIOKafkaClient) -> bool:
    try:
        metadata = await client.fetch_all_metadata()
    except KafkaError:
        return False
    partitions = [p for of_topic in metadata._partitions.values() for p in of_topic.values()]
    return len(metadata.brokers()) == SIZE and all(p.leader >= 0 and len(p.isr) == len(p.replicas) for p in partitions)


async def _leader(topic: str, partition: int, client: AIOKafkaClient) -> int:
    leader = (await client.fetch_all_metadata()).leader_for_partition(TopicPartition(topic, partition))
    if leader is None or leader < 0:
        raise LeaderNotAvailableError
    return int(leader)


async def _coordinator(group: str, client: AIOKafkaClient) -> int:
    return int(await client.coordinator_lookup(CoordinationType.GROUP, group))


async def _move_leaders(topics: list[str], client: AIOKafkaClient) -> None:
    leaders = {topic: await _leader(topic, 0, client) for topic in topics}
    for replicas_of in (lambda leader: _others(leader), lambda leader: [*_others(leader), leader]):
        asked = [(topic, [(0, replicas_of(leader), {})], {}) for topic, leader in leaders.items()]
        response = await client.send(await _controller(client), AlterPartitionReassignmentsRequest(5000, asked, {}))
        assert for_code(response.error_code).errno == 0, response
        assert all(code == 0 for _, partitions, _ in response.responses for _, code, *_ in partitions), response
    assert all([leader != await _leader(topic, 0, client) for topic, leader in leaders.items()])


def _others(leader: int) -> list[int]:
    return [number for number in range(1, SIZE + 1) if number != leader]


async def _controller(client: AIOKafkaClient) -> int:
    return int((await client.fetch_all_metadata()).controller.nodeId)


async def _add_partitions(bootstrap: str, topic: str, total: int, _client: Any) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        response = await admin.create_partitions({topic: NewPartitions(total)})
        assert all(code == 0 for _, code, *_ in response.topic_errors), response
    finally:
        await admin.close()
