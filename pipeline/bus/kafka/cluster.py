"""What is asked of the cluster directly: aiokafka's admin client can neither list offsets nor tell an error of the
group coordinator from a group without commits. Errors are those of aiokafka."""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaClient
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidConfigurationError,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import (
    CreateTopicsRequest,
    DeleteRecordsRequest,
    DeleteTopicsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
)
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest

from pipeline.bus.base import Member, TopicPartition
from pipeline.bus.kafka import codec as shapes
from pipeline.bus.kafka.connection import assigned_partitions
from pipeline.bus.kafka.errors import advice
from pipeline.bus.kafka.options import KafkaOptions
from pipeline.bus.kafka.sending import TOPIC_REFUSES
from pipeline.config.settings import KafkaSettings
from pipeline.contract.retention import Retention
from pipeline.model.text import clean

RECENT_SECONDS: Final = 1.0
"""For so long the list of topics and leaders serves questions about offsets: of a thousand topics it takes longer to
read than all that is asked besides."""
LEADER_SECONDS: Final = (0.1, 0.2, 0.4, 0.8)
"""Pauses between looks for the leaders of new topics, before it asks again to have the topics created."""
_SETTLING: Final = ("PreparingRebalance", "CompletingRebalance")


class Cluster:
    """Topics, offsets and groups of the cluster that a client is connected to."""

    def __init__(self, client: AIOKafkaClient, settings: KafkaSettings, options: KafkaOptions) -> None:
        self._client = client
        self._settings = settings
        self._options = options
        self._asking = asyncio.Lock()
        self._listed: Any = None
        self._listed_at = -math.inf
        self._coordinators: dict[str, int] = {}

    def brokers(self) -> list[tuple[str, int]]:
        """Host and port of each, as the cluster advertises them."""
        return [(broker.host, broker.port) for broker in self._client.cluster.brokers()]

    async def metadata(self, max_age: float = 0.0) -> Any:
        """All topics, partitions and leaders, as they were not more than `max_age` seconds ago."""
        asked_at = time.monotonic()
        async with self._asking:  # who comes while it is asked takes the same answer, unless it must be younger
            if self._listed_at < asked_at - max_age:
                self._listed_at = -math.inf
                now = time.monotonic()
                try:
                    self._listed = await self._client.fetch_all_metadata()
                except KafkaError as error:
                    raise KafkaConnectionError(str(error)) from error
                self._listed_at = now
            return self._listed

    def forget(self) -> None:
        """Ask anew for topics, leaders and coordinators: they may have changed."""
        self._listed_at = -math.inf
        self.forget_coordinators()

    def forget_coordinators(self) -> None:
        self._coordinators.clear()

    async def _about(self, topics: Collection[str]) -> Any:
        """Recent metadata that know these topics, if there are such."""
        metadata = await self.metadata(RECENT_SECONDS)
        return metadata if metadata.topics() >= set(topics) else await self.metadata()

    async def controller(self) -> int:
        controller = (await self.metadata()).controller
        if controller is None:
            raise LeaderNotAvailableError
        return int(controller.nodeId)

    async def create(self, topics: Collection[str]) -> dict[str, str]:
        """Create them and wait until they have leaders; return those that may not be created, and why."""
        preferred, plain = self._options.topic_configs()
        errors = await self._ask_to_create(topics, preferred)
        if unknown := [topic for topic, error in errors.items() if isinstance(error, InvalidConfigurationError)]:
            errors = {t: e for t, e in errors.items() if t not in unknown} | await self._ask_to_create(unknown, plain)
        for error in errors.values():
            if not isinstance(error, (*TOPIC_REFUSES, ClusterAuthorizationFailedError)):
                raise error
        hidden = await self._led(set(topics) - errors.keys())
        refused = {topic: advice(error, "CREATE") for topic, error in errors.items()}
        return refused | {topic: advice(TopicAuthorizationFailedError(topic), "DESCRIBE") for topic in hidden}

    async def _led(self, topics: Collection[str]) -> list[str]:
        """Wait a while for the leaders of new topics; return those that this user may not see."""
        for pause in LEADER_SECONDS:
            metadata = await self.metadata()
            without = [topic for topic in topics if not metadata.available_partitions_for_topic(topic)]
            hidden = await self._hidden(without)
            if without == hidden:
                return hidden
            await asyncio.sleep(pause)
        raise LeaderNotAvailableError

    async def delete(self, topics: Collection[str]) -> dict[str, str]:
        """Delete them and wait until nobody sees them any longer; return those that may not be deleted, and why."""
        request = DeleteTopicsRequest(list(topics), round(self._options.timeout * 1000))
        response = await self._client.send(await self.controller(), request)
        errors = {topic: for_code(code)(topic) for topic, code in response.topic_error_codes}
        refused = {t: e for t, e in errors.items() if not isinstance(e, (NoError, UnknownTopicOrPartitionError))}
        for error in refused.values():
            if error.retriable:
                raise error
        if (await self.metadata()).topics() & (set(topics) - refused.keys()):
            raise LeaderNotAvailableError
        return {topic: advice(error) for topic, error in refused.items()}

    async def _hidden(self, topics: Sequence[str]) -> list[str]:
        """Those of the topics that this user may not see, though they may exist."""
        if not topics:
            return []
        response = await self._client.send(await self.controller(), MetadataRequest(list(topics), False))
        denied = {topic for code, topic, *_ in response.topics if for_code(code) is TopicAuthorizationFailedError}
        return [topic for topic in topics if topic in denied]

    async def _ask_to_create(self, topics: Collection[str], configs: Mapping[str, str]) -> dict[str, KafkaError]:
        """What stands in the way of each that is not there then."""
        partitions, replication = self._settings.partitions, self._settings.replication
        wanted = [(topic, partitions, replication, (), tuple(configs.items())) for topic in topics]
        request = CreateTopicsRequest(wanted, round(self._options.timeout * 1000), validate_only=False)
        response = await self._client.send(await self.controller(), request)
        return {
            topic: error(*filter(None, (topic, clean(" ".join(filter(None, words)), 300))))
            for topic, code, *words in response.topic_errors
            if (error := for_code(code)) not in (NoError, TopicAlreadyExistsError)
        }

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        partitions = shapes.partitions_of(await self._about(topics), topics)
        if not partitions:
            return {}
        coordinator = await self.coordinator(group)
        request = OffsetFetchRequest(group, [(t, list(ps)) for t, ps in shapes.by_topic(partitions).items()])
        return shapes.committed_offsets(await self._client.send(coordinator, request), _check)

    async def reset(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        coordinator = await self._client.coordinator_lookup(CoordinationType.GROUP, group)
        asked = [
            (topic, [(number, positions[TopicPartition(topic, number)], "") for number in numbers])
            for topic, numbers in shapes.by_topic(positions).items()
        ]
        nobody = OffsetCommitRequest.DEFAULT_GENERATION_ID, ""
        request = OffsetCommitRequest(group, *nobody, OffsetCommitRequest.DEFAULT_RETENTION_TIME, asked)
        response = await self._client.send(coordinator, request)
        for _, answers in response.topics:
            for _, code in answers:
                if (error := for_code(code)) is not NoError:
                    raise error

    async def retention(self, topics: Collection[str]) -> dict[str, Retention]:
        request = DescribeConfigsRequest([(shapes.TOPIC_RESOURCE, t, list(shapes.RETENTION_KEYS)) for t in topics])
        return shapes.retentions(await self._client.send(await self.controller(), request))

    async def members(self, group: str) -> list[Member] | None:
        coordinator = await self.coordinator(group)
        # One group at a time: aiokafka cannot decode the answer about several.
        response = await self._client.send(coordinator, DescribeGroupsRequest([group]))
        ((code, _, state, _, _, members),) = response.groups
        _check(code)
        if state in _SETTLING:
            return None
        return [
            Member(clean(client, 100), clean(host.lstrip("/"), 100), assigned_partitions(assignment))
            for _, client, host, _, assignment in members
        ]

    async def coordinator(self, group: str) -> int:
        known = self._coordinators.get(group)
        if known is not None:
            return known
        try:
            found = int(await self._client.coordinator_lookup(CoordinationType.GROUP, group))
        except GroupAuthorizationFailedError as error:
            raise GroupAuthorizationFailedError(group) from error
        self._coordinators[group] = found
        return found

    async def delete_before(self, offsets: Mapping[TopicPartition, int]) -> None:
        metadata = await self.metadata()
        for where, offset in offsets.items():
            leader = metadata.leader_for_partition(where)
            if leader is None or leader < 0:
                raise LeaderNotAvailableError
            asked = [(where.topic, [(where.partition, offset)])]
            request = DeleteRecordsRequest(asked, round(self._options.timeout * 1000))
            response = await self._client.send(leader, request)
            for _, partitions, *_ in response.topics:
                for _, _, code, *_ in partitions:
                    if not _check(code):
                        raise TopicAuthorizationFailedError(where.topic)

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        found: dict[TopicPartition, tuple[int, int]] = {}
        for leader, partitions in (await self._leaders(topics)).items():
            # Beginnings first: ends only grow, so that no beginning is after its end.
            begins = await self._list_offsets(leader, partitions, shapes.EARLIEST)
            ends = await self._list_offsets(leader, partitions, shapes.LATEST)
            found.update({partition: (begins[partition], ends[partition]) for partition in begins.keys() & ends.keys()})
        return found

    async def offsets_at(self, topics: Collection[str], ts: int) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = {}
        for leader, partitions in (await self._leaders(topics)).items():
            firsts = await self._list_offsets(leader, partitions, max(0, ts))
            ends = await self._list_offsets(leader, partitions, shapes.LATEST)
            for partition, end in ends.items():
                first = firsts.get(partition, shapes.NO_OFFSET)
                found[partition] = end if first == shapes.NO_OFFSET else first
        return found

    async def _leaders(self, topics: Collection[str]) -> dict[int, list[TopicPartition]]:
        """The partitions of those topics that exist, by the broker that leads them."""
        metadata = await self._about(topics)
        by_leader: defaultdict[int, list[TopicPartition]] = defaultdict(list)
        for partition in shapes.partitions_of(metadata, topics):
            leader = metadata.leader_for_partition(partition)
            if leader is None or leader < 0:
                raise LeaderNotAvailableError
            by_leader[leader].append(partition)
        return by_leader

    async def _list_offsets(
        self, leader: int, partitions: Collection[TopicPartition], which: int
    ) -> dict[TopicPartition, int]:
        asked = [(topic, [(p, which) for p in numbers]) for topic, numbers in shapes.by_topic(partitions).items()]
        request = OffsetRequest(-1, shapes.READ_COMMITTED, asked)
        return shapes.listed_offsets(await self._client.send(leader, request), _check)


def _check(code: int) -> bool:
    """Whether it is an answer; if not, it is one that this user may not have."""
    error = for_code(code)
    if error not in (NoError, TopicAuthorizationFailedError):
        raise error
    return error is NoError
