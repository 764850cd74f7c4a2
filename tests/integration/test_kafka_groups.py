"""Consumer groups on a real broker: sharing, rebalances, topics that come later."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from pipeline.bus.base import Bus, BusError, Received, Record
from pipeline.bus.kafka import options as kafka_options
from pipeline.bus.lag import read_lag
from pipeline.config.settings import SupervisorSettings
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Handle, Subscription, consume
from pipeline.supervision.supervisor import Supervisor
from tests.integration.support import PATIENCE, Assignments, drain, following, numbers, opened, records, until


@pytest.fixture
def topic() -> str:
    return f"stock_data_{uuid4().hex}"


@pytest.fixture
def group() -> str:
    return f"group-{uuid4().hex}"


async def test_two_members_share_the_partitions_and_one_inherits_them(
    kafka_bootstrap: str, topic: str, group: str
) -> None:
    async with opened(kafka_bootstrap, partitions=4) as bus:
        await bus.publish(records(topic, 80))
        first_heard, second_heard = Assignments(), Assignments()
        first = bus.consumer(group, [topic], first_heard)
        second = bus.consumer(group, [topic], second_heard)
        assert sorted(numbers(await drain(first, 80))) == list(range(80))
        assert len(first_heard.held) == 4

        async def poll_both() -> None:
            for consumer in (first, second):
                await consumer.poll(100, 0.1)

        await until(lambda: len(first_heard.held) == len(second_heard.held) == 2, poll_both)
        assert not first_heard.held.keys() & second_heard.held.keys()
        kept = set(first_heard.held)
        assert first_heard.calls[-1] == ("revoked", set(second_heard.held)), "what it kept was not taken away"
        committed = await bus.committed(group, [topic])
        assert second_heard.held == {partition: committed[partition] for partition in second_heard.held}

        await bus.publish(records(topic, 80, start=80))
        found: list[int] = []

        async def drain_both() -> None:
            for consumer in (first, second):
                batch = await consumer.poll(100, 0.1)
                await consumer.commit(following(batch))
                found.extend(numbers(batch))

        await until(lambda: len(found) >= 80, drain_both)
        assert sorted(found) == list(range(80, 160)), "each record once"

        await second.close()
        await until(lambda: len(first_heard.held) == 4, lambda: first.poll(100, 0.1))
        assert kept < set(first_heard.held)
        await bus.publish(records(topic, 80, start=160))
        assert sorted(numbers(await drain(first, 80))) == list(range(160, 240))
        await first.close()


async def test_whole_topics_are_shared_and_none_is_divided(kafka_bootstrap: str, topic: str, group: str) -> None:
    topics = [f"{topic}_{n}" for n in range(4)]
    async with opened(kafka_bootstrap, partitions=3) as bus:
        await bus.create_topics(topics)
        heard = Assignments(), Assignments()
        members = [bus.consumer(group, topics, listener, whole_topics=True) for listener in heard]

        async def poll() -> None:
            for member in members:
                await member.poll(100, 0.1)

        await until(lambda: [len(listener.held) for listener in heard] == [6, 6], poll)
        shares = [{where.topic for where in listener.held} for listener in heard]
        assert [len(share) for share in shares] == [2, 2]
        assert not shares[0] & shares[1]
        await members[1].close()
        await until(lambda: len(heard[0].held) == 12, lambda: members[0].poll(100, 0.1))
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        await admin.start()
        await admin.create_partitions({topics[0]: NewPartitions(5)})
        await admin.close()
        await until(lambda: len(heard[0].held) == 14, lambda: members[0].poll(100, 0.1))
        await members[0].close()


async def test_a_batch_in_hand_is_committed_before_its_partition_changes_hands(
    kafka_bootstrap: str, topic: str, group: str
) -> None:
    async with opened(kafka_bootstrap, partitions=2) as bus:
        await bus.publish(records(topic, 40))
        heard = Assignments()
        first, second = bus.consumer(group, [topic]), bus.consumer(group, [topic], heard)
        batch = await first.poll(100, 10)
        while len(batch) < 40:
            batch += await first.poll(100, 10)
        joining = asyncio.create_task(second.poll(100, 20))
        await until(lambda: second._connection is not None, lambda: bus.topics())  # type: ignore[attr-defined]
        await first.commit(following(batch))
        await until(lambda: len(heard.held) == 1, lambda: first.poll(100, 0.1))
        await bus.publish(records(topic, 40, start=40))
        rest = list(await joining)
        async with asyncio.timeout(20):
            while len(rest) < 40:
                rest += await first.poll(100, 0.1) + await second.poll(100, 0.1)
        assert sorted(numbers(rest)) == list(range(40, 80)), "nothing of the first batch came twice"
        await first.close()
        await second.close()


async def test_a_member_that_stops_drains_its_own_partitions_and_not_those_of_others(
    kafka_bootstrap: str, topic: str, group: str
) -> None:
    handed_over, let_go = asyncio.Event(), asyncio.Event()

    async def take(batch: Sequence[Received]) -> None:
        pass

    async def hesitate(batch: Sequence[Received]) -> None:
        handed_over.set()
        await let_go.wait()

    def stage(bus: Bus, handle: Handle) -> Supervisor:
        supervisor = Supervisor(SupervisorSettings(max_restarts=0))
        subscription = Subscription(bus, Watchlist(), ())
        subscription.topics = {topic}
        supervisor.add("stage", "sink", lambda context: consume(bus, group, subscription, handle, context))
        return supervisor

    async with opened(kafka_bootstrap, partitions=2) as bus:
        await bus.create_topics([topic])
        quick, slow = stage(bus, take), stage(bus, hesitate)
        try:
            async with asyncio.timeout(PATIENCE):
                while [len(m.partitions) for m in await bus.members(group) or ()] != [1, 1]:
                    pass
                await bus.publish(records(topic, 40))
                await handed_over.wait()
                assert await quick.stop(20), "it does not wait for what the slow one has yet to commit"
                assert 0 < await read_lag(bus, group, [topic]) < 40
        finally:
            let_go.set()
            assert await slow.stop(20)
        assert await read_lag(bus, group, [topic]) == 0


async def test_without_a_commit_the_next_member_reads_again(kafka_bootstrap: str, topic: str, group: str) -> None:
    async with opened(kafka_bootstrap) as bus:
        await bus.publish(records(topic, 10))
        first = bus.consumer(group, [topic])
        batch = await first.poll(4, 10)
        await first.commit(following(batch))
        assert await first.poll(3, 10), "read on without committing"
        await first.close()
        second = bus.consumer(group, [topic])
        assert numbers(await drain(second, 6)) == list(range(4, 10))
        await second.close()


async def test_a_topic_added_live_is_read_before_the_metadata_is_old(
    kafka_bootstrap: str, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_options, "METADATA_MAX_AGE_MS", 600_000)
    async with opened(kafka_bootstrap) as bus:
        heard = Assignments()
        consumer = bus.consumer(group, [topic], heard)
        await bus.publish(records(topic, 5))
        await drain(consumer, 5)
        later = f"{topic}_later"
        await consumer.subscribe([topic, later])
        async with asyncio.timeout(PATIENCE):
            await bus.publish(records(later, 5))
            assert {record.topic for record in await drain(consumer, 5)} == {later}
        assert {name for name, _ in heard.calls} == {"assigned"}, "the first topic was kept throughout"
        await consumer.close()


async def test_a_reader_without_a_group_sees_what_is_new_in_old_and_new_topics(
    kafka_bootstrap: str, topic: str
) -> None:
    async with opened(kafka_bootstrap) as bus:
        await bus.publish(records(topic, 5))
        reader = bus.consumer(None, [topic])
        assert await reader.poll(100, 0.3) == []
        await bus.publish(records(topic, 3, start=5))
        later = f"{topic}_later"
        await reader.subscribe([topic, later])
        await bus.publish(records(later, 2))
        assert sorted(numbers(await drain(reader, 5))) == [0, 1, 5, 6, 7]
        assert await bus.committed("", []) == {}
        await reader.close()


async def test_a_member_that_has_left_cannot_commit(kafka_bootstrap: str, topic: str, group: str) -> None:
    async with opened(kafka_bootstrap) as bus:
        await bus.publish(records(topic, 1))
        consumer = bus.consumer(group, [topic])
        batch = await consumer.poll(1, 10)
        await consumer.close()
        with pytest.raises(BusError, match="read again"):
            await consumer.commit(following(batch))
        assert await bus.committed(group, [topic]) == {}


async def test_what_fills_several_batches_keeps_the_order_of_its_key(kafka_bootstrap: str, topic: str) -> None:
    published = [Record(topic, key, f"{n:0500}".encode(), n) for n in range(2500) for key in ("A", "B", "C")]
    async with opened(kafka_bootstrap, partitions=2) as bus:
        assert await bus.publish(published) == []
        found: dict[str, list[int]] = {}
        for where, (begin, end) in (await bus.offsets([topic])).items():
            async for batch in bus.read(where, begin, end):
                assert {record.key for record in batch} <= {"A", "B", "C"}
                for record in batch:
                    found.setdefault(record.key, []).append(int(record.value))
        assert found == {key: list(range(2500)) for key in ("A", "B", "C")}
