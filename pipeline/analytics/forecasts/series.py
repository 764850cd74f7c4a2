"""The bars of one ticker and interval, and the forecasts that follow from them."""

import math
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.analytics.columns import BarColumns, microseconds, moment
from pipeline.analytics.forecasts.blocks import beginning_of, block_of
from pipeline.analytics.forecasts.model import FARTHEST, HORIZONS, Prediction, breaks_off
from pipeline.analytics.forecasts.run import ForecastRun, Said
from pipeline.model.messages import Bar, Forecast, Interval

REACH: Final = 1
"""How many blocks after its own a bar has a part in: models remember so far, and forecasts wait so long."""
_QUICK: Final = 200
"""Bars that the models may take in while an event loop waits."""
_PERCENT: Final = 100.0
_UNKNOWN: Final = f"{0:016x}-{0:032x}"
_LATEST: Final = (1 << 63) - 1


class ForecastSeries:
    """Closed bars of one ticker and interval from one source. `zone` is the exchange's, whose calendar day is a
    session.

    What comes out depends only on the set of bars that went in: of all rows ever returned for a bar and horizon, the
    one of the greatest lineage is that of a computation over all bars at once. A row is returned when its bar closes,
    when what it is about comes, and when a late or corrected bar changes either. For that it must have all
    bars from when on the oldest to be merged has them `needed`.
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

    def owe(self, since: int) -> None:
        """Of what was restored, which are all bars `since` then, no rows are stored: the next `merge` returns those
        that need nothing older."""
        self._owed = beginning_of(block_of(since, self._interval) + REACH, self._interval)

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
        follows = self._bars.position(first) >= self._live.next and self._live.is_at(microseconds(last))
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
            owed, self._owed = self._bars.position_of(self._owed), None
            news += range(owed, len(self._bars))
        if not news:
            return []
        first, last = min(news), max(news)
        block = self._block_at(last)
        stop = self._beginning_of(block + REACH + 1)
        for index in range(first, self._beginning_of(block + 1)):
            self._silent[index] = False
        return list(self._rows(self._run(first, stop, seen, len(self._bars) - known), first, stop))

    def _run(self, first: int, stop: int, seen: int, inserted: int) -> ForecastRun:
        """The models that can say what follows from changes at `first` and after, which reach to before `stop`."""
        if first >= seen:
            return self._live
        if stop <= self._live.first + inserted:  # long before all that the live models remember
            self._live.moved(inserted)
            return ForecastRun(self._bars, self._interval)
        self._live = ForecastRun(self._bars, self._interval)
        return self._live

    def _rows(self, run: ForecastRun, first: int, stop: int) -> Iterator[Forecast]:
        begin = max(0, first - FARTHEST, self._beginning_of(self._block_at(first) - REACH))
        for index, said in enumerate(run.said(begin, stop), begin):
            for place, horizon in enumerate(HORIZONS):
                if index >= first or (index + horizon >= first and self._target(index, horizon) is not None):
                    yield self._row(index, place, said)

    def _row(self, index: int, place: int, said: Said) -> Forecast:
        bars, horizon = self._bars, HORIZONS[place]
        target = self._target(index, horizon)
        came = None if target is None or self._breaks_off(index, target) else target
        return Forecast(
            ts=bars.time(index),
            simulated=bool(bars.simulated[index]),
            ticker=self._ticker,
            interval=self._interval,
            source=self._source,
            horizon=horizon,
            lineage=f"{said.bars:08x}-{said.known:032x}-{self._lineage_of(index, target)}",
            close=bars.close[index],
            came=None if came is None else bars.close[came],
            came_at=None if came is None else bars.time(came),
            **(_told(said.prediction, place, bars.close[index]) if said.prediction is not None else {}),
        )

    def _target(self, index: int, horizon: int) -> int | None:
        """The position of the bar that a forecast is about, if it is there, and not after so long that none waits."""
        target = index + horizon
        if target < len(self._bars) and self._block_at(target) <= self._block_at(index) + REACH:
            return target
        return None

    def _breaks_off(self, index: int, target: int) -> bool:
        """Whether prices between the two bars cannot be compared."""
        close, low = self._bars.close, self._bars.low
        return any(breaks_off(low[i], close[i], close[i - 1]) for i in range(index + 1, target + 1))

    def _lineage_of(self, index: int, target: int | None) -> str:
        """Of what came. Bars that come late make the target an earlier one; of the same target, corrections raise the
        sum of ranks."""
        if target is None:
            return _UNKNOWN
        known = sum(self._bars.rank(i) for i in range(index + 1, target + 1))
        return f"{_LATEST - self._bars.ts[target]:016x}-{known:032x}"

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
    """From when on all bars are needed for one of this time to be merged: the forecasts that wait for it may be of the
    block before, and their models remember that before. In microseconds since the epoch."""
    return beginning_of(block_of(ts, interval) - 2 * REACH, interval)


def _told(prediction: Prediction, place: int, close: float) -> dict[str, Any]:
    """What a row says beside what it is about."""
    halves, volatility, record = prediction.bands[place]
    fields: dict[str, Any] = {
        "volatility": volatility,
        "since": moment(prediction.since),
        "count": record.total,
        "drifted": None if prediction.drifted is None else moment(prediction.drifted),
    }
    for level, half in zip(("50", "80", "95"), halves, strict=True):
        fields[f"low_{level}"] = close * math.exp(-half)
        fields[f"high_{level}"] = close * math.exp(half)
    if count := record.total:
        for level, inside in zip(("50", "80", "95"), record.inside, strict=True):
            fields[f"held_{level}"] = inside / count
        fields["score"] = _PERCENT * record.ours / count
        fields["score_ewma"] = _PERCENT * record.ewma / count
        fields["score_rolling"] = _PERCENT * record.rolling / count
        fields["skill"] = record.skill(HORIZONS[place])
    if HORIZONS[place] == 1:
        direction = prediction.direction
        fields["up"], fields["up_skill"] = prediction.up, direction.skill
        if direction.total:
            fields["up_loss"] = direction.ours / direction.total
            fields["up_loss_base"] = direction.base / direction.total
    return fields
