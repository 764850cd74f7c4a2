"""The history of one ticker and interval, and the indicator rows that follow from it."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.indicators import WARM_UP, History, Live, Values, batch, latest, session_of
from pipeline.messages import INDICATOR_FIELDS, Bar, IndicatorRow, Interval, bar_rank

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# Costs in live bars, as bench/indicators.py measures them.
_LATEST: Final = 20  # one bar while warming up
_BATCH: Final = 400  # a batch, before its first bar
_BARS_IN_BATCH: Final = 2  # so many bars of a batch cost as much as one live bar


class Series:
    """All bars of one ticker and interval. `zone` is the exchange's, whose calendar day is a session.

    What comes out depends only on the set of bars that went in: of all rows ever returned for a bar the one of the
    greatest lineage is that of a computation over all bars at once.
    """

    def __init__(self, ticker: str, interval: Interval, zone: ZoneInfo) -> None:
        self._ticker = ticker
        self._interval = interval
        self._bars = _Columns(zone)
        self._live: Live | None = None
        # The bars before this one were restored, and their rows have not been returned by this object.
        self._silent = 0

    def __len__(self) -> int:
        return len(self._bars)

    def restore(self, bars: Sequence[Bar]) -> None:
        """Take in, before any `merge`, bars that were known before. Whether their rows were published is not."""
        for bar in sorted(bars, key=attrgetter("ts")):
            self._bars.put(bar)
        self._silent = len(self._bars)

    def merge(self, bars: Sequence[Bar]) -> list[IndicatorRow]:
        """Take in bars of this ticker and interval; the rows to publish.

        Of several observations of one bar that of the greatest `bar_rank` stays. The rows from the first bar that
        changed to the end are new. Of a restored bar that comes again and changes nothing, the row and those after it
        may never have been published (what was restored can be ahead of what was published): they are returned once.
        """
        repeated = changed = len(self._bars) + len(bars)  # beyond any position
        for bar in sorted(bars, key=attrgetter("ts")):  # in time order no later insertion moves what was found
            index, is_news = self._bars.put(bar)
            if is_news:
                changed = min(changed, index)
            elif index < self._silent:
                repeated = min(repeated, index)
        first = min(repeated, changed)
        stop = len(self._bars) if changed < len(self._bars) else self._silent
        self._silent = min(self._silent, first)
        return self._rows(first, stop) if first < stop else []

    def is_quick(self, bars: Sequence[Bar]) -> bool:
        """Whether `merge` takes these bars one by one, and computes no history."""
        first = self._bars.position(min(bar.ts for bar in bars))
        return _live_cost(first, len(self) + len(bars)) < _BATCH

    def _rows(self, first: int, stop: int) -> list[IndicatorRow]:
        bars = self._bars
        ticker, interval = self._ticker, self._interval
        ranks = [bars.rank(index) for index in range(first, len(bars))]
        known = bars.rank_sum - sum(ranks)
        rows = []
        for index, (rank, values) in enumerate(zip(ranks, self._values(first, stop), strict=False), first):
            known += rank
            rows.append(
                IndicatorRow(
                    ts=_EPOCH + timedelta(microseconds=bars.ts[index]),
                    simulated=bool(bars.simulated[index]),
                    ticker=ticker,
                    interval=interval,
                    lineage=f"{index + 1:08x}-{known:032x}",
                    closed=bars.closed(index),
                    close=bars.close[index],
                    **dict(zip(INDICATOR_FIELDS, values, strict=True)),
                )
            )
        return rows

    def _values(self, first: int, stop: int) -> list[Values]:
        if self._live is not None and self._live.count > first:
            self._live = None  # a bar it has taken in has changed, or is asked for again
        count = len(self._bars)
        if _live_cost(first, stop) < _BATCH + count // _BARS_IN_BATCH:
            return [self._value(index) for index in range(first, stop)]
        self._live = None  # the next live bar opens it at the end
        return batch(self._bars.history(stop), first)

    def _value(self, index: int) -> Values:
        """The values at one bar, which is taken in unless it may still change."""
        bars = self._bars
        if index < WARM_UP:
            return latest(bars.history(index + 1))
        live = self._live
        if live is None:
            live = self._live = Live(bars.history(index))
        while live.count < index:  # an open bar that has ceased to be the last
            live.update(*bars.values(live.count))
        if index == len(bars) - 1 and not bars.closed(index):
            return live.peek(*bars.values(index))
        return live.update(*bars.values(index))


def _live_cost(first: int, stop: int) -> int:
    """Of the rows from `first` to before `stop`, computed one by one."""
    return stop - first + _LATEST * max(0, min(stop, WARM_UP) - first)


class _Columns:
    """Bars in time order, 61 bytes each. `rank_sum` is the sum of all ranks."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.ts = array("q")  # microseconds since the epoch
        self.high = array("d")
        self.low = array("d")
        self.close = array("d")
        self.volume = array("d")
        self.session = array("i")
        self.simulated = array("b")
        # A rank has up to 93 bits: 1 of closed, 52 of revision, 40 of digest.
        self._rank_high = array("Q")
        self._rank_low = array("Q")
        self._all: tuple[array[Any], ...] = (
            self.ts,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.session,
            self.simulated,
            self._rank_high,
            self._rank_low,
        )
        self.rank_sum = 0

    def __len__(self) -> int:
        return len(self.ts)

    def put(self, bar: Bar) -> tuple[int, bool]:
        """Take in an observation of a bar: the bar's position, and whether it is new or supersedes what stood there."""
        ts = _microseconds(bar.ts)
        rank = bar_rank(bar)
        index = self._index(ts)
        known = index < len(self.ts) and self.ts[index] == ts
        if known:
            if rank <= self.rank(index):
                return index, False
            self.rank_sum -= self.rank(index)
        self.rank_sum += rank
        session = session_of(bar.ts, self._zone)
        high, low = rank >> 40, rank & 0xFF_FFFF_FFFF
        row = (ts, bar.high, bar.low, bar.close, bar.volume, session, bar.simulated, high, low)
        if known:
            for column, value in zip(self._all, row, strict=True):
                column[index] = value
        else:
            for column, value in zip(self._all, row, strict=True):
                column.insert(index, value)
        return index, True

    def position(self, ts: datetime) -> int:
        """How many bars are before this time."""
        return self._index(_microseconds(ts))

    def _index(self, ts: int) -> int:
        return len(self.ts) if not self.ts or ts > self.ts[-1] else bisect_left(self.ts, ts)

    def rank(self, index: int) -> int:
        return self._rank_high[index] << 40 | self._rank_low[index]

    def closed(self, index: int) -> bool:
        return bool(self._rank_high[index] >> 52)

    def values(self, index: int) -> tuple[float, float, float, float, int]:
        """What `Live.update` and `Live.peek` take."""
        return self.high[index], self.low[index], self.close[index], self.volume[index], self.session[index]

    def history(self, stop: int) -> History:
        """A copy of the first `stop` bars, at least one."""
        # Of slices, for an array cannot grow as long as anything looks into it.
        high, low, close, volume = (
            np.frombuffer(column[:stop], dtype=np.float64) for column in (self.high, self.low, self.close, self.volume)
        )
        return History(high, low, close, volume, np.frombuffer(self.session[:stop], dtype=np.intc))


def _microseconds(ts: datetime) -> int:
    return (ts - _EPOCH) // _MICROSECOND
