"""What a consumer asks of a broker, and how it goes through the answer."""

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, OffsetResetStrategy
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4, FetchRequest_v11
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from pipeline.bus.base import Received
from pipeline.bus.kafka.fetching import BusyFetcher, FetchSession, SharedRecords
from pipeline.bus.kafka.sharing import BatchReader, SharedBatches
from tests.bus.kafka_batches import batch

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
    response = SimpleNamespace(API_VERSION=version, error_code=error_code, session_id=session_id, topics=[])
    answered.set_result(response)
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

    def test_only_the_leader_of_a_partition_answers(self) -> None:
        """One that was the leader would answer a later version: that there is no such offset."""
        asked = FetchSession().within(request(a=0))
        assert asked.prepare({FetchRequest.API_KEY: (4, 17)}).API_VERSION == 10
        assert asked.prepare({FetchRequest.API_KEY: (0, 7)}).API_VERSION == 7


def fetched(data: bytes, at: int = 0, reader: BatchReader | None = None) -> SharedRecords:
    where = TopicPartition("bars", 0)
    reader = reader or BatchReader(SharedBatches())
    return SharedRecords(where, MemoryRecords(data), [], at, reader, None, True, READ_COMMITTED)


class TestSharedRecords:
    def test_all_of_the_batches_come_in_order(self) -> None:
        records = fetched(batch(0, 3) + batch(3, 2))
        assert [(r.offset, r.ts, r.key, r.value) for r in records.take(None)] == [
            (n, 1000 + n % 3, "K", f"text {n}".encode()) for n in range(5)
        ]
        assert records.next_fetch_offset == 5
        assert records.ended

    def test_who_begins_within_a_batch_gets_the_rest(self) -> None:
        assert [r.offset for r in fetched(batch(0, 5) + batch(5, 2), at=3).take(None)] == [3, 4, 5, 6]

    @pytest.mark.parametrize("at", [0, 1])
    @pytest.mark.parametrize("most", [1, 2, 3, 100])
    def test_who_takes_some_goes_on_after_them(self, most: int, at: int) -> None:
        records = fetched(batch(0, 2) + batch(2, 3) + batch(5, 2), at)
        found = []
        while not records.ended:
            taken = records.take(most)
            assert len(taken) <= most
            found += [record.offset for record in taken]
            assert records.next_fetch_offset == (found[-1] + 1 if found else at)
        assert found == list(range(at, 7))

    def test_what_a_compacted_batch_has_lost_at_its_end_is_passed_over(self) -> None:
        records = fetched(batch(0, 3, last=9))
        assert [record.offset for record in records.take(100)] == [0, 1, 2]
        assert records.next_fetch_offset == 10

    def test_what_is_damaged_is_found_each_time(self) -> None:
        reader = BatchReader(SharedBatches())
        data = bytearray(batch(0, 1, "whole"))
        fetched(bytes(data), reader=reader).take(None)
        data[-10] ^= 1
        with pytest.raises(Exception, match="Invalid CRC"):
            fetched(bytes(data), reader=reader).take(None)

    async def test_other_consumers_of_the_process_get_what_aiokafka_gives(self) -> None:
        where = TopicPartition("bars", 0)
        (theirs,), (ours,) = (
            result(where, deserializer, Assignment([where])).getall(10)
            for deserializer in (None, BatchReader(SharedBatches()))
        )
        assert isinstance(theirs, ConsumerRecord)
        assert isinstance(ours, Received)

    @pytest.mark.parametrize("shared", [True, False])
    async def test_what_came_before_the_position_was_lost_is_not_taken(self, *, shared: bool) -> None:
        """A partition that moves may be asked for from two brokers: one has records, the other no such offset."""
        where = TopicPartition("bars", 0)
        assignment = Assignment([where])
        came = result(where, BatchReader(SharedBatches()) if shared else None, assignment)
        assignment.state_value(where).await_reset(OffsetResetStrategy.EARLIEST)
        assert not came.getall(10)
        assert not came.has_more()


def result(where: TopicPartition, deserializer: BatchReader | None, assignment: Assignment) -> Any:
    """One record, fetched from the beginning of a partition that is read from there."""
    assignment.state_value(where).seek(0)
    records = fetcher.PartitionRecords(
        where, MemoryRecords(batch(0, 1)), [], 0, deserializer, None, True, READ_COMMITTED
    )
    return fetcher.FetchResult(where, assignment=assignment, partition_records=records, backoff=0)


class TestLooks:
    """What a fetcher asks for; `a` and `b` are led by brokers 1 and 2, and read from offset 5 on."""

    @pytest.fixture
    def busy(self, monkeypatch: pytest.MonkeyPatch) -> BusyFetcher:
        monkeypatch.setattr(fetcher.Fetcher, "_get_actions_per_node", lambda *_: "left to aiokafka")
        leaders = {"a": 1, "b": 2}
        cluster = SimpleNamespace(
            _last_successful_refresh_ms=0, leader_for_partition=lambda where: leaders[where.topic]
        )
        busy = BusyFetcher.__new__(BusyFetcher)
        busy.__dict__.update(
            _client=SimpleNamespace(cluster=cluster, leaders=leaders),
            _records={},
            _in_flight=set(),
            _fetcher_timeout=0.2,
            _preferred_read_replica={},
            _max_partition_fetch_bytes=LIMIT,
            _fetch_max_wait_ms=100,
            _fetch_min_bytes=1,
            _fetch_max_bytes=LIMIT,
            _isolation_level=READ_COMMITTED,
        )
        return busy

    @staticmethod
    def assignment(*topics: str) -> Assignment:
        assignment = Assignment([TopicPartition(topic, 0) for topic in topics])
        for where in assignment.tps:
            assignment.state_value(where).seek(5)
        return assignment

    def asked(self, busy: BusyFetcher, assignment: Assignment) -> dict[int, set[str]]:
        """The topics that each broker is asked for."""
        requests, resets, _, outdated, _ = busy._get_actions_per_node(assignment)
        assert not resets
        assert not outdated
        for _, request in requests:
            assert all(parts == [(0, 5, LIMIT)] for _, parts in request.topics)
        return {broker: {topic for topic, _ in request.topics} for broker, request in requests}

    def fetched(self, busy: BusyFetcher, topic: str, wait: float) -> None:
        busy._records[TopicPartition(topic, 0)] = SimpleNamespace(calculate_backoff=lambda: wait)

    async def test_each_broker_is_asked_that_answers_nothing_and_of_which_nothing_is_left(
        self, busy: BusyFetcher
    ) -> None:
        both = self.assignment("a", "b")
        assert self.asked(busy, both) == {1: {"a"}, 2: {"b"}}
        busy._in_flight = {1}
        assert self.asked(busy, both) == {2: {"b"}}
        self.fetched(busy, "b", 0.05)
        assert busy._get_actions_per_node(both) == ([], {}, 0.05, False, [])
        assert busy._get_actions_per_node(self.assignment("a")) == ([], {}, 0.05, False, [])
        busy._records.clear()
        busy._in_flight = {1, 2}
        assert busy._get_actions_per_node(both) == ([], {}, 0.2, False, [])

    async def test_a_partition_that_nobody_takes_holds_up_no_other_for_long(self, busy: BusyFetcher) -> None:
        busy._client.leaders["b"] = 1
        self.fetched(busy, "b", 0)
        assert self.asked(busy, self.assignment("a", "b")) == {1: {"a"}}

    async def test_one_that_is_held_back_is_not_asked_for_until_it_goes_on(self, busy: BusyFetcher) -> None:
        both = self.assignment("a", "b")
        state = both.state_value(TopicPartition("a", 0))
        state.pause()
        requests, _, _, _, resumed = busy._get_actions_per_node(both)
        assert [broker for broker, _ in requests] == [2]
        assert resumed == [state.resume_fut]

    async def test_it_looks_anew_once_a_partition_is_known_to_have_moved(self, busy: BusyFetcher) -> None:
        busy._in_flight = {1}
        assignment = self.assignment("a")
        assert not self.asked(busy, assignment)
        busy._client.leaders["a"] = 2
        busy._client.cluster._last_successful_refresh_ms = 1
        assert self.asked(busy, assignment) == {2: {"a"}}

    @pytest.mark.parametrize("leader", [None, -1])
    async def test_a_partition_without_a_leader_is_left_to_aiokafka(
        self, busy: BusyFetcher, leader: int | None
    ) -> None:
        busy._client.leaders["c"] = leader
        busy._in_flight = {1}
        assert busy._get_actions_per_node(self.assignment("a", "c")) == "left to aiokafka"

    async def test_one_of_which_no_offset_is_known_is_left_to_aiokafka(self, busy: BusyFetcher) -> None:
        both = self.assignment("a", "b")
        both.state_value(TopicPartition("b", 0)).await_reset(OffsetResetStrategy.EARLIEST)
        assert busy._get_actions_per_node(both) == "left to aiokafka"

    async def test_a_broker_without_sessions_begins_with_each_partition_at_times(self, busy: BusyFetcher) -> None:
        topics = "abcd"
        busy._client.leaders.update(dict.fromkeys(topics, 1))
        assignment = self.assignment(*topics)
        firsts = {busy._get_actions_per_node(assignment)[0][0][1].topics[0][0] for _ in range(500)}
        assert firsts == set(topics)
