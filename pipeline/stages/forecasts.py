"""The forecast processor: closed bars in, forecasts out."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.analytics.forecasts.blocks import block_of
from pipeline.analytics.forecasts.series import ForecastSeries, needed
from pipeline.bus.base import Bus, Received, TopicPartition
from pipeline.bus.records import decode_all, of_origin
from pipeline.model.bar_table import BarTable
from pipeline.model.documents import messages_in
from pipeline.model.instruments import zone_of
from pipeline.model.messages import Bar, Forecast, Interval
from pipeline.model.times import microseconds, moment
from pipeline.model.topics import FORECAST_GROUP, SINK_GROUP, STOCK_DATA, split_topic
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription, consume
from pipeline.stages.publish import publish
from pipeline.stages.topic_states import TopicStates
from pipeline.store.base import Query, Store
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)

_CHUNK: Final = 500


class ForecastState:
    """The series of one ticker and interval by source, with all their bars from `since` on, in microseconds since the
    epoch; None before anything was restored."""

    def __init__(self, ticker: str, interval: Interval, zone: ZoneInfo) -> None:
        self._ticker = ticker
        self._interval: Interval = interval
        self._zone = zone
        self._series: dict[str, ForecastSeries] = {}
        self._block: int | None = None
        """That of the newest bar, when it was looked at last."""
        self.since: int | None = None

    @property
    def sources(self) -> list[str]:
        return list(self._series)

    def restore(self, bars: Sequence[Bar]) -> None:
        for source, group in _by_source(bars).items():
            self._of(source).restore(group)

    def restore_table(self, table: BarTable) -> None:
        if len(closed := table.closed()):
            self._of(table.source).restore_table(closed)

    def owe(self, source: str, since: int) -> None:
        """Of what was restored of this source no forecasts are stored: the next `merge` returns them."""
        self._of(source).owe(since)

    def is_quick(self, bars: Sequence[Bar]) -> bool:
        """Whether the event loop can wait for `merge`."""
        return all(self._of(source).is_quick(group) for source, group in _by_source(bars).items())

    def merge(self, bars: Sequence[Bar]) -> list[Forecast]:
        """The forecasts to publish."""
        return [row for source, group in _by_source(bars).items() for row in self._of(source).merge(group)]

    def forget(self, bars: Sequence[Bar]) -> None:
        """Once a block has begun, drop what neither the newest bar of any source nor those that just came would need.

        Not more often: while a history is loaded, old bars and new ones take turns.
        """
        newest = [series.newest for series in self._series.values() if series.newest is not None]
        block = block_of(max(newest), self._interval)
        if self._block is not None and block > self._block:
            oldest = min(*newest, min(microseconds(bar.ts) for bar in bars))
            self.since = needed(oldest, self._interval)
            for series in self._series.values():
                series.forget(self.since)
        self._block = block

    def _of(self, source: str) -> ForecastSeries:
        if source not in self._series:
            self._series[source] = ForecastSeries(self._ticker, self._interval, self._zone, source)
        return self._series[source]


class ForecastProcessor:
    """From `stock_data_*` to `forecasts_*`.

    Its state of a ticker and interval is a window of bars, restored when the first of them arrives, as that of the
    indicators is: from the store, and from each partition between what the sink has committed and where this processor
    stands. Bars older than the window extend it. What is in it, no other bar decides what follows from those that came.
    """

    def __init__(
        self, bus: Bus, store: Store, watchlist: Watchlist, zone: ZoneInfo, *, simulated: bool = False
    ) -> None:
        """`simulated` says of which origin all its bars are; it never looks at others. Sessions are days of `zone`
        where a symbol names no exchange."""
        self._simulated = simulated
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self._zone = zone
        self._held = TopicStates[dict[Interval, ForecastState]]()

    async def run(self, context: Context) -> None:
        self._held.clear()  # after a failure the state may be ahead of what was published
        subscription = Subscription(self._bus, self._watchlist, {STOCK_DATA})
        await consume(
            self._bus, FORECAST_GROUP, subscription, self._handle, context, listener=self._held, whole_topics=True
        )

    async def _handle(self, batch: Sequence[Received]) -> None:
        bars: defaultdict[tuple[str, Interval], list[Bar]] = defaultdict(list)
        for record, bar in self._closed(batch):
            bars[record.topic, bar.interval].append(bar)
        rows: list[Forecast] = []
        try:
            for (topic, interval), group in bars.items():
                state = await self._state(topic, interval, group, self._held.before(batch, topic))
                rows += state.merge(group) if state.is_quick(group) else await asyncio.to_thread(state.merge, group)
                state.forget(group)
            for chunk in batched(rows, _CHUNK):
                await publish(self._bus, chunk)
        except BaseException:
            self._held.drop({topic for topic, _ in bars})
            raise
        self._held.processed(batch)

    def _closed(self, batch: Sequence[Received]) -> list[tuple[Received, Bar]]:
        # The sink sends what does not decode to `dead_letter`, and counts the records of the other origin.
        decoded, _ = decode_all(batch)
        own = of_origin(decoded, simulated=self._simulated)
        return [(record, bar) for record, bar in own if isinstance(bar, Bar) and bar.closed]

    async def _state(
        self, topic: str, interval: Interval, bars: Sequence[Bar], positions: Mapping[int, int]
    ) -> ForecastState:
        """The state before these positions, by partition, with all that the bars need."""
        _, ticker = split_topic(topic)
        assert ticker is not None  # noqa: S101 - STOCK_DATA topics belong to a ticker
        states = self._held.states.setdefault(topic, {})
        if interval not in states:
            states[interval] = ForecastState(ticker, interval, zone_of(ticker, self._zone))
        state = states[interval]
        since = needed(microseconds(min(bar.ts for bar in bars)), interval)
        if state.since is None or since < state.since:
            await self._extend(state, ticker, topic, interval, since, positions)
        return state

    async def _extend(
        self,
        state: ForecastState,
        ticker: str,
        topic: str,
        interval: Interval,
        since: int,
        positions: Mapping[int, int],
    ) -> None:
        """Take in the bars from `since` to where the state begins."""
        # The sink's offsets are read before the store, so that together they miss nothing.
        committed = await self._bus.committed(SINK_GROUP, [topic])
        begin, end = moment(since), None if state.since is None else moment(state.since)
        wanted = Query("stock_data", ticker, interval, since=begin, until=end)
        count = 0
        async for table in self._store.bars(wanted, simulated=self._simulated):
            await asyncio.to_thread(state.restore_table, table)
            count += len(table)
        found: list[Bar] = []
        for partition, until in positions.items():
            where = TopicPartition(topic, partition)
            async for records in self._bus.read(where, committed.get(where, 0), until):
                found += [
                    bar
                    for _, bar in self._closed(records)
                    if bar.interval == interval and bar.ts >= begin and (end is None or bar.ts < end)
                ]
        await asyncio.to_thread(state.restore, found)
        state.since = since
        if count := count + len(found):
            log.info("%s: restored %d bars of %s", ticker, count, interval)
        if end is None:
            for source in state.sources:
                stored = await self._store.find(Query("forecasts", ticker, interval, source, last=1))
                if not messages_in(stored, Forecast):  # or others, such as those of an earlier version
                    state.owe(source, since)


def _by_source(bars: Sequence[Bar]) -> dict[str, list[Bar]]:
    groups: dict[str, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(bar.source, []).append(bar)
    return groups
