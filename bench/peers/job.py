"""What is done with the bars of a batch, whichever library brings them."""

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from bench.peers.messages import BarMessage, RowMessage, decode
from bench.peers.store import PeerStore, Series
from bench.peers.streams import Streams

log = logging.getLogger(__name__)

BROKER: Final = os.environ.get("KAFKA", "")
TICKERS: Final = os.environ.get("TICKERS", "").split()
TOPICS: Final = [f"stock_data_{ticker.lower()}" for ticker in TICKERS]
BATCH: Final = 1000
_RESTORED: Final = 500
"""Bars of a series from which its state is made again."""


class Done(NamedTuple):
    """A bar and its row."""

    bar: BarMessage
    row: RowMessage


class _Series:
    """The state of a series, and the time of its newest bar."""

    def __init__(self, bars: Sequence[BarMessage]) -> None:
        self._streams = Streams()
        self._newest = datetime.min.replace(tzinfo=UTC)
        for bar in bars:
            self.take(bar)

    def take(self, bar: BarMessage) -> Done | None:
        """None for a bar that was taken before, or comes late."""
        if bar.ts <= self._newest:
            return None
        self._newest = bar.ts
        return Done(bar, self._streams.update(bar))


class Job:
    """Rows from bars, kept in the store that DATABASE names."""

    def __init__(self) -> None:
        self._store = PeerStore(os.environ["DATABASE"])
        self._series: dict[Series, _Series] = {}
        self.keep = self._store.write

    def forget(self) -> None:
        """Make the states again from the store before the next bar: some other process may have been at work."""
        self._series.clear()

    def process(self, value: bytes) -> Done | None:
        """Take in a record. None if nothing follows from it: it is no bar, or one that is open, late or repeated."""
        try:
            bar = decode(value)
        except msgspec.MsgspecError as error:
            log.warning("skipped: %s", error)
            return None
        if not bar.closed:
            return None
        key = (bar.ticker, bar.interval, bar.source)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(list(self._store.last(key, _RESTORED)))
        return series.take(bar)


def topic_of(row: RowMessage) -> str:
    return f"indicators_{row.ticker.lower()}"


def stamp_of(row: RowMessage) -> int:
    """The time of its record, in milliseconds."""
    return round(row.ts.timestamp() * 1000)
