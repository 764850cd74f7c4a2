"""What every bus must do; runs on each of the engines."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

import pytest

from pipeline.bus.base import Bus, BusError, Received, Record, TopicPartition
from tests.contract.engines import BusEngine
from tests.contract.helpers import (
    PATIENCE,
    Listener,
    consuming,
    content,
    next_offsets,
    numbered,
    record,
    take,
    values,
)

Name = Callable[[str], str]


class TestTopics:
    async def test_creating_is_idempotent_and_keeps_what_is_there(self, bus: Bus, name: Name) -> None:
        first, second = name("first"), name("second")
        await bus.create_topics([first])
        await bus.publish([record(first, "kept")])
        await bus.create_topics([first, second])
        assert {first, second} <= await bus.topics()
        offsets = await bus.offsets([first, second])
        assert sum(end for where, (_, end) in offsets.items() if where.topic == first) == 1
        assert {end for where, (_, end) in offsets.items() if where.topic == second} == {0}

    async def test_publishing_creates_missing_topics(self, bus: Bus, name: Name) -> None:
        topic = name("new")
        assert topic not in await bus.topics()
        await bus.publish([record(topic, "hello")])
        assert topic in await bus.topics()

    async def test_unknown_topics_have_no_offsets(self, bus: Bus, name: Name) -> None:
        assert await bus.offsets([name("nowhere")]) == {}
        assert await bus.committed(name("nobody"), [name("nowhere")]) == {}
        assert name("nowhere") not in await bus.topics()

    async def test_they_say_how_long_they_keep_records(self, bus: Bus, bus_engine: BusEngine, name: Name) -> None:
        assert await bus.retention([name("nowhere")]) == {}
        await bus.create_topics([name("topic"), name("other")])
        assert await bus.retention([name("topic"), name("nowhere")]) == {name("topic"): bus_engine.retention}
        assert name("nowhere") not in await bus.topics()


class TestDelivery:
    async def test_a_record_arrives_as_it_was_published(self, bus: Bus, name: Name) -> None:
        sent = Record(
            topic=name("topic"),
            key="Ünïcode-鍵",
            value='{"text": "naïve 📈 данные"}'.encode() + bytes(range(256)),
            ts=1_550_264_400_123,
            headers={"schema": b"post.v1", "ingested": b"\x00\xff"},
        )
        bare = Record(name("topic"), "", b"", 0)
        await bus.publish([sent, bare])
        async with consuming(bus, name("group"), [name("topic")]) as consumer:
            received = {r.key: r for r in await take(consumer, 2)}
        assert content(received[sent.key]) == content(sent)
        assert content(received[bare.key]) == content(bare)

    async def test_ten_thousand_records_keep_the_order_of_their_keys(self, bus: Bus, name: Name) -> None:
        topics = [name("even"), name("odd")]
        sent = [record(topics[i % 2], f"{i:05}", key=f"KEY{i % 14}") for i in range(10_000)]
        for i in range(0, len(sent), 500):
            await bus.publish(sent[i : i + 500])
        async with consuming(bus, name("group"), topics) as consumer:
            received = await take(consumer, len(sent))
        assert sorted(values(received)) == values(sent)
        by_key: defaultdict[str, list[str]] = defaultdict(list)
        by_partition: defaultdict[TopicPartition, list[int]] = defaultdict(list)
        for r in received:
            by_key[r.key].append(r.value.decode())
            by_partition[r.source].append(r.offset)
        assert all(texts == sorted(texts) for texts in by_key.values())
        assert all(offsets == list(range(len(offsets))) for offsets in by_partition.values())

    async def test_concurrent_publishers_lose_nothing(self, bus: Bus, name: Name) -> None:
        topic = name("topic")
        batches = [numbered(topic, 25, key=f"K{start}", start=start) for start in range(0, 1000, 25)]
        await asyncio.gather(*(bus.publish(batch) for batch in batches))
        async with consuming(bus, name("group"), [topic]) as consumer:
            received = await take(consumer, 1000)
        assert sorted(values(received), key=int) == [str(i) for i in range(1000)]

    async def test_a_large_record_arrives_whole(self, bus: Bus, name: Name) -> None:
        large = Record(name("topic"), "AAPL", bytes(range(256)) * 3600, 1)
        await bus.publish([large, record(name("topic"), "small")])
        async with consuming(bus, name("group"), [name("topic")]) as consumer:
            received = await take(consumer, 2)
        assert [r.value for r in received] == [large.value, b"small"]

    async def test_publishing_nothing_is_nothing(self, bus: Bus, name: Name) -> None:
        await bus.create_topics([name("topic")])
        await bus.publish([])
        assert {end for _, end in (await bus.offsets([name("topic")])).values()} == {0}


class TestPoll:
    async def test_it_takes_at_most_what_was_asked_for(self, bus: Bus, name: Name) -> None:
        await bus.publish(numbered(name("topic"), 10))
        async with consuming(bus, name("group"), [name("topic")]) as consumer:
            received: list[Received] = []
            while len(received) < 10:
                batch = await consumer.poll(3, PATIENCE)
                assert 1 <= len(batch) <= 3
                received += batch
        assert values(received) == [str(i) for i in range(10)]

    async def test_it_returns_nothing_after_its_time(self, bus: Bus, bus_engine: BusEngine, name: Name) -> None:
        await bus.create_topics([name("topic")])
        async with consuming(bus, name("group"), [name("topic")]) as consumer:
            assert await consumer.poll(10, bus_engine.quiet) == []
            assert await consumer.poll(10, 0) == []

    async def test_publishing_wakes_one_that_waits(self, bus: Bus, name: Name) -> None:
        await bus.create_topics([name("topic")])
        listener = Listener()
        async with consuming(bus, name("group"), [name("topic")], listener) as consumer, asyncio.timeout(PATIENCE):
            waiting = asyncio.create_task(consumer.poll(10, 100 * PATIENCE))
            await listener.assigned.wait()
            assert not waiting.done()
            await bus.publish([record(name("topic"), "awake")])
            assert values(await waiting) == ["awake"]

    async def test_closing_ends_one_that_waits(self, bus: Bus, name: Name) -> None:
        await bus.create_topics([name("topic")])
        listener = Listener()
        consumer = bus.consumer(name("group"), [name("topic")], listener)
        async with asyncio.timeout(PATIENCE):
            waiting = asyncio.create_task(consumer.poll(10, 100 * PATIENCE))
            await listener.assigned.wait()
            await consumer.close()
            (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert outcome == [] or isinstance(outcome, BusError)

    async def test_a_cancelled_one_loses_nothing(self, bus: Bus, name: Name) -> None:
        await bus.create_topics([name("topic")])
        listener = Listener()
        async with consuming(bus, name("group"), [name("topic")], listener) as consumer:
            waiting = asyncio.create_task(consumer.poll(10, 100 * PATIENCE))
            await listener.assigned.wait()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await bus.publish(numbered(name("topic"), 3))
            assert values(await take(consumer, 3)) == ["0", "1", "2"]


class TestGroups:
    async def test_a_group_goes_on_after_its_commit(self, bus: Bus, bus_engine: BusEngine, name: Name) -> None:
        topic, group = name("topic"), name("group")
        await bus.publish(numbered(topic, 10))
        async with consuming(bus, group, [topic]) as consumer:
            received = await take(consumer, 10)
            await consumer.commit(next_offsets(received[:4]))
            assert await bus.committed(group, [topic]) == {received[0].source: 4}
        bus = await bus_engine.connect()
        assert await bus.committed(group, [topic]) == {received[0].source: 4}
        async with consuming(bus, group, [topic]) as consumer:
            assert values(await take(consumer, 6)) == [str(i) for i in range(4, 10)]

    async def test_what_it_has_reached_is_committed_once(self, bus: Bus, name: Name) -> None:
        topic, group = name("topic"), name("group")
        await bus.publish(numbered(topic, 6))
        async with consuming(bus, group, [topic]) as consumer:
            assert consumer.reached == {}
            (first, *_) = await consumer.poll(4, PATIENCE)
            reached = consumer.reached
            assert reached.keys() == {first.source}
            await consumer.commit(reached)
            assert await bus.committed(group, [topic]) == reached
            assert consumer.reached == {}
            while (consumer.reached or reached)[first.source] < 6:
                await consumer.poll(1, PATIENCE)
            await consumer.commit({first.source: 5})
            assert consumer.reached == {first.source: 6}
        assert consumer.reached == {}

    async def test_without_a_group_nothing_is_to_be_committed(
        self, bus: Bus, bus_engine: BusEngine, name: Name
    ) -> None:
        await bus.create_topics([name("topic")])
        async with consuming(bus, None, [name("topic")]) as consumer:
            assert await consumer.poll(10, bus_engine.quiet) == []
            await bus.publish(numbered(name("topic"), 3))
            await take(consumer, 3)
            assert consumer.reached == {}

    async def test_what_is_not_committed_is_delivered_again(self, bus: Bus, name: Name) -> None:
        topic, group = name("topic"), name("group")
        await bus.publish(numbered(topic, 5))
        for _ in range(2):
            async with consuming(bus, group, [topic]) as consumer:
                assert values(await take(consumer, 5)) == ["0", "1", "2", "3", "4"]
        assert await bus.committed(group, [topic]) == {}

    async def test_a_commit_may_go_back(self, bus: Bus, name: Name) -> None:
        topic, group = name("topic"), name("group")
        await bus.publish(numbered(topic, 5))
        async with consuming(bus, group, [topic]) as consumer:
            (*_, last) = await take(consumer, 5)
            await consumer.commit({last.source: 5})
            await consumer.commit({last.source: 2})
        async with consuming(bus, group, [topic]) as consumer:
            assert values(await take(consumer, 3)) == ["2", "3", "4"]

    async def test_groups_do_not_disturb_each_other(self, bus: Bus, name: Name) -> None:
        topic = name("topic")
        await bus.publish(numbered(topic, 5))
        async with (
            consuming(bus, name("one"), [topic]) as one,
            consuming(bus, name("two"), [topic]) as two,
        ):
            received = await take(one, 5)
            await one.commit(next_offsets(received))
            assert values(await take(two, 5)) == values(received)
        assert await bus.committed(name("one"), [topic]) == {received[0].source: 5}
        assert await bus.committed(name("two"), [topic]) == {}


class TestTail:
    async def test_it_starts_at_the_end_of_what_exists(self, bus: Bus, bus_engine: BusEngine, name: Name) -> None:
        await bus.publish(numbered(name("topic"), 3))
        listener = Listener()
        async with consuming(bus, None, [name("topic")], listener) as consumer:
            assert await consumer.poll(10, bus_engine.quiet) == []
            await asyncio.wait_for(listener.assigned.wait(), PATIENCE)
            await bus.publish(numbered(name("topic"), 2, start=3))
            assert values(await take(consumer, 2)) == ["3", "4"]

    async def test_it_reads_a_later_topic_from_its_beginning(self, bus: Bus, bus_engine: BusEngine, name: Name) -> None:
        async with consuming(bus, None, [name("later")]) as consumer:
            assert await consumer.poll(10, bus_engine.quiet) == []
            await bus.publish(numbered(name("later"), 3))
            assert values(await take(consumer, 3)) == ["0", "1", "2"]


class TestSubscription:
    async def test_a_new_topic_joins_and_the_others_keep_their_positions(self, bus: Bus, name: Name) -> None:
        old, new = name("old"), name("new")
        await bus.publish([*numbered(old, 4), *numbered(new, 2, start=100)])
        async with consuming(bus, name("group"), [old]) as consumer:
            assert values(await take(consumer, 4)) == ["0", "1", "2", "3"]
            await consumer.subscribe([old, new])
            assert values(await take(consumer, 2)) == ["100", "101"]
            await bus.publish(numbered(old, 1, start=4))
            assert values(await take(consumer, 1)) == ["4"]

    async def test_a_topic_is_read_once_it_exists(self, bus: Bus, bus_engine: BusEngine, name: Name) -> None:
        async with consuming(bus, name("group"), [name("later")]) as consumer:
            assert await consumer.poll(10, bus_engine.quiet) == []
            await bus.publish(numbered(name("later"), 2))
            assert values(await take(consumer, 2)) == ["0", "1"]

    async def test_a_topic_left_out_and_taken_back_at_once_has_lost_nothing(self, bus: Bus, name: Name) -> None:
        one, two = name("one"), name("two")
        await bus.publish([record(one, "1"), record(two, "2")])
        async with consuming(bus, name("group"), [one, two]) as consumer:
            assert sorted(values(await take(consumer, 2))) == ["1", "2"]
            await bus.publish([record(two, "3")])
            await consumer.subscribe([one])
            await consumer.subscribe([one, two])
            found: list[str] = []
            while "3" not in found:  # and perhaps "2" again, which was not committed
                found += values(await take(consumer, 1))

    async def test_a_topic_left_out_is_read_no_more(self, bus: Bus, bus_engine: BusEngine, name: Name) -> None:
        kept, left = name("kept"), name("left")
        await bus.create_topics([kept, left])
        async with consuming(bus, name("group"), [kept, left]) as consumer:
            await bus.publish([record(left, "before")])
            assert values(await take(consumer, 1)) == ["before"]
            await consumer.subscribe([kept])
            await bus.publish([record(left, "after"), record(kept, "kept")])
            assert values(await take(consumer, 1)) == ["kept"]
            assert await consumer.poll(10, bus_engine.quiet) == []


class TestListener:
    async def test_it_knows_where_each_partition_starts_before_its_records(self, bus: Bus, name: Name) -> None:
        fresh, resumed, group = name("fresh"), name("resumed"), name("group")
        await bus.publish([*numbered(fresh, 3), *numbered(resumed, 3)])
        async with consuming(bus, group, [resumed]) as consumer:
            (first, *_) = await take(consumer, 3)
            await consumer.commit({first.source: 2})
        listener = Listener()
        async with consuming(bus, group, [fresh, resumed], listener) as consumer:
            received = await consumer.poll(100, PATIENCE)
            assert {r.source for r in received} <= listener.starts.keys()
            received += await take(consumer, 4 - len(received))
        lowest = {r.source: r.offset for r in reversed(received)}
        assert {source: listener.starts[source] for source in lowest} == lowest
        assert lowest[first.source] == 2

    async def test_it_hears_of_what_is_unsubscribed_and_closed(self, bus: Bus, name: Name) -> None:
        kept, left = name("kept"), name("left")
        await bus.publish([record(kept, "1"), record(left, "2")])
        listener = Listener()
        async with consuming(bus, name("group"), [kept, left], listener) as consumer:
            await take(consumer, 2)
            assert {where.topic for where in listener.starts} == {kept, left}
            assert listener.revoked == []
            await consumer.subscribe([kept])
            async with asyncio.timeout(30):
                while left not in {where.topic for where in listener.revoked}:
                    await consumer.poll(10, 0.2)
        assert {where.topic for where in listener.revoked} == {kept, left}


class TestReading:
    async def test_a_range_has_its_first_and_not_its_last_offset(self, bus: Bus, name: Name) -> None:
        await bus.publish(numbered(name("topic"), 10))
        ((where, (begin, end)),) = (
            (where, span) for where, span in (await bus.offsets([name("topic")])).items() if span[1]
        )
        assert (begin, end) == (0, 10)

        async def read(start: int, stop: int) -> list[str]:
            return [text async for batch in bus.read(where, start, stop) for text in values(batch)]

        assert await read(3, 7) == ["3", "4", "5", "6"]
        assert await read(0, 10) == [str(i) for i in range(10)]
        assert await read(8, 1000) == ["8", "9"]
        assert await read(5, 5) == []
        assert await read(10, 20) == []

    async def test_it_comes_in_batches_and_moves_no_group(self, bus: Bus, name: Name) -> None:
        topic = name("topic")
        for start in range(0, 3000, 500):
            await bus.publish(numbered(topic, 500, start=start))
        (where,) = (where for where, (_, end) in (await bus.offsets([topic])).items() if end)
        batches = [batch async for batch in bus.read(where, 0, 3000)]
        assert len(batches) > 1
        assert [r.offset for batch in batches for r in batch] == list(range(3000))
        async with consuming(bus, name("group"), [topic]) as consumer:
            assert values(await consumer.poll(1, PATIENCE)) == ["0"]

    async def test_reading_what_is_not_there_yields_nothing(self, bus: Bus, name: Name) -> None:
        assert [batch async for batch in bus.read(TopicPartition(name("nowhere"), 0), 0, 10)] == []


class TestReopening:
    async def test_records_topics_and_offsets_are_still_there(
        self, bus: Bus, bus_engine: BusEngine, name: Name
    ) -> None:
        await bus.publish(numbered(name("topic"), 3))
        before = await bus.offsets([name("topic")])
        bus = await bus_engine.connect()
        assert name("topic") in await bus.topics()
        assert await bus.offsets([name("topic")]) == before
        await bus.publish(numbered(name("topic"), 1, start=3))
        async with consuming(bus, name("group"), [name("topic")]) as consumer:
            received = await take(consumer, 4)
        assert values(received) == ["0", "1", "2", "3"]
        assert [r.offset for r in received] == [0, 1, 2, 3]

    async def test_closing_twice_is_closing(self, bus: Bus, name: Name) -> None:
        await bus.close()
        await bus.close()
        with pytest.raises(BusError):
            await bus.publish([record(name("topic"), "late")])
