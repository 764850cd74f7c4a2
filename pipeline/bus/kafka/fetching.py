"""How aiokafka's consumers fetch: only what has changed is asked for, and what several fetch is decoded once."""

import random
from bisect import bisect_left
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import aiokafka.consumer.consumer
import aiokafka.consumer.fetcher
from aiokafka.protocol.fetch import FetchRequest

from pipeline.bus.base import Received
from pipeline.bus.kafka.codec import received
from pipeline.bus.kafka.sharing import BatchReader

_SESSIONS_SINCE: Final = 7
"""The version of the request that first knows sessions."""
_LAST_EPOCH: Final = (1 << 31) - 1
_FROM_LEADERS: Final = 10
"""The last version of the request that only the leader of a partition answers (KIP-392). A later one is answered by any
broker that has a copy. If that was the leader, and has begun a new copy since, it answers that there is no such offset,
and aiokafka reads the whole partition again."""

_Partition = tuple[str, int]


class FetchSession:
    """What a broker knows of the fetches on one connection (KIP-227).

    Without it each request names all partitions, and each answer too, whether they have records or not: with a thousand
    topics that takes more than the records themselves. A request that goes without its answer ends the session, and
    the next one begins another; so does a broker that has forgotten it.
    """

    def __init__(self) -> None:
        self._id = 0
        self._epoch = 0
        """0: the next request begins a session."""
        self._asked: dict[_Partition, tuple[int, ...]] = {}
        """Number, offset and most bytes."""

    def within(self, request: FetchRequest) -> "_SessionRequest":
        """The request as what has changed since the one before."""
        before = self._asked if self._epoch else {}
        asked: dict[_Partition, tuple[int, ...]] = {}
        news = []
        for topic, parts in request.topics:
            changed = []
            for part in parts:
                where = topic, part[0]
                asked[where] = part
                if before.get(where) != part:
                    changed.append(part)
            if changed:
                news.append((topic, changed))
        gone = [] if before.keys() <= asked.keys() else [where for where in before if where not in asked]
        self._asked = asked
        sent = _SessionRequest(request, news, gone, self._id, self._epoch)
        if self._epoch:
            self._epoch = 1 if self._epoch == _LAST_EPOCH else self._epoch + 1
        return sent

    async def heard(self, answer: Awaitable[Any]) -> Any:
        """The answer to the last request, once it is there."""
        try:
            response = await answer
        except BaseException:
            self._epoch = 0
            raise
        if response.API_VERSION >= _SESSIONS_SINCE:
            if response.error_code or not response.session_id:
                self._id = self._epoch = 0
            elif not self._epoch:
                self._id, self._epoch = response.session_id, 1
        # The broker takes turns with the topics. What each consumer goes through in one order, they share.
        response.topics.sort()
        return response


class _SessionRequest(FetchRequest):  # type: ignore[misc]
    """A request that says how it differs from the one before."""

    def __init__(
        self, whole: FetchRequest, news: Sequence[Any], gone: Sequence[_Partition], number: int, epoch: int
    ) -> None:
        super().__init__(
            whole._max_wait_ms, whole._min_bytes, whole._max_bytes, whole._isolation_level, whole.topics, whole._rack_id
        )
        self._news = news
        self._gone = gone
        self._session = number, epoch

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Any:
        first, last = versions[self.API_KEY]
        return super().prepare({**versions, self.API_KEY: (first, min(last, _FROM_LEADERS))})

    def build(self, request_struct_class: type[Any]) -> Any:
        if request_struct_class.API_VERSION < _SESSIONS_SINCE:
            return super().build(request_struct_class)
        self._topics = self._news
        built = super().build(request_struct_class)
        built.session_id, built.session_epoch = self._session
        forgotten: dict[str, list[int]] = {}
        for topic, partition in self._gone:
            forgotten.setdefault(topic, []).append(partition)
        built.forgotten_topics_data = list(forgotten.items())
        return built


class _Batch:
    """A fetched batch whose records are ours."""

    def __init__(self, batch: Any, topic: str, partition: int, reader: BatchReader) -> None:
        self._batch = batch
        self._source = topic, partition
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # of a control batch, which holds no record of ours

    def __iter__(self) -> "Iterator[_Run]":
        if self._batch.producer_id is None:  # in the format of brokers before 0.11
            records: Sequence[Received] = [received(*self._source, record) for record in self._batch]
        else:
            records = self._reader.records(*self._source, self._batch)
        return iter([_Run(records)] if records else ())


class _Run:
    """The records of a batch, which aiokafka takes for one: to go through them one by one costs as much again."""

    def __init__(self, records: Sequence[Received]) -> None:
        self.records = records
        self.offset = records[-1].offset


class _Batches:
    def __init__(self, batches: Any, topic: str, partition: int, reader: BatchReader) -> None:
        self._batches = batches
        self._source = topic, partition
        self._reader = reader

    def has_next(self) -> bool:
        return bool(self._batches.has_next())

    def next_batch(self) -> _Batch:
        return _Batch(self._batches.next_batch(), *self._source, self._reader)


class SharedRecords(aiokafka.consumer.fetcher.PartitionRecords):  # type: ignore[misc]
    """What was fetched of a partition, in our own type, decoded by whoever fetched it first."""

    def __init__(self, tp: Any, records: Any, aborted: Any, offset: int, reader: BatchReader, *arguments: Any) -> None:
        super().__init__(tp, _Batches(records, tp.topic, tp.partition, reader), aborted, offset, reader, *arguments)
        self._run: Sequence[Received] = ()
        self._at = 0
        self.ended = False

    def _consumer_record(self, _tp: Any, run: _Run) -> Sequence[Received]:
        records = run.records
        begin = bisect_left(records, self.next_fetch_offset, key=_offset)
        return records[begin:] if begin else records

    def take(self, most: int | None) -> list[Received]:
        """The next records; `next_fetch_offset` is behind them then."""
        taken: list[Received] = []
        while most is None or len(taken) < most:
            if self._at == len(self._run):
                run = next(self._records_iterator, None)
                if run is None:
                    self.ended = True
                    return taken
                self._run, self._at = run, 0
            part = self._run[self._at : None if most is None else self._at + most - len(taken)]
            taken += part
            self._at += len(part)
            self.next_fetch_offset = part[-1].offset + 1
        return taken


class _Result(aiokafka.consumer.fetcher.FetchResult):  # type: ignore[misc]
    """What is left of a fetch, of which ours is taken by the run."""

    _partition_records: Any
    _assignment: Any

    def check_assignment(self, tp: Any) -> bool:
        """Also where another broker has answered meanwhile that there is no such offset, and the position is yet to be
        found out: aiokafka asserts that there is one."""
        if self._assignment.active and not self._assignment.state_value(tp).has_valid_position:
            self._partition_records = None
            return False
        return bool(super().check_assignment(tp))

    def getall(self, max_records: int | None = None) -> list[Any]:
        records = self._partition_records
        if not isinstance(records, SharedRecords):
            return list(super().getall(max_records))
        if not self.check_assignment(self._topic_partition):
            return []
        taken = records.take(max_records)
        self._update_position()
        if records.ended:
            self._partition_records = None
        return taken


class BusyFetcher(aiokafka.consumer.fetcher.Fetcher):  # type: ignore[misc]
    """aiokafka looks through all partitions each time that records have been taken or have come, and asks the cluster
    for the leader of each, which with a thousand takes more than the records themselves. Most of these times nothing
    can be asked for: from each broker either an answer is awaited, or what came is yet to be taken."""

    _looked_at: tuple[Any, Any] | None = None
    _led: Mapping[int | None, Sequence[tuple[Any, Any]]] = {}
    """By broker, the partitions that it leads of the assignment that was looked at, with their states."""

    def _get_actions_per_node(self, assignment: Any) -> Any:
        waits: dict[int | None, float] = {}
        for where, fetched in self._records.items():
            wait = fetched.calculate_backoff()
            if wait:
                broker = self._select_read_replica(where)
                waits[broker] = max(wait, waits.get(broker, 0.0))
        led = self._by_leader(assignment)
        busy = waits.keys() | self._in_flight
        resumed: list[Any] = []
        requests: list[tuple[int | None, FetchRequest]] = []
        for broker in led.keys() - busy:
            asked = self._asked_of(led[broker], resumed)
            if asked is None or broker is None or broker < 0:
                return super()._get_actions_per_node(assignment)
            if asked:
                requests.append((broker, self._request(asked)))
        return requests, {}, min(waits.values(), default=self._fetcher_timeout), False, resumed

    def _by_leader(self, assignment: Any) -> Mapping[int | None, Sequence[tuple[Any, Any]]]:
        """Anew with each assignment, and with what was heard of the cluster last."""
        looked_at = assignment, self._client.cluster._last_successful_refresh_ms
        if looked_at != self._looked_at:
            led: dict[int | None, list[tuple[Any, Any]]] = {}
            for where in assignment.tps:
                led.setdefault(self._select_read_replica(where), []).append((where, assignment.state_value(where)))
            self._looked_at, self._led = looked_at, led
        return self._led

    def _asked_of(self, partitions: Sequence[tuple[Any, Any]], resumed: list[Any]) -> dict[str, list[Any]] | None:
        """What a broker is to be asked for, by topic; None where it is not known from which offset on. What tells that
        a paused partition is read again goes into `resumed`."""
        asked: dict[str, list[Any]] = {}
        for where, state in partitions:
            if where in self._records:
                continue
            if not state.has_valid_position:
                return None
            if state.paused:
                resumed.append(state.resume_fut)
            else:
                asked.setdefault(where.topic, []).append(
                    (where.partition, state.position, self._max_partition_fetch_bytes)
                )
        return asked

    def _request(self, asked: Mapping[str, list[Any]]) -> FetchRequest:
        # A broker without sessions begins with the first until there is no more room: each time with another.
        topics, first = list(asked.items()), random.randrange(len(asked))
        topics = topics[first:] + topics[:first]
        limits = self._fetch_max_wait_ms, self._fetch_min_bytes, self._fetch_max_bytes
        return FetchRequest(*limits, self._isolation_level, topics)


_offset: Final = attrgetter("offset")
_PartitionRecords: Final = aiokafka.consumer.fetcher.PartitionRecords


def _fetched(tp: Any, records: Any, aborted: Any, offset: int, key_deserializer: Any, *rest: Any) -> Any:
    """Of a consumer of ours what is ours: others in the process get aiokafka's own records."""
    kind = SharedRecords if isinstance(key_deserializer, BatchReader) else _PartitionRecords
    return kind(tp, records, aborted, offset, key_deserializer, *rest)


aiokafka.consumer.fetcher.PartitionRecords = _fetched
aiokafka.consumer.fetcher.FetchResult = _Result
aiokafka.consumer.consumer.Fetcher = BusyFetcher
