"""Paging through a topic, on the embedded bus and on one of several partitions."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.base import Received, Record, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.contract.protocol import MAX_FRAME, GetMessages, MessagePage, Reply, encode_frame
from pipeline.control.topic_browser import MAX_MESSAGES, MAX_SCAN, browse

TOPIC = "stock_data_aapl"


class Partitions:
    """A bus that can be read, whose records stand at the offsets from `begin` on."""

    def __init__(self, records: list[tuple[int, int]], begin: int = 0) -> None:
        self._records: defaultdict[int, list[Received]] = defaultdict(list)
        self._begin = begin
        for number, (partition, entered) in enumerate(records):
            offset = begin + len(self._records[partition])
            headers = {"ingested": str(entered).encode()}
            record = Received(TOPIC, f"k{number}", str(number).encode(), 0, headers, partition, offset)
            self._records[partition].append(record)

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        return {TopicPartition(TOPIC, p): (self._begin, self._begin + len(r)) for p, r in self._records.items()}

    async def read(self, where: TopicPartition, start: int, stop: int) -> AsyncIterator[list[Received]]:
        yield [record for record in self._records[where.partition] if start <= record.offset < stop]


async def ask(bus: object, **command: object) -> MessagePage:
    return await browse(bus, GetMessages(TOPIC, **command))  # type: ignore[arg-type]


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    await bus.open()
    yield bus
    await bus.close()


async def publish(bus: EmbeddedBus, *values: str) -> None:
    await bus.publish([Record(TOPIC, "AAPL", value.encode(), ts=n) for n, value in enumerate(values)])


def offsets(page: MessagePage) -> list[int]:
    return [message.offset for message in page.messages]


async def test_the_newest_come_first_and_older_ones_after_them(bus: EmbeddedBus) -> None:
    await publish(bus, *map(str, range(10)))
    newest = await ask(bus, last=4)
    assert offsets(newest) == [9, 8, 7, 6]
    assert (newest.start, newest.stop, newest.older) == ({0: 6}, {0: 10}, True)
    older = await ask(bus, last=4, before=newest.start)
    assert offsets(older) == [5, 4, 3, 2]
    oldest = await ask(bus, last=4, before=older.start)
    assert (offsets(oldest), oldest.older) == ([1, 0], False)


async def test_what_came_in_since_is_read_from_where_the_last_page_stopped(bus: EmbeddedBus) -> None:
    await publish(bus, "a", "b")
    page = await ask(bus)
    assert (await ask(bus, after=page.stop)).messages == []
    await publish(bus, "c", "d")
    news = await ask(bus, after=page.stop)
    assert (offsets(news), news.stop, news.older) == ([3, 2], {0: 4}, False)
    # More than asked for: a gap, which the page says.
    flood = await ask(bus, after=page.stop, last=1)
    assert (offsets(flood), flood.older) == ([3], True)


async def test_a_text_is_found_whatever_its_case_and_however_far_back(bus: EmbeddedBus) -> None:
    await publish(bus, '{"title":"Straße of Hormuz"}', *(["noise"] * 3000), "x NOISE y")
    page = await ask(bus, contains="STRASSE")
    assert (offsets(page), page.start, page.older) == ([0], {0: 0}, False)
    assert offsets(await ask(bus, contains="noise", last=2)) == [3001, 3000]
    assert len((await ask(bus, contains="aapl")).messages) == 50  # the key counts too
    assert (await ask(bus, contains="nowhere")).messages == []


async def test_a_search_ends_somewhere_and_goes_on_from_there(bus: EmbeddedBus) -> None:
    await publish(bus, "needle", *(["hay"] * MAX_SCAN))
    page = await ask(bus, contains="needle")
    assert (page.messages, page.older) == ([], True)
    assert page.stop[0] - page.start[0] == MAX_SCAN
    assert offsets(await ask(bus, contains="needle", before=page.start)) == [0]


async def test_there_is_nothing_in_a_topic_that_is_not_there(bus: EmbeddedBus) -> None:
    assert await ask(bus) == MessagePage([], {}, {}, older=False)
    assert await bus.topics() == set()


async def test_offsets_that_make_no_sense_harm_nobody(bus: EmbeddedBus) -> None:
    await publish(bus, "a", "b")
    assert (await ask(bus, before={0: -5, 7: 3})).messages == []
    assert (await ask(bus, after={0: 99})).messages == []
    assert offsets(await ask(bus, last=-3, before={0: 99})) == [1]


async def test_the_worst_records_fit_into_a_frame_and_cannot_steer_a_terminal(bus: EmbeddedBus) -> None:
    headers = {f"{n}\x1b[31m": b"\xff" * 9000 for n in range(500)}
    worst = Record(TOPIC, "\u202e" + "k" * 5000, b"\x1b[2J" + b'"\xff' * 200_000, 0, headers)
    await bus.publish([worst] * MAX_MESSAGES)
    page = await ask(bus, last=10_000)
    assert len(page.messages) == MAX_MESSAGES
    assert len(encode_frame(Reply(1, page))) < MAX_FRAME
    assert page.messages[0].size == len(worst.value)
    shown = "".join((page.messages[0].key, page.messages[0].value, *page.messages[0].headers))
    assert not {"\x1b", "\u202e"} & set(shown)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50)), min_size=1, max_size=40),
    st.integers(1, 7),
    st.integers(0, 3),
)
async def test_paging_back_shows_every_record_once_in_the_order_of_its_partition(
    records: list[tuple[int, int]], size: int, begin: int
) -> None:
    bus = Partitions(records, begin)
    page = await ask(bus, last=size)
    seen = list(page.messages)
    while page.older:
        page = await ask(bus, last=size, before=page.start)
        assert page.messages
        seen += page.messages
    assert sorted(int(message.value) for message in seen) == list(range(len(records)))
    for partition in {partition for partition, _ in records}:
        own = [message.offset for message in seen if message.partition == partition]
        assert own == sorted(own, reverse=True)


async def test_partitions_are_merged_by_when_records_came_in() -> None:
    page = await ask(Partitions([(0, 1), (1, 2), (0, 3), (1, 4)]))
    assert [message.value for message in page.messages] == ["3", "2", "1", "0"]


async def test_conditions_on_fields_are_looked_for_in_the_value_and_the_record(bus: EmbeddedBus) -> None:
    await publish(bus, '{"close": 1}', "not JSON", '{"close": 20, "interval": "1min"}', "[20]", '{"close": 30}')
    assert offsets(await ask(bus, contains="close>=20")) == [4, 2]
    assert offsets(await ask(bus, contains="close>=20 interval=1min")) == [2]
    assert offsets(await ask(bus, contains="key=aapl offset<2")) == [1, 0]
    assert offsets(await ask(bus, contains='"close": 30')) == [4], "anything else is a text"
