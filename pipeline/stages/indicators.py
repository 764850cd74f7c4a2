"""The indicator processor: bars in, rows of indicators out."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import batched
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from pipeline.bus.base import Bus, Received, TopicPartition
from pipeline.indicators import warm_up
from pipeline.messages import INTERVALS, Bar, IndicatorRow, Interval
from pipeline.records import decode_all, records_of
from pipeline.series import Series
from pipeline.stages.consume import Subscription, consume
from pipeline.store.base import Query, Store
from pipeline.supervisor import Context
from pipeline.topics import INDICATOR_GROUP, SINK_GROUP, STOCK_DATA, split_topic
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)

_IN_A_THREAD: Final = 64
"""Bars in one merge from which on it leaves the event loop."""
_CHUNK: Final = 500


class TickerState:
    """The series of one ticker, by interval."""

    def __init__(self, ticker: str, zone: ZoneInfo, bars: Sequence[Bar] = ()) -> None:
        self._ticker = ticker
        self._zone = zone
        self._series: dict[Interval, Series] = {}
        for interval, of_interval in _by_interval(bars).items():
            self._of(interval).restore(of_interval)

    def merge(self, bars: Sequence[Bar]) -> list[IndicatorRow]:
        """The rows to publish."""
        return [row for interval, group in _by_interval(bars).items() for row in self._of(interval).merge(group)]

    def is_quick(self, bars: Sequence[Bar]) -> bool:
        """Whether the event loop can wait for `merge`."""
        return len(bars) < _IN_A_THREAD and all(
            self._of(interval).is_quick(group) for interval, group in _by_interval(bars).items()
        )

    def _of(self, interval: Interval) -> Series:
        if interval not in self._series:
            self._series[interval] = Series(self._ticker, interval, self._zone)
        return self._series[interval]


class IndicatorProcessor:
    """From `stock_data_*` to `indicators_*`.

    The rows of a bar depend on all bars before it, so the state of a ticker is the set of its bars. It is restored
    when the first record of a partition arrives: from the store, which holds all that the sink has committed, and
    from the topic between there and that record. The store may be ahead of what this processor has published; what
    follows from that is the business of `Series.restore`.
    """

    def __init__(self, bus: Bus, store: Store, watchlist: Watchlist, zone: ZoneInfo) -> None:
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self._zone = zone
        self._states: dict[TopicPartition, TickerState] = {}

    async def run(self, context: Context) -> None:
        self._states.clear()  # after a failure the state may be ahead of what was published
        await asyncio.to_thread(warm_up)
        subscription = Subscription(self._bus, self._watchlist, {STOCK_DATA})
        await consume(self._bus, INDICATOR_GROUP, subscription, self._handle, context, listener=self)

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        """Nothing yet: state is restored when a partition's first record arrives."""

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Somebody else works on them now."""
        for partition in partitions:
            self._states.pop(partition, None)

    async def _handle(self, batch: Sequence[Received]) -> None:
        decoded, _ = decode_all(batch)  # the sink buries what does not decode
        bars: defaultdict[TopicPartition, list[Bar]] = defaultdict(list)
        firsts: dict[TopicPartition, int] = {}
        for record, message in decoded:
            if isinstance(message, Bar):
                bars[record.source].append(message)
                firsts.setdefault(record.source, record.offset)
        rows: list[IndicatorRow] = []
        for partition, group in bars.items():
            state = self._states.get(partition)
            if state is None:
                state = self._states[partition] = await self._restore(partition, firsts[partition])
            rows += state.merge(group) if state.is_quick(group) else await asyncio.to_thread(state.merge, group)
        # Of all partitions together: each publication is waited for, and there may be as many partitions as bars.
        for chunk in batched(rows, _CHUNK):
            await self._bus.publish(records_of(chunk))

    async def _restore(self, partition: TopicPartition, until: int) -> TickerState:
        _, ticker = split_topic(partition.topic)
        assert ticker is not None  # noqa: S101 - STOCK_DATA topics belong to a ticker
        # The sink's offset is read before the store, so that together they miss nothing.
        committed = (await self._bus.committed(SINK_GROUP, [partition.topic])).get(partition, 0)
        bars: list[Bar] = []
        for interval in INTERVALS:
            documents = await self._store.find(Query("stock_data", ticker=ticker, interval=interval))
            bars += await asyncio.to_thread(_bars_of, documents)
        async for records in self._bus.read(partition, committed, until):
            decoded, _ = decode_all(records)
            bars += [message for _, message in decoded if isinstance(message, Bar)]
        if bars:
            log.info("%s: restoring %d bars", ticker, len(bars))
        return await asyncio.to_thread(TickerState, ticker, self._zone, bars)


def _bars_of(documents: list[dict[str, object]]) -> list[Bar]:
    return [msgspec.convert(document, Bar) for document in documents]


def _by_interval(bars: Sequence[Bar]) -> dict[Interval, list[Bar]]:
    groups: dict[Interval, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(bar.interval, []).append(bar)
    return groups
