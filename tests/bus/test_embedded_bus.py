"""What only the embedded bus promises; the rest is in tests/contract."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.bus.base import BusError, TopicPartition
from pipeline.bus.embedded import tables as embedded_tables
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.embedded.consumer import _shares
from testkit.fakes import FakeClock
from tests.contract.helpers import PATIENCE, Listener, consuming, numbered, record, take, values
from tests.storage.test_sqlite import held, listing, spin, threads_of

WEEK = 7 * 86400.0
TOPIC = TopicPartition("topic", 0)


class TestConsumers:
    async def test_a_group_has_one_member_at_a_time(self, bus: EmbeddedBus) -> None:
        first = bus.consumer("group", ["topic"])
        with pytest.raises(BusError, match="'group' has a consumer already"):
            bus.consumer("group", ["topic"])
        other, tail, another_tail = bus.consumer("other", []), bus.consumer(None, []), bus.consumer(None, [])
        await first.close()
        second = bus.consumer("group", ["topic"])
        for consumer in (second, other, tail, another_tail):
            await consumer.close()

    async def test_a_closed_one_refuses(self, bus: EmbeddedBus) -> None:
        consumer = bus.consumer("group", ["topic"])
        await consumer.close()
        await consumer.close()
        with pytest.raises(BusError, match="consumer is closed"):
            await consumer.poll(10, PATIENCE)
        with pytest.raises(BusError, match="consumer is closed"):
            await consumer.commit({TOPIC: 1})

    async def test_one_without_a_group_cannot_commit(self, bus: EmbeddedBus) -> None:
        async with consuming(bus, None, ["topic"]) as consumer:
            with pytest.raises(BusError, match="without a group"):
                await consumer.commit({TOPIC: 1})

    async def test_a_tail_misses_nothing_from_its_creation_on(self, bus: EmbeddedBus) -> None:
        await bus.publish(numbered("old", 3))
        async with consuming(bus, None, ["old", "new"]) as consumer:
            await bus.publish([record("old", "3"), record("new", "0")])
            assert sorted(values(await take(consumer, 2))) == ["0", "3"]

    async def test_closing_the_bus_closes_its_consumers(self, tmp_path: Path) -> None:
        path = tmp_path / "closing.sqlite"  # a name that no other test's threads have
        bus = EmbeddedBus(path)
        await bus.open()
        await bus.create_topics(["topic"])
        listener = Listener()
        consumer = bus.consumer("group", ["topic"], listener)
        waiting = asyncio.create_task(consumer.poll(10, 100 * PATIENCE))
        await asyncio.wait_for(listener.assigned.wait(), PATIENCE)
        await bus.close()
        with pytest.raises(BusError, match="consumer is closed"):
            await asyncio.wait_for(waiting, PATIENCE)
        assert listener.revoked == [TOPIC]
        assert threads_of(path) == []

    async def test_a_listener_that_fails_is_told_again(self, bus: EmbeddedBus) -> None:
        class Failing(Listener):
            async def on_assigned(self, partitions: Any) -> None:
                await super().on_assigned(partitions)
                if len(calls) == 0:
                    calls.append(1)
                    raise RuntimeError("not now")

        calls: list[int] = []
        await bus.publish(numbered("topic", 2))
        async with consuming(bus, "group", ["topic"], Failing()) as consumer:
            with pytest.raises(RuntimeError, match="not now"):
                await consumer.poll(10, PATIENCE)
            assert values(await consumer.poll(10, PATIENCE)) == ["0", "1"]

    async def test_a_publisher_cancelled_while_it_is_written_is_still_heard(self, bus: EmbeddedBus) -> None:
        await bus.create_topics(["topic"])
        listener = Listener()
        async with consuming(bus, "group", ["topic"], listener) as consumer:
            waiting = asyncio.create_task(consumer.poll(10, 100 * PATIENCE))
            await listener.assigned.wait()
            async with held(bus._database):
                publisher = asyncio.create_task(bus.publish([record("topic", "heard")]))
                await spin()
                publisher.cancel()
                await asyncio.gather(publisher, return_exceptions=True)
            assert publisher.cancelled()
            assert values(await asyncio.wait_for(waiting, PATIENCE)) == ["heard"]

    async def test_one_begins_anew_with_a_topic_that_was_deleted_meanwhile(self, bus: EmbeddedBus) -> None:
        await bus.publish(numbered("topic", 5))
        listener = Listener()
        async with consuming(bus, "group", ["topic"], listener) as consumer:
            assert values(await take(consumer, 5)) == ["0", "1", "2", "3", "4"]
            await bus.delete_topics(["topic"])
            assert listener.revoked == [TOPIC] and await consumer.poll(10, 0.01) == []
            assert consumer.assigned == frozenset()
            await bus.publish(numbered("topic", 2, start=7))
            assert values(await take(consumer, 2)) == ["7", "8"]

    async def test_a_topic_of_many_records_is_deleted_in_steps(
        self, bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded_tables, "_SWEEP_STEP", 3)
        for start in range(0, 10, 2):
            await bus.publish([*numbered("topic", 2, start=start), *numbered("kept", 2, start=start)])
        await bus.delete_topics(["topic"])
        assert await bus.topics() == {"kept"}
        async with consuming(bus, "group", ["kept", "topic"]) as consumer:
            assert len(await take(consumer, 10)) == 10
            await bus.publish(numbered("topic", 1, start=3))
            assert values(await take(consumer, 1)) == ["3"], "nothing of the one before"


class TestMemory:
    async def test_who_keeps_up_reads_no_file(self, bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch) -> None:
        def never(*_: Any) -> Any:
            raise AssertionError("read from the file")

        await bus.create_topics(["a", "b"])
        async with consuming(bus, "group", ["a", "b"]) as consumer:
            assert await consumer.poll(10, 0.01) == []
            monkeypatch.setattr(embedded_tables, "read", never)
            published = [replace(record("a", "0"), headers={"schema": b"x"}), record("b", "0"), record("a", "1")]
            await bus.publish(published)
            got = await take(consumer, 3)
        assert sorted((r.topic, r.offset, r.value, r.headers) for r in got) == [
            ("a", 0, b"0", {"schema": b"x"}),
            ("a", 1, b"1", {}),
            ("b", 0, b"0", {}),
        ]

    async def test_it_is_the_same_from_memory_and_from_the_file(self, bus: EmbeddedBus) -> None:
        newest = bus._reader._newest
        newest._limit = 3500  # four records or so
        await bus.publish([*numbered("a", 10), *numbered("b", 10)])
        async with consuming(bus, "fast", ["a", "b"]) as fast, consuming(bus, "slow", ["a", "b"]) as slow:
            got = await take(fast, 20)  # from the file
            for start in range(10, 20, 2):
                await bus.publish(numbered("a", 2, start=start))
                assert len(newest.read("a", start, start + 2)) == 2
                got += await take(fast, 2)  # from memory
            assert sorted((r.topic, r.offset) for r in got) == [
                *(("a", offset) for offset in range(20)),
                *(("b", offset) for offset in range(10)),
            ]
            assert newest.read("a", 0, 20) == []
            bus._reader._older.clear()
            assert sorted(map(repr, await take(slow, 30))) == sorted(map(repr, got))  # from the file

    async def test_a_batch_may_be_of_both(self, bus: EmbeddedBus) -> None:
        newest = bus._reader._newest
        newest._limit = 3500
        await bus.publish(numbered("a", 10))
        await bus.publish(numbered("b", 2))
        assert newest.read("a", 0, 1) == [] and len(newest.read("b", 0, 2)) == 2
        async with consuming(bus, "group", ["a", "b"]) as consumer:
            batch = await consumer.poll(12, PATIENCE)
        assert sorted((r.topic, r.offset) for r in batch) == [*(("a", i) for i in range(10)), ("b", 0), ("b", 1)]

    async def test_of_several_that_are_behind_one_reads_for_all(
        self, bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await bus.publish([*numbered("a", 250), *numbered("b", 250)])
        await bus.close()
        await bus.open()
        reads = 0
        read = embedded_tables.read

        def counting(*args: Any) -> Any:
            nonlocal reads
            reads += 1
            return read(*args)

        monkeypatch.setattr(embedded_tables, "read", counting)
        async with consuming(bus, "one", ["a", "b"]) as one, consuming(bus, "two", ["a", "b"]) as two:
            first = await take(one, 500)
            before = reads
            second = await take(two, 500)
        assert reads == before > 0
        assert sorted(map(repr, first)) == sorted(map(repr, second))

    async def test_what_is_read_while_it_is_deleted_is_not_remembered(
        self, bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await bus.publish(numbered("topic", 3))
        bus._reader.forget()
        found, deleted = threading.Event(), threading.Event()
        read = embedded_tables.read

        def slow(*args: Any) -> Any:
            before = read(*args)
            found.set()
            assert deleted.wait(PATIENCE)
            return before

        monkeypatch.setattr(embedded_tables, "read", slow)
        reading = asyncio.create_task(anext(bus.read(TOPIC, 0, 3)))  # type: ignore[arg-type]
        assert await asyncio.to_thread(found.wait, PATIENCE)
        await bus.delete_topics(["topic"])
        deleted.set()
        assert values(await reading) == ["0", "1", "2"]
        await bus.publish(numbered("topic", 3, start=7))
        bus._reader._newest.clear()
        assert [text async for batch in bus.read(TOPIC, 0, 3) for text in values(batch)] == ["7", "8", "9"]

    async def test_another_process_may_delete_what_was_read(self, bus: EmbeddedBus, path: Path) -> None:
        await bus.publish(numbered("topic", 3))
        onlooker = EmbeddedBus(path, read_only=True)
        await onlooker.open()
        assert [text async for batch in onlooker.read(TOPIC, 0, 3) for text in values(batch)] == ["0", "1", "2"]
        await bus.delete_topics(["topic"])
        await bus.publish(numbered("topic", 2, start=7))
        assert [text async for batch in onlooker.read(TOPIC, 0, 3) for text in values(batch)] == ["7", "8"]
        await onlooker.close()

    async def test_nothing_is_remembered_over_a_reopening(self, bus: EmbeddedBus) -> None:
        await bus.publish(numbered("topic", 3))
        await bus.close()
        await bus.open()
        assert bus._reader._newest.read("topic", 0, 3) == []


class TestFairness:
    async def test_a_busy_topic_does_not_starve_the_others(self, bus: EmbeddedBus) -> None:
        await bus.publish(numbered("busy", 1000))
        await bus.publish([*numbered("quiet", 10), *numbered("calm", 2)])
        async with consuming(bus, "group", ["busy", "quiet", "calm"]) as consumer:
            batch = await consumer.poll(30, PATIENCE)
            assert {t: sum(r.topic == t for r in batch) for t in ("busy", "quiet", "calm")} == {
                "busy": 18,
                "quiet": 10,
                "calm": 2,
            }

    async def test_more_topics_than_records_take_turns(self, bus: EmbeddedBus) -> None:
        topics = [f"t{i}" for i in range(7)]
        await bus.publish([r for topic in topics for r in numbered(topic, 3)])
        async with consuming(bus, "group", topics) as consumer:
            turns = [[r.topic for r in await consumer.poll(2, PATIENCE)] for _ in range(7)]
        served = [topic for turn in turns for topic in turn]
        assert sorted(served) == sorted(topics * 2)
        assert set(served[:7]) == set(topics)

    async def test_many_topics_that_have_much_are_served_a_few_at_a_time(self, bus: EmbeddedBus) -> None:
        topics = [f"t{i}" for i in range(40)]
        await bus.publish([r for topic in topics for r in numbered(topic, 30)])
        async with consuming(bus, "group", topics) as consumer:
            turns = [Counter(r.topic for r in await consumer.poll(100, PATIENCE)) for _ in range(4)]
        assert [set(turn.values()) for turn in turns] == [{10}] * 4
        assert set().union(*turns) == set(topics)

    async def test_large_records_come_in_small_batches_and_in_turn(
        self, bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded_tables, "BATCH_BYTES", 3000)
        for topic in ("a", "b") * 4:  # one by one, for what is in one block is read at once
            await bus.publish([record(topic, "x" * 400)])
        await bus.close()
        await bus.open()  # what is read from the file is bounded, what is still in memory is so by itself
        async with consuming(bus, "group", ["a", "b"]) as consumer:
            batches = [await consumer.poll(100, PATIENCE) for _ in range(3)]
        first, second, third = ([(r.topic, r.offset) for r in batch] for batch in batches)
        assert len(first) == len(second) == 3
        assert first[0][0] != second[0][0]
        assert sorted(first + second + third) == [(topic, offset) for topic in "ab" for offset in range(4)]

    @given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 50), max_size=8), st.integers(8, 100))
    def test_shares_use_all_there_is_and_favour_nobody(self, wanted: dict[str, int], total: int) -> None:
        shares = _shares(wanted, total)
        assert sum(shares.values()) == min(total, sum(wanted.values()))
        short = [shares[topic] for topic in wanted if shares[topic] < wanted[topic]]
        assert all(1 <= shares[topic] <= wanted[topic] for topic in wanted)
        # Who gets less than it wants gets as much as anybody, but for the remainder of the division.
        assert all(share >= max(shares.values()) - 1 for share in short)


class TestRetention:
    async def test_what_is_old_goes_and_offsets_go_on(self, bus: EmbeddedBus, path: Path, clock: FakeClock) -> None:
        await bus.publish(numbered("topic", 3))
        clock.jump(WEEK - 1)
        await bus.publish(numbered("topic", 2, start=3))
        assert await bus.sweep() == 0
        clock.jump(2)
        assert await bus.sweep() == 3
        assert await bus.offsets(["topic"]) == {TOPIC: (3, 5)}
        clock.jump(WEEK)
        assert await bus.sweep() == 2
        assert await bus.offsets(["topic"]) == {TOPIC: (5, 5)}
        await bus.close()
        await bus.open()
        await bus.publish(numbered("topic", 1, start=5))
        assert await bus.offsets(["topic"]) == {TOPIC: (5, 6)}
        assert [r.offset async for batch in bus.read(TOPIC, 0, 100) for r in batch] == [5]

    async def test_what_a_group_has_yet_to_read_stays(self, bus: EmbeddedBus, clock: FakeClock) -> None:
        await bus.publish([*numbered("topic", 4), *numbered("other", 2)])
        await bus.publish(numbered("topic", 6, start=4))
        async with consuming(bus, "fast", []) as fast, consuming(bus, "slow", []) as slow:
            await fast.commit({TOPIC: 10})
            await slow.commit({TOPIC: 7})
            clock.jump(WEEK + 1)
            # Nobody has ever committed on the other topic, so there age alone decides. What was published together
            # goes together.
            assert await bus.sweep() == 4 + 2
            assert await bus.offsets(["topic"]) == {TOPIC: (4, 10)}
            await slow.commit({TOPIC: 10})
            assert await bus.sweep() == 6

    async def test_it_is_applied_when_the_bus_is_opened(self, bus: EmbeddedBus, clock: FakeClock) -> None:
        await bus.publish(numbered("topic", 3))
        await bus.close()
        clock.jump(WEEK + 1)
        await bus.open()
        assert await bus.offsets(["topic"]) == {TOPIC: (3, 3)}

    async def test_it_is_applied_every_hour(self, bus: EmbeddedBus, clock: FakeClock) -> None:
        await bus.publish(numbered("topic", 3))
        clock.jump(WEEK + 1)
        assert await bus.offsets(["topic"]) == {TOPIC: (0, 3)}
        await clock.advance(3600)
        async with asyncio.timeout(PATIENCE):
            while await bus.offsets(["topic"]) != {TOPIC: (3, 3)}:
                pass

    async def test_it_goes_in_steps(self, bus: EmbeddedBus, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedded_tables, "_SWEEP_STEP", 4)
        for start in range(0, 10, 2):
            await bus.publish(numbered("topic", 2, start=start))
        clock.jump(WEEK + 1)
        steps = []

        def counting(*args: Any) -> Any:
            swept = sweep(*args)
            steps.append(0 if swept is None else swept.records)
            return swept

        sweep = embedded_tables.sweep
        monkeypatch.setattr(embedded_tables, "sweep", counting)
        assert await bus.sweep() == 10
        assert steps == [4, 4, 2, 0]

    async def test_a_consumer_whose_place_is_gone_goes_on_at_the_beginning(
        self, bus: EmbeddedBus, clock: FakeClock
    ) -> None:
        await bus.publish(numbered("topic", 5))
        async with consuming(bus, "group", ["topic"]) as consumer:
            assert values(await consumer.poll(1, PATIENCE)) == ["0"]
            clock.jump(WEEK + 1)
            await bus.publish(numbered("topic", 2, start=5))
            assert await bus.sweep() == 5
            assert values(await take(consumer, 2)) == ["5", "6"]

    async def test_one_that_finds_all_swept_waits_for_more(self, bus: EmbeddedBus, clock: FakeClock) -> None:
        await bus.publish([*numbered("topic", 5), *numbered("other", 5)])
        listener = Listener()
        async with consuming(bus, "group", ["topic", "other"], listener) as consumer:
            await consumer.poll(2, PATIENCE)
            clock.jump(WEEK + 1)
            assert await bus.sweep() == 10
            assert await consumer.poll(1, 0.01) == []
            await bus.publish(numbered("topic", 1, start=5))
            assert values(await take(consumer, 1)) == ["5"]

    async def test_a_group_that_comes_late_starts_at_what_is_left(self, bus: EmbeddedBus, clock: FakeClock) -> None:
        await bus.publish(numbered("topic", 5))
        clock.jump(WEEK + 1)
        await bus.sweep()
        await bus.publish(numbered("topic", 1, start=5))
        listener = Listener()
        async with consuming(bus, "group", ["topic"], listener) as consumer:
            assert values(await take(consumer, 1)) == ["5"]
        assert listener.starts == {TOPIC: 5}


class TestReadOnly:
    async def test_it_looks_on_while_another_writes(self, bus: EmbeddedBus, path: Path) -> None:
        await bus.publish(numbered("topic", 3))
        async with consuming(bus, "group", ["topic"]) as consumer:
            await consumer.commit({TOPIC: 2})
        onlooker = EmbeddedBus(path, read_only=True)
        await onlooker.open()
        await bus.publish(numbered("topic", 1, start=3))
        assert await onlooker.topics() == {"topic"}
        assert await onlooker.offsets(["topic"]) == {TOPIC: (0, 4)}
        assert await onlooker.committed("group", ["topic"]) == {TOPIC: 2}
        assert [text async for batch in onlooker.read(TOPIC, 2, 4) for text in values(batch)] == ["2", "3"]
        with pytest.raises(BusError, match="reading only"):
            await onlooker.publish(numbered("topic", 1))
        with pytest.raises(BusError, match="reading only"):
            onlooker.consumer("group", ["topic"])
        await onlooker.close()

    async def test_it_sweeps_nothing(self, bus: EmbeddedBus, path: Path, clock: FakeClock) -> None:
        await bus.publish(numbered("topic", 3))
        await bus.close()
        clock.jump(WEEK + 1)
        onlooker = EmbeddedBus(path, read_only=True, clock=clock, retention=timedelta(seconds=1))
        await onlooker.open()
        assert await onlooker.offsets(["topic"]) == {TOPIC: (0, 3)}
        await onlooker.close()

    async def test_a_missing_bus_is_said(self, path: Path) -> None:
        with pytest.raises(BusError, match=r"there is no .*bus\.sqlite yet"):
            await EmbeddedBus(path, read_only=True).open()
        assert listing(path.parent) == []


async def test_a_full_disk_stops_publishing_until_there_is_space(bus: EmbeddedBus) -> None:
    await bus.publish(numbered("topic", 3))
    await bus._database.write(lambda connection: connection.execute("PRAGMA max_page_count = 20").fetchone())
    with pytest.raises(BusError, match=r"bus\.sqlite: the disk is full"):
        await bus.publish([record("topic", "x" * 500_000), record("fresh", "y")])
    assert await bus.offsets(["topic", "fresh"]) == {TOPIC: (0, 3)}
    await bus._database.write(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchone())
    await bus.publish([record("topic", "x" * 500_000)])
    assert await bus.offsets(["topic"]) == {TOPIC: (0, 4)}


class TestUnchanged:
    async def test_answers_are_those_of_now(self, bus: EmbeddedBus, path: Path) -> None:
        assert (await bus.topics(), await bus.offsets(["topic"]), await bus.committed("group", ["topic"])) == (
            set(),
            {},
            {},
        )
        beside = EmbeddedBus(path, read_only=True)
        await beside.open()
        for count in range(1, 4):
            await bus.publish([record("topic", "v")])
            consumer = bus.consumer("group", ["topic"])
            await consumer.commit({TOPIC: count})
            await consumer.close()
            for reader in (bus, beside):
                assert await reader.topics() == {"topic"}
                assert await reader.offsets(["topic", "other"]) == {TOPIC: (0, count)}
                assert await reader.committed("group", ["topic"]) == {TOPIC: count}
                assert await reader.committed("group", ["other"]) == await reader.offsets(["other"]) == {}
                assert await reader.committed("nobody", ["topic"]) == {}
        await bus.delete_topics(["topic"])
        assert (await bus.topics(), await bus.offsets(["topic"]), await beside.topics()) == (set(), {}, set())
        await beside.close()

    async def test_they_are_read_once_while_nothing_is_written(
        self, bus: EmbeddedBus, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await bus.create_topics(["topic"])
        beside = EmbeddedBus(path, read_only=True)
        await beside.open()
        reads: Counter[str] = Counter()

        def counted(name: str) -> Callable[..., Any]:
            read = getattr(embedded_tables, name)

            def counting(*args: Any) -> Any:
                reads[name] += 1
                return read(*args)

            return counting

        for name in ("topics", "committed"):
            monkeypatch.setattr(embedded_tables, name, counted(name))
        for _ in range(3):
            (await beside.offsets(["topic"])).clear()
            assert await beside.offsets(["topic"]) == {TOPIC: (0, 0)}, "whoever is told may do with it as he likes"
            assert await beside.committed("group", ["topic"]) == {}
        assert reads == {"topics": 1, "committed": 1}
        await beside.close()
        await beside.open()
        await beside.offsets(["topic"])
        assert reads["topics"] > 1
        await beside.close()

    async def test_who_writes_need_not_read(self, bus: EmbeddedBus, clock: FakeClock) -> None:
        """What it knows is what is in the file, whatever was done."""

        async def check() -> None:
            in_file = await bus._database.read(embedded_tables.offsets)
            topics = [topic for topic, _, _ in in_file[0]]
            assert await bus.topics() == set(topics)
            spans = {TopicPartition(topic, 0): (first, next_) for topic, first, next_ in in_file[0]}
            assert await bus.offsets([*topics, "nowhere"]) == spans
            for group in ("group", "other", "nobody"):
                own = {TopicPartition(topic, 0): next_ for g, topic, next_ in in_file[1] if g == group}
                assert await bus.committed(group, [*topics, "nowhere"]) == own

        await bus.create_topics(["a", "b"])
        await check()
        await bus.publish([*numbered("a", 3), *numbered("topic", 5)])
        await bus.create_topics(["a", "c"])
        async with consuming(bus, "group", ["topic"]) as consumer:
            await consumer.commit({TOPIC: 5, TopicPartition("nowhere", 0): 3})
        await bus.reset("other", {TOPIC: 5, TopicPartition("a", 0): 1})
        await check()
        clock.jump(WEEK + 1)
        await bus.publish(numbered("topic", 2))
        assert await bus.sweep() == 5
        await check()
        await bus.delete_topics(["topic", "nowhere"])
        await check()
        await asyncio.gather(
            bus.publish(numbered("topic", 2)), bus.delete_topics(["topic"]), bus.publish(numbered("topic", 1))
        )
        await check()
        await bus.close()
        await bus.open()
        await check()
