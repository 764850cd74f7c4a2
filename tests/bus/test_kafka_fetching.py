"""What a consumer asks of a broker, and what several get of one decoding."""

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4, FetchRequest_v11
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from pipeline.bus.base import Received
from pipeline.bus.kafka.fetching import DecodedBatches, FetchSession, SharedRecords, shared

LIMIT = 1 << 20


def request(**offsets: int) -> FetchRequest:
    """Of partition 0 of these topics."""
    return FetchRequest(100, 1, LIMIT, READ_COMMITTED, [(topic, [(0, at, LIMIT)]) for topic, at in offsets.items()])


def sent(session: FetchSession, **offsets: int) -> tuple[int, int, dict[str, int], list[str]]:
    """Session, epoch, the offsets and the forgotten topics that go over the wire."""
    built = session.within(request(**offsets)).build(FetchRequest_v11)
    asked = {topic: at for topic, ((_, _, at, _, _),) in built.topics}
    return built.session_id, built.session_epoch, asked, [topic for topic, _ in built.forgotten_topics_data]


async def hear(session: FetchSession, session_id: int = 7, error_code: int = 0, version: int = 11) -> None:
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    answered.set_result(SimpleNamespace(API_VERSION=version, error_code=error_code, session_id=session_id))
    await session.heard(answered)


class TestSession:
    async def test_it_asks_for_what_has_changed(self) -> None:
        session = FetchSession()
        assert sent(session, a=0, b=5) == (0, 0, {"a": 0, "b": 5}, [])
        await hear(session)
        assert sent(session, a=3, b=5) == (7, 1, {"a": 3}, [])
        await hear(session)
        assert sent(session, a=3, b=5) == (7, 2, {}, [])
        await hear(session)
        assert sent(session, b=5, c=0) == (7, 3, {"c": 0}, ["a"])
        await hear(session)
        assert sent(session, a=3, b=5, c=0) == (7, 4, {"a": 3}, []), "what was forgotten is asked for anew"

    async def test_one_that_the_broker_does_not_know_begins_anew(self) -> None:
        session = FetchSession()
        sent(session, a=0)
        await hear(session)
        sent(session, a=1)
        await hear(session, session_id=0, error_code=70)
        assert sent(session, a=1, b=2) == (0, 0, {"a": 1, "b": 2}, [])

    async def test_a_broker_that_has_no_room_for_one_is_asked_for_everything(self) -> None:
        session = FetchSession()
        for _ in range(3):
            assert sent(session, a=0) == (0, 0, {"a": 0}, [])
            await hear(session, session_id=0)

    @pytest.mark.parametrize("error", [TimeoutError(), asyncio.CancelledError()])
    async def test_after_a_request_without_an_answer_it_begins_anew(self, error: BaseException) -> None:
        async def never() -> Any:
            raise error

        session = FetchSession()
        sent(session, a=0)
        await hear(session)
        sent(session, a=1)
        unanswered: Awaitable[Any] = never()
        with pytest.raises(type(error)):
            await session.heard(unanswered)
        assert sent(session, a=1, b=2) == (7, 0, {"a": 1, "b": 2}, []), "and closes the one before"

    async def test_old_brokers_are_asked_for_everything(self) -> None:
        session = FetchSession()
        for offset in range(3):
            built = session.within(request(a=offset)).build(FetchRequest_v4)
            assert built.topics == [("a", [(0, offset, LIMIT)])]
            await hear(session, version=4)


def batch(first: int, count: int, text: str = "text") -> bytes:
    """As a broker keeps it."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, LIMIT)
    for number in range(count):
        builder.append(number, 1000 + number, b"K", f"{text} {first + number}".encode(), [("schema", b"bar/1")])
    data = builder.build()
    data[:8] = first.to_bytes(8)  # not part of the checksum
    return bytes(data)


def fetched(data: bytes, at: int = 0) -> SharedRecords:
    where = TopicPartition("bars", 0)
    return SharedRecords(where, MemoryRecords(data), [], at, None, None, True, READ_COMMITTED)


class TestSharedRecords:
    def test_all_who_fetch_a_batch_get_the_same_records(self) -> None:
        data = batch(0, 3) + batch(3, 2)
        first, second = fetched(data), fetched(data)
        found = list(first)
        assert [(r.offset, r.ts, r.key, r.value) for r in found] == [
            (n, 1000 + n % 3, "K", f"text {n}".encode()) for n in range(5)
        ]
        assert found[0].headers == {"schema": b"bar/1"}
        assert all(one is other for one, other in zip(found, list(second), strict=True))
        assert first.next_fetch_offset == second.next_fetch_offset == 5

    def test_who_begins_within_a_batch_gets_the_rest(self) -> None:
        assert [r.offset for r in list(fetched(batch(0, 5), at=3))] == [3, 4]

    def test_who_takes_some_goes_on_after_them(self) -> None:
        records = fetched(batch(0, 5))
        assert [record.offset for _, record in zip(range(2), records, strict=False)] == [0, 1]
        assert records.next_fetch_offset == 2
        assert [record.offset for record in records] == [2, 3, 4]

    def test_a_topic_made_anew_is_another(self) -> None:
        assert next(iter(fetched(batch(0, 1, "old")))).value == b"old 0"
        assert next(iter(fetched(batch(0, 1, "new")))).value == b"new 0"

    def test_what_is_damaged_is_found_each_time(self) -> None:
        data = bytearray(batch(0, 1, "whole"))
        list(fetched(bytes(data)))
        data[-10] ^= 1
        with pytest.raises(Exception, match="Invalid CRC"):
            list(fetched(bytes(data)))

    def test_other_consumers_of_the_process_get_what_aiokafka_gives(self) -> None:
        where = TopicPartition("bars", 0)
        theirs, ours = (
            fetcher.PartitionRecords(where, MemoryRecords(batch(0, 1)), [], 0, deserializer, None, True, READ_COMMITTED)
            for deserializer in (None, shared)
        )
        assert isinstance(next(iter(theirs)), ConsumerRecord)
        assert isinstance(next(iter(ours)), Received)

    def test_no_more_is_kept_than_fits(self) -> None:
        kept = DecodedBatches(limit=5000)
        for first in range(0, 60, 3):
            source = MemoryRecords(batch(first, 3)).next_batch()
            assert len(kept.records("bars", 0, source)) == 3
            assert kept._size <= 5000
        assert len(kept._records) == 2
        assert len(kept.records("bars", 0, MemoryRecords(batch(0, 50)).next_batch())) == 50, "more than all that fits"
        assert len(kept._records) == 2
