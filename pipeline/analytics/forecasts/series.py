"""The bars of one ticker and interval, and the forecasts that follow from them."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.analytics.columns import BarColumns
from pipeline.analytics.forecasts.blocks import REACH, beginning_of, block_of
from pipeline.analytics.forecasts.model import FARTHEST
from pipeline.analytics.forecasts.rows import Said, direction_of
from pipeline.analytics.forecasts.run import ForecastRun
from pipeline.model.bar_table import BarTable
from pipeline.model.messages import Bar, Forecast, Interval
from pipeline.model.times import microseconds

_QUICK: Final = 200
"""Bars that the models may take in while an event loop waits."""


class ForecastSeries:
    """Closed bars of one ticker and interval from one source. `zone` is the exchange's, whose calendar day is a
    session.

    What comes out depends only on the set of bars that went in: of all rows ever returned for a bar, the one of the
    greatest lineage is that of a computation over all bars at once. A row is returned when its bar closes, and again
    when a late or corrected bar changes it: that is of its block, of the block before, or, for the first rows of a
    block, of the one before that, since what was due there was said in the block before. For that it must have all bars
    from when on the oldest to be merged has them `needed`.
    """

    def __init__(self, ticker: str, interval: Interval, zone: ZoneInfo, source: str) -> None:
        self._ticker = ticker
        self._source = source
        self._interval: Interval = interval
        self._bars = BarColumns(zone, ranked=True)
        self._live = ForecastRun(self._bars, interval)
        self._silent = bytearray()
        """Of each bar whether it was restored, and the rows that follow from it have not been returned."""
        self._owed: int | None = None
        """From when on the next `merge` returns all rows."""

    def __len__(self) -> int:
        return len(self._bars)

    @property
    def newest(self) -> int | None:
        """The time of the last bar, in microseconds since the epoch."""
        return self._bars.ts[-1] if len(self._bars) else None

    def restore(self, bars: Sequence[Bar]) -> None:
        """Take in bars that were known before. Whether the rows that follow from them were published is not."""
        for bar in sorted(bars, key=attrgetter("ts")):
            if bar.closed:
                self._put(bar, silent=True)
        self._live = ForecastRun(self._bars, self._interval)

    def restore_table(self, table: BarTable) -> None:
        """As `restore`, of bars that are all closed."""
        at = self._bars.insert(table)
        if at is not None:
            self._silent[at:at] = bytes([True]) * len(table)
        else:
            for row in range(len(table)):
                count = len(self._bars)
                index, _ = self._bars.put_row(table, row)
                if len(self._bars) > count:
                    self._silent.insert(index, True)
        self._live = ForecastRun(self._bars, self._interval)

    def owe(self, since: int) -> None:
        """Of what was restored, which are all bars `since` then, no rows are stored: the next `merge` returns those
        that need nothing older."""
        self._owed = since

    def forget(self, since: int) -> None:
        """Drop the bars before this time, which is in microseconds since the epoch."""
        if count := self._bars.position_of(since):
            self._bars.drop(count)
            del self._silent[:count]
            self._live.moved(-count)

    def is_quick(self, bars: Sequence[Bar]) -> bool:
        """Whether an event loop can wait for `merge`: the models run through few bars."""
        if len(self._bars) + len(bars) < _QUICK:
            return True
        first, last = min(bar.ts for bar in bars), max(bar.ts for bar in bars)
        follows = self._bars.position(first) == self._live.next and self._live.is_at(microseconds(last))
        return follows and self._owed is None and len(bars) < _QUICK

    def merge(self, bars: Sequence[Bar]) -> list[Forecast]:
        """Take in bars of this series; the rows to publish.

        Of several observations of one bar that of the greatest `bar_rank` stays; those of one that has not closed are
        passed over. Of a restored bar that comes again and changes nothing, the rows that follow from it may never have
        been published: they are returned once.
        """
        known, seen = len(self._bars), self._live.next
        news: list[int] = []
        for bar in sorted(bars, key=attrgetter("ts")):  # in time order no later insertion moves what was found
            if bar.closed:
                index, is_news = self._put(bar)
                if is_news or self._silent[index]:
                    news.append(index)
        if self._owed is not None:
            news += range(self._owed_from(self._owed), len(self._bars))
            self._owed = None
        if not news:
            return []
        first, block = min(news), self._block_at(max(news))
        for index in range(first, self._beginning_of(block + 1)):
            self._silent[index] = False
        remembered = self._beginning_of(block + REACH + 1)
        stop = min(remembered + FARTHEST, self._beginning_of(block + REACH + 2))
        run = self._run(first, remembered, seen, len(self._bars) - known)
        return [self._row(index, said) for index, said in enumerate(run.said(first, stop), first)]

    def _owed_from(self, since: int) -> int:
        """The position of the first row that needs no bar from before then."""
        begin = self._beginning_of(block_of(since, self._interval) + REACH)
        return min(begin + FARTHEST, len(self._bars)) if begin else 0

    def _run(self, first: int, stop: int, seen: int, inserted: int) -> ForecastRun:
        """The models that can say what follows from changes at `first` and after, which they remember to before
        `stop`."""
        if first >= seen:
            return self._live
        if stop <= self._live.first + inserted:  # long before all that the live models remember
            self._live.moved(inserted)
            return ForecastRun(self._bars, self._interval)
        self._live = ForecastRun(self._bars, self._interval)
        return self._live

    def _row(self, index: int, said: Said) -> Forecast:
        return Forecast(
            ts=said.ts,
            simulated=bool(self._bars.simulated[index]),
            ticker=self._ticker,
            interval=self._interval,
            source=self._source,
            lineage=said.lineage,
            close=said.close,
            horizons=said.horizons,
            **direction_of(said.prediction),
        )

    def _block_at(self, index: int) -> int:
        return block_of(self._bars.ts[index], self._interval)

    def _beginning_of(self, block: int) -> int:
        """The position of its first bar."""
        return self._bars.position_of(beginning_of(block, self._interval))

    def _put(self, bar: Bar, *, silent: bool = False) -> tuple[int, bool]:
        count = len(self._bars)
        index, is_news = self._bars.put(bar)
        if len(self._bars) > count:
            self._silent.insert(index, silent)
        return index, is_news


def needed(ts: int, interval: Interval) -> int:
    """From when on all bars are needed for one of this time to be merged: what was due at the first bars of a block was
    said in the one before, whose models remember that before. In microseconds since the epoch."""
    return beginning_of(block_of(ts, interval) - 2 * REACH, interval)
