"""The view stage listens to all that flows, so that snapshots can show the latest of it."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from pipeline.bus.base import Bus, Received, TopicPartition
from pipeline.messages import INTERVALS, Bar, IndicatorRow, Quote, ScoredItem
from pipeline.records import decode_all
from pipeline.stages.consume import Subscription, consume
from pipeline.store.base import Query, Store
from pipeline.supervisor import Context
from pipeline.topics import INDICATORS, SENTIMENT, STOCK_DATA, topic_for
from pipeline.view import LiveView
from pipeline.watchlist import Watchlist

_KINDS: Final = (STOCK_DATA, INDICATORS, SENTIMENT)
_LOOK_BACK: Final = 500
"""Records before the end of a topic that are looked at when it is first read: the sink may not have stored them yet."""


class ViewStage:
    """Reads the ends of the watched tickers' topics outside of any group, after the store has told what was before."""

    def __init__(self, bus: Bus, store: Store, watchlist: Watchlist, view: LiveView) -> None:
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self._view = view
        self._primed: set[str] = set()

    async def run(self, context: Context) -> None:
        subscription = _Watched(self._bus, self._watchlist, _KINDS, self)
        await consume(self._bus, None, subscription, self._handle, context, listener=self)

    async def on_assigned(self, partitions: Mapping[TopicPartition, int]) -> None:
        for partition, start in partitions.items():
            async for records in self._bus.read(partition, max(0, start - _LOOK_BACK), start):
                self._put(records, None)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Tickers are forgotten when they leave the watchlist, not when a partition moves."""

    async def follow(self, tickers: Sequence[str]) -> None:
        """Make the view show these tickers and no others."""
        self._view.forget([ticker for ticker in self._view.tickers if ticker not in tickers])
        self._primed.intersection_update(tickers)
        for ticker in tickers:
            if ticker not in self._primed:  # a snapshot may have made its state before
                self._view.of(ticker)
                await self._prime(ticker)
                self._primed.add(ticker)

    async def _handle(self, batch: Sequence[Received]) -> None:
        self._put(batch, time.time())

    def _put(self, batch: Sequence[Received], heard_at: float | None) -> None:
        decoded, _ = decode_all(batch)  # the sink buries what does not decode
        for _, message in decoded:
            self._view.put(message, heard_at)

    async def _prime(self, ticker: str) -> None:
        wanted: list[tuple[Query, type[Bar | Quote | IndicatorRow | ScoredItem]]] = [
            (Query("stock_data", ticker=ticker, interval="quote", last=1), Quote),
            (Query("sentiment", ticker=ticker, last=200), ScoredItem),
        ]
        for interval in INTERVALS:
            wanted.append((Query("stock_data", ticker=ticker, interval=interval, last=800), Bar))
            wanted.append((Query("indicators", ticker=ticker, interval=interval, last=1), IndicatorRow))
        for query, type_ in wanted:
            for document in await self._store.find(query):
                self._view.put(msgspec.convert(document, type_), None)


class _Watched(Subscription):
    """The topics of the watched tickers only: those of others are nobody's to look at."""

    def __init__(self, bus: Bus, watchlist: Watchlist, kinds: Collection[str], stage: ViewStage) -> None:
        super().__init__(bus, watchlist, kinds)
        self._stage = stage

    async def refresh(self) -> set[str]:
        self._version = self._watchlist.version
        self._looked = time.monotonic()
        tickers = self._watchlist.tickers
        await self._stage.follow(tickers)
        self.topics = {topic_for(kind, ticker) for kind in self._kinds for ticker in tickers}
        return self.topics
