"""How aiokafka's consumers fetch: only what has changed is asked for, and what several fetch is decoded once."""

from collections import OrderedDict
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Final

import aiokafka.consumer.fetcher
from aiokafka.protocol.fetch import FetchRequest

from pipeline.bus.base import Received
from pipeline.bus.kafka.codec import received

_SESSIONS_SINCE: Final = 7
"""The version of the request that first knows sessions."""
_LAST_EPOCH: Final = (1 << 31) - 1

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


class DecodedBatches:
    """The records of the newest batches that were fetched, as many as fit into `limit` bytes.

    Several stages read the same topics, each by a consumer of its own, so that none holds up another. They get the same
    bytes, and all but the first find the records here.
    """

    def __init__(self, limit: int = 8 * 1024 * 1024) -> None:
        self._limit = limit
        self._size = 0
        self._records: OrderedDict[tuple[Any, ...], tuple[list[Received], int]] = OrderedDict()

    def records(self, topic: str, partition: int, batch: Any) -> list[Received]:
        """Those of the batch, whose checksum has been verified.

        What is no more than that may be equal in two batches; with its producer, times and offsets it is not.
        """
        key = (
            *(topic, partition, batch.base_offset, batch.next_offset, batch.crc),
            *(batch.producer_id, batch.base_sequence, batch.first_timestamp, batch.max_timestamp),
        )
        known = self._records.get(key)
        if known is not None:
            return known[0]
        records = [received(topic, partition, record) for record in batch]
        size = sum(len(record.value) for record in records) + _OVERHEAD * len(records)
        if size <= self._limit:
            self._records[key] = records, size
            self._size += size
        while self._size > self._limit:
            _, (_, oldest) = self._records.popitem(last=False)
            self._size -= oldest
        return records


_OVERHEAD: Final = 800
"""Bytes of a record beside its value, about: our headers and keys are small."""
_decoded: Final = DecodedBatches()


class _Batch:
    """A fetched batch whose records are ours."""

    def __init__(self, batch: Any, topic: str, partition: int) -> None:
        self._batch = batch
        self._source = topic, partition

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # of a control batch, which holds no record of ours

    def __iter__(self) -> Iterator[Received]:
        if self._batch.producer_id is None:  # in the format of brokers before 0.11
            return (received(*self._source, record) for record in self._batch)
        return iter(_decoded.records(*self._source, self._batch))


class _Batches:
    def __init__(self, batches: Any, topic: str, partition: int) -> None:
        self._batches = batches
        self._source = topic, partition

    def has_next(self) -> bool:
        return bool(self._batches.has_next())

    def next_batch(self) -> _Batch:
        return _Batch(self._batches.next_batch(), *self._source)


class SharedRecords(aiokafka.consumer.fetcher.PartitionRecords):  # type: ignore[misc]
    """What was fetched of a partition, in our own type, decoded by whoever fetched it first."""

    def __init__(self, tp: Any, records: Any, *arguments: Any) -> None:
        super().__init__(tp, _Batches(records, *tp), *arguments)

    def __iter__(self) -> Iterator[Received]:
        return self._records_iterator or iter(())

    def _consumer_record(self, _tp: Any, record: Received) -> Received:
        return record


_PartitionRecords: Final = aiokafka.consumer.fetcher.PartitionRecords


def shared(key: bytes | None) -> bytes | None:
    """The deserializer of keys by which a consumer is known to be one of ours: others in the process get aiokafka's own
    records."""
    return key


def _fetched(tp: Any, records: Any, aborted: Any, offset: int, key_deserializer: Any, *rest: Any) -> Any:
    kind = SharedRecords if key_deserializer is shared else _PartitionRecords
    return kind(tp, records, aborted, offset, key_deserializer, *rest)


aiokafka.consumer.fetcher.PartitionRecords = _fetched
