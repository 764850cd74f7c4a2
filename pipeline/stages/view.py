"""The view stage reads all topics, so that snapshots can show the latest values."""

import logging
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from pipeline.aio import first_of
from pipeline.analytics.market_view import ITEMS, LiveView
from pipeline.bus.base import Bus, Received, TopicPartition, TopicRefusedError
from pipeline.bus.records import age_of, decode_all, of_origin
from pipeline.model.documents import OTHER_THAN_BARS, messages_in
from pipeline.model.messages import (
    INTERVALS,
    AnyMessage,
    Bar,
    Dividend,
    Forecast,
    IndicatorRow,
    Quote,
    ScoredItem,
    Split,
)
from pipeline.model.topics import FORECASTS, INDICATORS, SENTIMENT, STOCK_DATA, topic_for
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription, consume
from pipeline.store.base import Query, Store
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)

_KINDS: Final = (STOCK_DATA, INDICATORS, FORECASTS, SENTIMENT)
_NEWEST: Final = 10
"""Documents of which the newest is wanted: some may be none of ours."""
_LOOK_BACK: Final = 500
"""Records before the end of a topic that are looked at when it is first read: the sink may not have stored them yet."""


_BARS: Final = 800
"""Bars of an interval that are read from the store: two sessions of minutes."""


class ViewStage:
    """Reads the ends of the watched tickers' topics outside of any group, while the store supplies what was before: of
    hundreds of tickers that takes long, and what is new need not wait for it."""

    def __init__(
        self, bus: Bus, store: Store, watchlist: Watchlist, view: LiveView, *, simulated: bool = False
    ) -> None:
        """`simulated` says of which origin all that is shown is."""
        self._simulated = simulated
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self._view = view
        self._primed: set[str] = set()
        self._priming: str | None = None
        self._began = time.time()

    @property
    def restored(self) -> int:
        """The watched tickers of which the view has what is stored."""
        return sum(ticker in self._primed and ticker != self._priming for ticker in self._watchlist)

    async def run(self, context: Context) -> None:
        subscription = _Watched(self._bus, self._watchlist, _KINDS, self)
        consuming = consume(self._bus, None, subscription, self._handle, context, listener=self)
        await first_of(consuming, self._prime_watched())

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        for partition, start in partitions.items():
            try:
                async for records in self._bus.read(partition, max(0, start - _LOOK_BACK), start):
                    for record, message in self._decoded(records):
                        self._view.put(message, self._heard_at(record))
            except TopicRefusedError as error:  # the consumer logs it too, and leaves it out
                log.debug("%s", error)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Tickers are forgotten when they leave the watchlist, not when a partition moves."""

    def follow(self, tickers: Sequence[str]) -> None:
        """Make the view show these tickers and no others."""
        self._view.forget([ticker for ticker in self._view.tickers if ticker not in tickers])
        self._primed.intersection_update(tickers)
        for ticker in tickers:
            self._view.of(ticker)

    async def _prime_watched(self) -> None:
        """Hand what is stored of each watched ticker to the view, without end."""
        while True:
            version = self._watchlist.version
            for ticker in self._watchlist.tickers:
                if ticker in self._primed or ticker not in self._watchlist:
                    continue
                self._primed.add(ticker)  # taken back if it is no longer watched meanwhile
                self._priming = ticker
                self._view.of(ticker)
                try:
                    await self.prime(ticker)
                except BaseException:
                    self._primed.discard(ticker)
                    raise
                finally:
                    self._priming = None
            await self._watchlist.changed_since(version)

    async def _handle(self, batch: Sequence[Received]) -> None:
        self._view.put_all((message for _, message in self._decoded(batch)), time.time())

    def _decoded(self, batch: Sequence[Received]) -> list[tuple[Received, AnyMessage]]:
        # The sink sends what does not decode to `dead_letter`, and counts the records of the other origin.
        decoded, _ = decode_all(batch)
        return of_origin(decoded, simulated=self._simulated)

    def _heard_at(self, record: Received) -> float | None:
        """When it entered the bus, if that was in this run: what came while the view was not yet listening is news."""
        now = time.time()
        age = age_of(record)
        return now - age if age is not None and now - age >= self._began else None

    async def prime(self, ticker: str) -> None:
        """Hand what is stored of the ticker to the view: of each source as much as that keeps.

        The newest of all sources together tell which there are: unless it is a preferred one, a source whose data is
        older than that in every interval is not found.
        """
        kinds = [_Kind("stock_data", name, type_, _NEWEST) for type_, name in OTHER_THAN_BARS.items()]
        kinds += [_Kind("stock_data", interval, Bar, _BARS) for interval in INTERVALS]
        kinds += [_Kind("indicators", interval, IndicatorRow, _NEWEST) for interval in INTERVALS]
        kinds += [_Kind("forecasts", interval, Forecast, _NEWEST) for interval in INTERVALS]
        found = [(kind, await self._read(ticker, kind)) for kind in kinds]
        sources = {*self._view.preferred(ticker), *(source for _, counts in found for source in counts)}
        for kind, counts in found:
            if counts.total() == kind.last:
                for source in sorted(sources):
                    if counts[source] < kind.last:
                        await self._read(ticker, kind, source)
        await self._read(ticker, _Kind("sentiment", None, ScoredItem, ITEMS))

    async def _read(self, ticker: str, kind: "_Kind", source: str | None = None) -> Counter[str]:
        """Hand the newest of the kind to the view; how many there are of each source."""
        counts: Counter[str] = Counter()
        query = Query(kind.collection, ticker=ticker, interval=kind.interval, source=source, last=kind.last)
        async for documents in self._store.scan(query):
            found = messages_in(documents, kind.type)
            counts.update(message.source for message in found)
            self._view.put_all((message for message in found if message.simulated == self._simulated), None)
        return counts


class _Kind(NamedTuple):
    """What the store is asked for: the newest `last` of it."""

    collection: str
    interval: str | None
    type: type[Bar | Quote | Split | Dividend | IndicatorRow | Forecast | ScoredItem]
    last: int


class _Watched(Subscription):
    """The topics of the watched tickers only: other topics are not read."""

    def __init__(self, bus: Bus, watchlist: Watchlist, kinds: Collection[str], stage: ViewStage) -> None:
        super().__init__(bus, watchlist, kinds)
        self._stage = stage

    async def refresh(self) -> set[str]:
        self._version = self._watchlist.version
        self._looked = time.monotonic()
        tickers = self._watchlist.tickers
        self._stage.follow(tickers)
        self.topics = {topic_for(kind, ticker) for kind in self._kinds for ticker in tickers}
        return self.topics
