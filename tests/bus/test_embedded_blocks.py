"""Blocks of the embedded bus: what is published together is stored together, and nobody notices."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.bus.base import BusError, Received, Record, TopicPartition
from pipeline.bus.embedded import blocks as embedded_blocks
from pipeline.bus.embedded import tables as embedded_tables
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.embedded.cache import BlockCache
from testkit.fakes import FakeClock
from tests.bus.first_format import write_first_format
from tests.contract.helpers import PATIENCE, consuming, content, numbered, record, take, values

WEEK = 7 * 86400.0
TOPIC = TopicPartition("topic", 0)

keys = st.text(max_size=5)
headers = st.dictionaries(st.text(max_size=8), st.binary(max_size=20), max_size=3)
bodies = st.binary(max_size=40) | st.binary(min_size=200, max_size=400)
records = st.builds(
    Record,
    st.sampled_from(
        ["topic", 'ünï"cödé'],
    ),
    keys,
    bodies,
    st.integers(0, 50),
    headers,
)
publishes = st.lists(st.lists(records, max_size=30), max_size=8)


async def everything(bus: EmbeddedBus, topic: str = "topic") -> list[Received]:
    return [r async for batch in bus.read(TopicPartition(topic, 0), 0, 1 << 30) for r in batch]


def stored(path: Path) -> list[int]:
    """How many records each block has, in order."""
    with closing(sqlite3.connect(path)) as connection:
        return [n for (n,) in connection.execute("SELECT records FROM blocks ORDER BY position")]


def size_of(path: Path) -> int:
    return path.stat().st_size


class TestReading:
    @settings(max_examples=40, deadline=None)
    @given(publishes, st.data())
    async def test_it_is_as_if_each_record_were_on_its_own(
        self, published: list[list[Record]], data: st.DataObject
    ) -> None:
        with TemporaryDirectory() as directory:
            bus = EmbeddedBus(Path(directory) / "bus.sqlite")
            await bus.open()
            for batch in published:
                await bus.publish(batch)
            if data.draw(st.booleans(), "merged"):
                await bus.merge()
            bus._reader.forget()
            for topic in await bus.topics():
                own = [r for batch in published for r in batch if r.topic == topic]
                where = TopicPartition(topic, 0)
                start, stop = (data.draw(st.integers(0, len(own) + 2)) for _ in range(2))
                for _ in range(2):  # from the file, and perhaps from memory
                    found = [r async for batch in bus.read(where, start, stop) for r in batch]
                    assert [r.offset for r in found] == list(range(min(start, len(own)), min(stop, len(own))))
                    assert [content(r) for r in found] == [content(r) for r in own[start:stop]]
                ts = data.draw(st.integers(0, 55))
                later = [offset for offset, r in enumerate(own) if r.ts >= ts]
                assert await bus.offsets_at([topic], ts) == {where: min(later, default=len(own))}
            await bus.close()

    async def test_a_consumer_may_begin_and_end_within_a_block(self, bus: EmbeddedBus) -> None:
        await bus.publish(numbered("topic", 90))
        async with consuming(bus, "group", ["topic"]) as consumer:
            await consumer.commit({TOPIC: 33})
        for _ in range(2):
            async with consuming(bus, "group", ["topic"]) as consumer:
                assert values(await consumer.poll(10, 1)) == [str(i) for i in range(33, 43)]
                assert values(await take(consumer, 47)) == [str(i) for i in range(43, 90)]
            bus._reader.forget()

    async def test_gaps_between_blocks_are_passed_over(self, bus: EmbeddedBus) -> None:
        for start in range(0, 30, 10):
            await bus.publish(numbered("topic", 10, start=start))
        bus._reader.forget()
        await bus._database.write(lambda c: c.execute("DELETE FROM blocks WHERE position & 255 = 10").fetchall())
        expected = [*range(10), *range(20, 30)]
        assert [r.offset for r in await everything(bus)] == expected
        assert [r.offset async for batch in bus.read(TOPIC, 14, 22) for r in batch] == [20, 21]
        assert [r.offset async for batch in bus.read(TOPIC, 14, 18) for r in batch] == []
        async with consuming(bus, "group", ["topic"]) as consumer:
            assert [r.offset for r in await take(consumer, 20)] == expected


class TestSize:
    async def test_blocks_are_bounded(self, bus: EmbeddedBus, path: Path) -> None:
        await bus.publish(numbered("a", 250))
        assert stored(path) == [100, 100, 50]
        half = "x" * (embedded_blocks.MAX_BYTES // 2)
        await bus.publish([record("b", text) for text in (half, half, half, 5 * half, "small", "small")])
        assert stored(path)[3:] == [2, 1, 1, 2]
        assert [len(r.value) for r in await everything(bus, "b")] == [len(half)] * 3 + [5 * len(half), 5, 5]

    async def test_what_is_alike_takes_little_disk(self, bus: EmbeddedBus, path: Path) -> None:
        await bus.publish([record("topic", f'{{"price": {i}, "source": "{"s" * 200}"}}') for i in range(10_000)])
        await bus.close()
        assert size_of(path) < 10_000 * 40

    async def test_a_damaged_block_is_said(self, bus: EmbeddedBus) -> None:
        await bus.publish([record("topic", "x" * 100) for _ in range(50)])
        bus._reader.forget()
        for damage in (b"\x28\xb5\x2f\xfd no frame", b"not packed"):
            await bus._database.write(lambda c, d=damage: c.execute("UPDATE blocks SET value = ?", (d,)).fetchall())
            with pytest.raises(BusError, match="records of topic from offset 0 on are damaged") as caught:
                await everything(bus)
            assert caught.value.permanent


class TestMerging:
    async def test_what_came_one_by_one_becomes_blocks(
        self, bus: EmbeddedBus, path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded_tables, "_SWEEP_STEP", 120)
        for i in range(230):
            await bus.publish([record("topic", str(i)), record("other", str(i))][: 1 + (i < 30)])
        before = await everything(bus), await everything(bus, "other")
        await bus.merge()
        # What may still grow is left as it is.
        assert sorted(stored(path), reverse=True) == [100, 100, *[1] * 60]
        bus._reader.forget()
        assert (await everything(bus), await everything(bus, "other")) == before
        for i in range(230, 310):
            await bus.publish([record("topic", str(i))])
        await clock.advance(3600)  # the sweeper's turn
        async with asyncio.timeout(PATIENCE):
            while sum(n == 100 for n in stored(path)) < 3:
                await bus.topics()
        bus._reader.forget()
        assert values(await everything(bus)) == [str(i) for i in range(310)]

    async def test_large_ones_and_those_of_other_times_stay_as_they_are(
        self, bus: EmbeddedBus, path: Path, clock: FakeClock
    ) -> None:
        async def publish(count: int, size: int = 1) -> None:
            await bus.publish([record("topic", "x" * size)] * count)

        for count in (1, 2, 50, 3, 3):
            await publish(count)
        await publish(1, 10_000)
        await publish(2)
        clock.jump(3601)
        await publish(2)
        await publish(60)
        await bus.merge()
        assert stored(path) == [3, 50, 6, 1, 2, 2, 60]
        await bus.merge()
        assert stored(path) == [3, 50, 6, 1, 2, 2, 60]

    async def test_they_are_kept_as_long_as_the_last_of_them(
        self, bus: EmbeddedBus, path: Path, clock: FakeClock
    ) -> None:
        for count in (1, 1, 50):
            await bus.publish(numbered("topic", count))
            clock.jump(1000)
        await bus.merge()
        assert stored(path) == [2, 50]
        clock.jump(WEEK - 2500)  # the first is of 3000 s ago by then, the second of 2000 s
        assert await bus.sweep() == 0
        clock.jump(1000)
        assert await bus.sweep() == 2
        assert await bus.offsets(["topic"]) == {TOPIC: (2, 52)}

    async def test_a_topic_deleted_meanwhile_is_passed_over(self, bus: EmbeddedBus) -> None:
        assert await bus._database.write(lambda c: embedded_tables.merge("nowhere", c)) is False


class TestCache:
    @given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 8)), max_size=40))
    def test_it_gives_what_was_put_there_and_keeps_its_bounds(self, puts: list[tuple[str, int, int]]) -> None:
        cache = BlockCache(20_000)
        for topic, first, count in puts:
            published = [record(topic, f"{topic}{offset}") for offset in range(first, first + count)]
            cache.put(embedded_blocks.block_of(topic, first, published)[0])
            assert cache._size == sum(block.size for block in cache._blocks.values()) <= 20_000
            (last,) = cache.read(topic, first, first + 1)
            assert last.value == f"{topic}{first}".encode()
        for topic in "ab":
            for start in range(40):
                found = cache.read(topic, start, 45)
                assert [r.offset for r in found] == list(range(start, start + len(found)))
                assert values(found) == [f"{topic}{r.offset}" for r in found]
        cache.clear()
        assert cache._size == 0 and cache.read("a", 0, 50) == []


def _published() -> list[Record]:
    return [
        Record(topic, f"KEY{i % 3}", f"{topic} {i}".encode() * (1 + i % 7), 1000 + i, {"n": str(i).encode()})
        for i in range(120)
        for topic in ("topic", "other")
    ]


COMMITTED = {"one": {"topic": 40}, "two": {"topic": 120, "other": 7}}


async def contents(path: Path) -> object:
    bus = EmbeddedBus(path)
    await bus.open()
    try:
        topics = sorted(await bus.topics())
        return (
            {topic: [(r.offset, content(r)) for r in await everything(bus, topic)] for topic in topics},
            await bus.offsets(topics),
            {group: await bus.committed(group, topics) for group in COMMITTED},
            await bus.offsets_at(topics, 1050),
        )
    finally:
        await bus.close()


def expected(published: Sequence[Record]) -> object:
    topics = ("other", "topic")
    own = {topic: [r for r in published if r.topic == topic] for topic in topics}
    return (
        {topic: list(enumerate(map(content, own[topic]))) for topic in topics},
        {TopicPartition(topic, 0): (0, len(own[topic])) for topic in topics},
        {group: {TopicPartition(t, 0): at for t, at in commits.items()} for group, commits in COMMITTED.items()},
        {TopicPartition(topic, 0): 50 for topic in topics},
    )


class TestFirstFormat:
    """Rows of earlier versions are blocks of one record."""

    def write(self, path: Path) -> None:
        appended = int(FakeClock().now().timestamp() * 1000)
        write_first_format(path, _published(), COMMITTED, appended)

    async def test_all_is_there_and_goes_on(self, path: Path) -> None:
        self.write(path)
        bus = EmbeddedBus(path, clock=FakeClock())
        await bus.open()
        await bus.close()
        bus = EmbeddedBus(path, clock=FakeClock())
        await bus.open()
        assert await bus.committed("one", ["topic", "other"]) == {TOPIC: 40}
        assert [content(r) for r in await everything(bus)] == [content(r) for r in _published() if r.topic == "topic"]
        more = numbered("topic", 30)
        await bus.publish(more)
        await bus.merge()
        bus._reader.forget()
        own = [*(r for r in _published() if r.topic == "topic"), *more]
        assert [content(r) for r in await everything(bus)] == [content(r) for r in own]
        assert [r.offset for r in await everything(bus)] == list(range(150))
        assert 100 in stored(path)
        await bus.close()

    @pytest.mark.parametrize("step", range(6))
    async def test_a_kill_while_it_is_upgraded_is_harmless(
        self, path: Path, step: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(EmbeddedBus, "sweep", _no_sweep)  # the records are of long ago
        self.write(path)
        process = multiprocessing.get_context("fork").Process(target=_open_and_be_killed, args=(path, step))
        process.start()
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
        assert await contents(path) == expected(_published())

    async def test_old_records_are_swept_as_new_ones(self, path: Path) -> None:
        self.write(path)
        clock = FakeClock()
        bus = EmbeddedBus(path, retention=timedelta(days=7), clock=clock)
        await bus.open()
        clock.jump(WEEK + 1)
        assert await bus.sweep() == 40 + 7
        assert await bus.offsets(["topic"]) == {TOPIC: (40, 120)}
        await bus.close()

    async def test_who_only_reads_is_told_to_start_a_pipeline(self, path: Path) -> None:
        self.write(path)
        with pytest.raises(BusError, match="the format of an earlier version; start a pipeline on it"):
            await EmbeddedBus(path, read_only=True).open()


async def _no_sweep(_: EmbeddedBus) -> int:
    return 0


def _open_and_be_killed(path: Path, step: int) -> None:
    """Before the statement of that number, of those that upgrade and the first that come after."""
    left = [step]
    connect = sqlite3.connect

    class Dying(sqlite3.Connection):
        def execute(self, statement: str, *more: Any) -> sqlite3.Cursor:
            if statement.startswith(("ALTER", "COMMIT", "PRAGMA user_version =", "PRAGMA query_only")):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
            return super().execute(statement, *more)

    sqlite3.connect = lambda *args, **more: connect(*args, factory=Dying, **more)  # type: ignore[assignment]
    asyncio.run(EmbeddedBus(path).open())
    os._exit(0)
