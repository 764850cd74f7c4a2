"""The indicator processor: bars in, rows of indicators out."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.aio import all_of
from pipeline.analytics.series import QUICK, Series
from pipeline.bus.base import Bus, Received, TopicPartition
from pipeline.bus.records import decode_all, of_origin
from pipeline.model.bar_table import BarTable
from pipeline.model.instruments import zone_of
from pipeline.model.messages import INTERVALS, AnyMessage, Bar, IndicatorRow, Interval
from pipeline.model.topics import INDICATOR_GROUP, SINK_GROUP, STOCK_DATA, split_topic
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription, consume
from pipeline.stages.publish import publish
from pipeline.stages.topic_states import TopicStates
from pipeline.store.base import Query, Store
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)

_CHUNK: Final = 500
_RESTORED_AT_ONCE: Final = 8


_Key = tuple[Interval, str]
"""Interval and source: what bars of two sources say is never computed together."""


class IndicatorState:
    """The series of one ticker, by interval and source."""

    def __init__(self, ticker: str, zone: ZoneInfo) -> None:
        self._ticker = ticker
        self._zone = zone
        self._series: dict[_Key, Series] = {}

    def restore(self, bars: Sequence[Bar]) -> int:
        """Take in, before any `merge`, bars that were known before; how many they are."""
        for key, group in _by_series(bars).items():
            self._of(key).restore(group)
        return len(bars)

    def restore_table(self, table: BarTable) -> int:
        """As `restore`."""
        self._of((table.interval, table.source)).restore_table(table)
        return len(table)

    @property
    def keys(self) -> list[_Key]:
        return list(self._series)

    def owe(self, key: _Key) -> None:
        """Of what was restored of this series no rows are stored: the next `merge` returns them."""
        self._of(key).restore((), owed=True)

    def merge(self, bars: Sequence[Bar]) -> list[IndicatorRow]:
        """The rows to publish."""
        return [row for key, group in _by_series(bars).items() for row in self._of(key).merge(group)]

    def is_quick(self, bars: Sequence[Bar]) -> bool:
        """Whether the event loop can wait for `merge`."""
        return sum(self._of(key).cost(group) for key, group in _by_series(bars).items()) <= QUICK

    def _of(self, key: _Key) -> Series:
        if key not in self._series:
            interval, source = key
            self._series[key] = Series(self._ticker, interval, self._zone, source)
        return self._series[key]


class IndicatorProcessor:
    """From `stock_data_*` to `indicators_*`.

    The rows of a bar depend on all bars before it, so the state of a ticker is the set of its bars, in whatever
    partitions of its topic they lie: one member of the group has them all. It is restored when the first record of the
    topic arrives: from the store, which holds all that the sink has committed, and from each partition between there
    and where this processor stands. The store may be ahead of what this processor has published; what follows from that
    is the business of `Series.restore`.
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
        self._held = TopicStates[IndicatorState]()
        self.restoring = False
        """Whether a batch waits for what is stored of its tickers: of hundreds that takes longer than any other."""

    async def run(self, context: Context) -> None:
        self._held.clear()  # after a failure the state may be ahead of what was published
        subscription = Subscription(self._bus, self._watchlist, {STOCK_DATA})
        await consume(
            self._bus, INDICATOR_GROUP, subscription, self._handle, context, listener=self._held, whole_topics=True
        )

    async def _handle(self, batch: Sequence[Received]) -> None:
        decoded = self._decoded(batch)
        bars: defaultdict[str, list[Bar]] = defaultdict(list)
        for record, message in decoded:
            if isinstance(message, Bar):
                bars[record.topic].append(message)
        known = [topic for topic in bars if topic in self._held.states]
        new = [topic for topic in bars if topic not in self._held.states]
        try:
            await self._publish_rows({topic: bars[topic] for topic in known})
            # The first alone, so that its rows wait for no other history; then several at once, for a server is
            # waited for more than worked for.
            for topics in (new[:1], *batched(new[1:], _RESTORED_AT_ONCE)):
                self.restoring = bool(topics)
                await self._restore_all({topic: self._held.before(batch, topic) for topic in topics})
                await self._publish_rows({topic: bars[topic] for topic in topics})
        except BaseException:
            self._held.drop(bars)
            raise
        finally:
            self.restoring = False
        self._held.processed(batch)

    async def _publish_rows(self, bars: Mapping[str, Sequence[Bar]]) -> None:
        """Those that follow from the bars, by topic. Of all topics together: each publication is waited for, and there
        may be as many topics as bars."""
        rows: list[IndicatorRow] = []
        for topic, group in bars.items():
            state = self._held.states[topic]
            rows += state.merge(group) if state.is_quick(group) else await asyncio.to_thread(state.merge, group)
        for chunk in batched(rows, _CHUNK):
            await publish(self._bus, chunk)

    async def _restore_all(self, positions: Mapping[str, Mapping[int, int]]) -> None:
        """The states of these topics, before these positions by partition."""
        states = await all_of(self._restore(topic, of_topic) for topic, of_topic in positions.items())
        self._held.states.update(zip(positions, states, strict=True))

    def _decoded(self, batch: Sequence[Received]) -> list[tuple[Received, AnyMessage]]:
        # The sink sends what does not decode to `dead_letter`, and counts the records of the other origin.
        decoded, _ = decode_all(batch)
        return of_origin(decoded, simulated=self._simulated)

    async def _restore(self, topic: str, positions: Mapping[int, int]) -> IndicatorState:
        """The state before these positions, by partition."""
        _, ticker = split_topic(topic)
        assert ticker is not None  # noqa: S101 - STOCK_DATA topics belong to a ticker
        # The sink's offsets are read before the store, so that together they miss nothing.
        committed = await self._bus.committed(SINK_GROUP, [topic])
        state = IndicatorState(ticker, zone_of(ticker, self._zone))
        count = 0
        for interval in INTERVALS:
            wanted = Query("stock_data", ticker, interval)
            async for table in self._store.bars(wanted, simulated=self._simulated):
                count += await asyncio.to_thread(state.restore_table, table)
        for partition, until in positions.items():
            where = TopicPartition(topic, partition)
            async for records in self._bus.read(where, committed.get(where, 0), until):
                bars = [message for _, message in self._decoded(records) if isinstance(message, Bar)]
                count += await asyncio.to_thread(state.restore, bars)
        if count:
            log.info("%s: restored %d bars", ticker, count)
        for key in state.keys:
            if not await self._has_rows(ticker, *key):
                state.owe(key)
        return state

    async def _has_rows(self, ticker: str, interval: Interval, source: str) -> bool:
        return bool(await self._store.find(Query("indicators", ticker, interval, source, last=1)))


def _by_series(bars: Sequence[Bar]) -> dict[_Key, list[Bar]]:
    groups: dict[_Key, list[Bar]] = {}
    for bar in bars:
        groups.setdefault((bar.interval, bar.source), []).append(bar)
    return groups
