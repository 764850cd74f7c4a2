"""The history of one ticker and interval, and the indicator rows that follow from it."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.analytics.columns import APPENDED, BarColumns
from pipeline.analytics.indicators import WARM_UP, Live, Values, batch, has_batched, opening
from pipeline.model.bar_table import BarTable
from pipeline.model.messages import INDICATOR_FIELDS, Bar, IndicatorRow, Interval
from pipeline.model.times import moment

QUICK: Final = 500
"""What costs no more than so many live bars, some milliseconds, is not worth a thread of its own: that would wait for
the interpreter's lock, and have others wait for it, for longer."""

# Costs in live bars, as bench/indicators.py measures them.
_OPENING: Final = 30  # the bars of a merge that are among the first `WARM_UP`, all together
_BATCH: Final = 400  # a batch, before its first bar
_BARS_IN_BATCH: Final = 2  # so many bars of a batch cost as much as one live bar
_EXTENDED: Final = 64  # bars from which on they cost less together than one by one
_IMPORT: Final = 20_000  # what the first batch of a process costs besides: it imports pandas-ta, and numba with it


class Series:
    """All bars of one ticker and interval from one source, that of the first bar if none is named.

    `zone` is the exchange's, whose calendar day is a session.

    What comes out depends only on the set of bars that went in: of all rows ever returned for a bar the one of the
    greatest lineage is that of a computation over all bars at once.
    """

    def __init__(self, ticker: str, interval: Interval, zone: ZoneInfo, source: str | None = None) -> None:
        self._ticker = ticker
        self._source = source
        self._interval = interval
        self._bars = BarColumns(zone, ranked=True)
        self._live: Live | None = None
        # The bars before this one were restored, and their rows have not been returned by this object.
        self._silent = 0
        self._owed = False

    def __len__(self) -> int:
        return len(self._bars)

    def restore(self, bars: Sequence[Bar], *, owed: bool = False) -> None:
        """Take in, before any `merge`, bars that were known before. Whether their rows were published is not; if they
        are `owed`, for none is stored, the next `merge` returns them all.

        Raises:
            ValueError: for a bar of another source.
        """
        self._check_sources(bars)
        for bar in sorted(bars, key=attrgetter("ts")):
            self._bars.put(bar)
        self._silent = len(self._bars)
        self._owed = owed

    def restore_table(self, table: BarTable) -> None:
        """As `restore`.

        Raises:
            ValueError: if they are of another source.
        """
        self._check_source(table.source)
        if self._bars.insert(table) is None:
            for row in range(len(table)):
                self._bars.put_row(table, row)
        self._silent = len(self._bars)

    def _check_sources(self, bars: Sequence[Bar]) -> None:
        for bar in bars:
            self._check_source(bar.source)

    def _check_source(self, source: str) -> None:
        if source != self._source:
            if self._source is not None:
                raise ValueError(f"a bar of {source} in a series of {self._source}")
            self._source = source

    def merge(self, bars: Sequence[Bar]) -> list[IndicatorRow]:
        """Take in bars of this ticker and interval; the rows to publish.

        Of several observations of one bar that of the greatest `bar_rank` stays. The rows from the first bar that
        changed to the end are new. Of a restored bar that comes again and changes nothing, the row and those after it
        may never have been published (what was restored can be ahead of what was published): they are returned once.

        Raises:
            ValueError: for a bar of another source.
        """
        repeated, changed = self._take_in(bars)
        if self._owed:
            self._owed, repeated = False, 0
        first = min(repeated, changed)
        stop = len(self._bars) if changed < len(self._bars) else self._silent
        self._silent = min(self._silent, first)
        return self._rows(first, stop) if first < stop else []

    def _take_in(self, bars: Sequence[Bar]) -> tuple[int, int]:
        """The first position of a restored bar that came again, and that of the first which changed."""
        self._check_sources(bars)
        none = len(self._bars) + len(bars)  # beyond any position
        ordered = sorted(bars, key=attrgetter("ts"))
        if len(bars) >= APPENDED and (at := self._bars.append(ordered)) is not None:
            return none, at
        repeated = changed = none
        for bar in ordered:  # in time order no later insertion moves what was found
            index, is_news = self._bars.put(bar)
            if is_news:
                changed = min(changed, index)
            elif index < self._silent:
                repeated = min(repeated, index)
        return repeated, changed

    def cost(self, bars: Sequence[Bar]) -> int:
        """What `merge` takes for these, in live bars. Up to `QUICK` it computes no history."""
        first = 0 if self._owed else self._bars.position(min(bar.ts for bar in bars))
        return _live_cost(first, len(self) + len(bars))

    def _rows(self, first: int, stop: int) -> list[IndicatorRow]:
        bars = self._bars
        ranks = bars.ranks(first)
        known = bars.rank_sum - sum(ranks)
        fields: dict[str, Any] = {
            "ticker": self._ticker,
            "interval": self._interval,
            "source": self._source or "unknown",
        }
        rows = []
        for index, (rank, values) in enumerate(zip(ranks, self._values(first, stop), strict=False), first):
            known += rank
            fields.update(zip(INDICATOR_FIELDS, values, strict=True))  # which is quicker than another dict for each
            rows.append(
                IndicatorRow(
                    ts=moment(bars.ts[index]),
                    simulated=bool(bars.simulated[index]),
                    lineage=f"{index + 1:08x}-{known:032x}",
                    closed=bars.closed(index),
                    close=bars.close[index],
                    **fields,
                )
            )
        return rows

    def _values(self, first: int, stop: int) -> list[Values]:
        if self._live is not None and self._live.count > first:
            self._live = None  # a bar it has taken in has changed, or is asked for again
        dearer = _BATCH + len(self._bars) // _BARS_IN_BATCH + (0 if has_batched() else _IMPORT)
        if _live_cost(first, stop) < dearer:
            early = opening(self._bars.history(min(stop, WARM_UP)), first) if first < WARM_UP else []
            return early + self._live_values(max(first, WARM_UP), stop)
        self._live = None  # the next live bar opens it at the end
        return batch(self._bars.history(stop), first)

    def _live_values(self, first: int, stop: int) -> list[Values]:
        """The values at these bars, which are taken in but for one that may still change."""
        if first >= stop:
            return []
        bars = self._bars
        live = self._live
        if live is None:
            live = self._live = Live(bars.history(first))
        start = live.count  # before the first: open bars that have ceased to be the last
        is_open = stop == len(bars) and not bars.closed(stop - 1)
        taken = stop - is_open
        if taken - start < _EXTENDED:
            values = [live.update(*bars.values(index)) for index in range(start, taken)]
        else:
            values = live.extend(bars.history(taken, start))
        return [*values[first - start :], *([live.peek(*bars.values(taken))] if is_open else [])]


def _live_cost(first: int, stop: int) -> int:
    """Of the rows from `first` to before `stop`, computed without `batch`."""
    return stop - first + (_OPENING if first < WARM_UP else 0)
