"""What the consumers of a process share of what they fetch, and how long they wait for each other."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace

import pytest
from aiokafka.record.memory_records import MemoryRecords

from pipeline.bus.base import Received, Record, TopicPartition
from pipeline.bus.kafka import sharing
from pipeline.bus.kafka.codec import received
from pipeline.bus.kafka.sharing import BatchReader, SharedBatches
from tests.bus.kafka_batches import batch

BARS = TopicPartition("bars", 0)
SIZE = 807 * 10
"""Of ten records, about."""
NEVER = 1e9
SOON = 0.01


class Stage:
    """A reader that stands somewhere in `BARS`, or nowhere."""

    def __init__(self, batches: SharedBatches, at: int | None = 0) -> None:
        self.at = at
        self.batches = batches
        self.reader = BatchReader(batches)
        self.reader.join(lambda where: self.at if where == BARS else None)

    def read(self, first: int = 0, count: int = 10, text: str = "text") -> Sequence[Received]:
        """Fetch the batch, and take all of it."""
        records = self.reader.records(*BARS, MemoryRecords(batch(first, count, text)).next_batch())
        self.at = first + count
        return records


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The offset of each record that is unpacked from now on."""
    offsets: list[int] = []

    def noted(topic: str, partition: int, record: Received) -> Received:
        offsets.append(record.offset)
        return received(topic, partition, record)

    monkeypatch.setattr(sharing, "received", noted)
    return offsets


async def waits(stage: Stage) -> bool:
    """Whether the stage is made to wait."""
    waiting = asyncio.create_task(stage.reader.wait_for_others())
    for _ in range(3):
        await asyncio.sleep(0)
    if waiting.done():
        return False
    waiting.cancel()
    return True


async def test_a_batch_is_unpacked_once_for_all_who_come_to_it(unpacked: list[int]) -> None:
    batches = SharedBatches()
    stages = [Stage(batches) for _ in range(3)]
    first, second, third = (stage.read() for stage in stages)
    assert unpacked == list(range(10))
    assert all(a is b is c for a, b, c in zip(first, second, third, strict=True))


async def test_what_nobody_will_read_is_not_kept(unpacked: list[int]) -> None:
    batches = SharedBatches()
    stage, _behind_it, _elsewhere = Stage(batches), Stage(batches, at=3), Stage(batches, at=None)
    closed = Stage(batches)
    closed.reader.close()
    stage.read()
    assert batches._size == 0
    stage.read()
    assert len(unpacked) == 20


async def test_what_all_have_read_is_not_kept_any_longer() -> None:
    batches = SharedBatches()
    stages = [Stage(batches) for _ in range(3)]
    for stage in stages:
        stage.read()
        assert (batches._size > 0) == (stage is not stages[-1])
    assert not any(stage.reader.read or stage.reader.unread or stage.reader.ahead for stage in stages)


async def test_who_leaves_is_not_kept_for() -> None:
    batches = SharedBatches()
    one, other = Stage(batches), Stage(batches)
    one.read()
    other.reader.close()
    other.reader.close()
    assert batches._size == one.reader.ahead == 0


async def test_a_topic_made_anew_is_another() -> None:
    batches = SharedBatches()
    one, other = Stage(batches), Stage(batches)
    assert one.read(text="old")[0].value == b"old 0"
    assert other.read(text="new")[0].value == b"new 0"


async def test_no_more_is_kept_than_fits_and_the_oldest_goes(unpacked: list[int]) -> None:
    batches = SharedBatches(limit=3 * SIZE)
    one, other = Stage(batches), Stage(batches)
    for first in range(0, 60, 10):
        one.read(first)
        assert batches._size <= 3 * SIZE
    assert batches._size == one.reader.ahead > 2 * SIZE
    del unpacked[:]
    for first in range(0, 60, 10):
        other.read(first)
    assert unpacked == list(range(30)), "and the others were still there"
    assert batches._size == one.reader.ahead == other.reader.ahead == 0


async def test_what_is_larger_than_all_that_fits_is_read_all_the_same() -> None:
    batches = SharedBatches(limit=SIZE)
    one, _ = Stage(batches), Stage(batches)
    assert len(one.read(count=50)) == 50
    assert batches._size == 0


async def test_what_is_published_here_is_not_unpacked(unpacked: list[int]) -> None:
    batches = SharedBatches()
    stages = [Stage(batches) for _ in range(2)]
    records = [Record("bars", "K", f"text {n}".encode(), 1000 + n, {"schema": b"bar/1"}) for n in range(3)]
    as_sent = MemoryRecords(batch(0, 3)).next_batch()
    batches.published(records, BARS, 0, as_sent)
    for stage in stages:
        found = stage.read(count=3)
        assert list(found) == [received(*BARS, record) for record in MemoryRecords(batch(0, 3)).next_batch()]
        assert all(one.decoded is record.decoded for one, record in zip(found, records, strict=True))
    assert not unpacked
    assert batches._size == 0


async def test_where_a_batch_is_that_was_sent_twice_is_not_known(unpacked: list[int]) -> None:
    batches = SharedBatches()
    stage = Stage(batches)
    batches.published([Record("bars", "K", b"text 0", 1000)], BARS, -1, MemoryRecords(batch(0, 1)).next_batch())
    assert batches._size == 0
    assert [record.offset for record in stage.read(count=1)] == unpacked == [0]


async def test_what_was_read_before_its_acknowledgement_stays_as_it_is() -> None:
    batches = SharedBatches()
    one, other = Stage(batches), Stage(batches)
    first = one.read(count=1)
    batches.published([Record("bars", "K", b"text 0", 1000)], BARS, 0, MemoryRecords(batch(0, 1)).next_batch())
    assert other.read(count=1)[0] is first[0]
    assert batches._size == one.reader.ahead == 0


class TestWaiting:
    def far_ahead(self, patience: float) -> tuple[Stage, Stage]:
        """One that has read all that may be kept, and one that has read nothing."""
        batches = SharedBatches(limit=2 * SIZE, patience=patience)
        one, other = Stage(batches), Stage(batches)
        one.read(0)
        one.read(10)
        return one, other

    async def test_who_is_far_ahead_waits_until_others_come_after(self) -> None:
        batches = SharedBatches(limit=4 * SIZE, patience=NEVER)
        one, other = Stage(batches), Stage(batches)
        for first in (0, 10):
            assert not await waits(one)
            one.read(first)
        one.read(20)
        assert await waits(one)
        assert not await waits(other)
        waiting = asyncio.create_task(one.reader.wait_for_others())
        await asyncio.sleep(0)
        assert not waiting.done()
        other.read(0)
        await asyncio.wait_for(waiting, 10)

    async def test_who_has_left_is_not_waited_for(self) -> None:
        one, other = self.far_ahead(NEVER)
        assert await waits(one)
        other.reader.close()
        assert not await waits(one)

    async def test_who_does_not_come_is_left_behind_and_still_gets_everything(self, unpacked: list[int]) -> None:
        one, other = self.far_ahead(SOON)
        await asyncio.wait_for(one.reader.wait_for_others(), 10)
        assert one.reader.ahead == one.batches._size == 0
        assert [record.offset for first in (0, 10) for record in other.read(first)] == list(range(20))
        assert len(unpacked) == 40

    async def test_who_was_left_behind_is_not_waited_for_until_it_reads_again(self) -> None:
        one, other = self.far_ahead(SOON)
        await asyncio.wait_for(one.reader.wait_for_others(), 10)
        for first in range(20, 100, 10):
            one.read(first)
        assert one.reader.ahead == one.batches._size == 0
        other.read(0)
        one.read(100)
        assert one.reader.ahead

    async def test_one_that_is_called_again_and_again_waits_no_longer(self) -> None:
        one, _ = self.far_ahead(SOON)

        async def in_slices() -> None:
            while one.reader.ahead:
                waiting = asyncio.create_task(one.reader.wait_for_others())
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

        await asyncio.wait_for(in_slices(), 10)

    async def test_who_waits_a_second_time_has_all_its_patience(self) -> None:
        one, other = self.far_ahead(NEVER)
        assert await waits(one)
        other.read(0)
        assert not await waits(one)
        assert one.reader.waits_since is None

    async def test_two_that_are_ahead_of_each_other_both_go_on(self) -> None:
        batches = SharedBatches(limit=4 * SIZE, patience=SOON)
        one, other = Stage(batches), Stage(batches)
        one.read(0, 30)
        other.at = 100
        other.read(100, 30)
        one.at = 100
        await asyncio.wait_for(asyncio.gather(one.reader.wait_for_others(), other.reader.wait_for_others()), 10)


class Fetched:
    """Partitions with fetched records, as aiokafka keeps them: the first is read first, each takes `size` polls, and
    what is read is fetched again at once."""

    def __init__(self, topics: Sequence[str], size: int) -> None:
        self.size = size
        self.now = 0
        self.records: OrderedDict[tuple[str, int], SimpleNamespace] = OrderedDict()
        for topic in topics:
            self.fetch((topic, 0))

    def fetch(self, where: tuple[str, int]) -> None:
        self.now += 1
        self.records[where] = SimpleNamespace(_created=self.now, left=self.size)

    def poll(self, reader: BatchReader) -> str:
        """The topic that is read."""
        for where in reader.first(self.records):
            self.records.move_to_end(where, last=False)
        where, fetched = next(iter(self.records.items()))
        fetched.left -= 1
        if not fetched.left:
            del self.records[where]
            self.fetch(where)
        return where[0]


class TestOrder:
    def first(self, stage: Stage, *topics: str) -> list[str]:
        """The topics in the order in which they are read."""
        fetched = Fetched(topics, 1)
        for where in stage.reader.first(fetched.records):
            fetched.records.move_to_end(where, last=False)
        return [topic for topic, _ in fetched.records]

    async def test_what_is_published_here_comes_before_what_others_have_read(self) -> None:
        batches = SharedBatches()
        one, other = Stage(batches), Stage(batches)
        batches.own |= {"rows", "more"}
        one.read()
        assert self.first(other, "news", "bars", "rows", "more") == ["rows", "more", "bars", "news"]
        assert self.first(one, "news", "bars", "rows", "more") == ["rows", "more", "news", "bars"]

    @pytest.mark.parametrize("size", [1, 2, 3, 8])
    @pytest.mark.parametrize("own", [0, 3, 6])
    async def test_no_partition_waits_for_ever(self, own: int, size: int) -> None:
        batches = SharedBatches()
        stage = Stage(batches)
        topics = [f"t{number}" for number in range(6)]
        batches.own |= set(topics[:own])
        fetched = Fetched(topics, size)
        polls = [fetched.poll(stage.reader) for _ in range(4000)]
        for topic in topics:
            times = [number for number, polled in enumerate(polls) if polled == topic]
            assert max(b - a for a, b in pairwise([0, *times, len(polls)])) <= sharing._FAIR * len(topics) * size


async def test_what_a_reader_has_passed_is_not_kept_for_it() -> None:
    batches = SharedBatches()
    stage = Stage(batches)
    stamped_by_the_broker = MemoryRecords(batch(0, 1, "not what it stores")).next_batch()
    batches.published([Record("bars", "K", b"text 0", 1000)], BARS, 0, stamped_by_the_broker)
    stage.read(count=1)
    assert batches._size > 0
    stage.read(first=1, count=1)
    assert batches._size == 0
