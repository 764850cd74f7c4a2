"""One series' forecasts: all models together, a closed bar at a time."""

import math
from collections import deque
from typing import Final, NamedTuple

import msgspec

from pipeline.analytics.forecasts.baselines import EwmaVariance, RollingQuantiles
from pipeline.analytics.forecasts.breaks import BreakModel, is_break
from pipeline.analytics.forecasts.conformal import ConformalBands
from pipeline.analytics.forecasts.direction import BaseRate, DirectionModel
from pipeline.analytics.forecasts.drift import PageHinkley
from pipeline.analytics.forecasts.scale import ScaleModel
from pipeline.analytics.forecasts.scores import BandRecord, DirectionRecord, scored_band, scored_direction
from pipeline.model.splits import is_like_a_split

HORIZONS: Final = (1, 5, 15)
"""In bars of the series."""
FARTHEST: Final = HORIZONS[-1]
WARM_UP: Final = 100
"""Bars before the first forecast."""

_CALMING: Final = {1: 0.0, 5: 0.15, 15: 0.3}
"""By which part volatility will be back at its long memory by then, in logarithms."""
_FLAT: Final = 30
"""Bars without any movement after which the series is asleep, and nobody knows what follows."""
_UNIT_STEP: Final = 0.01
_UNIT_MOST: Final = 25.0
_DRIFT_MOST: Final = 5.0


class ClosedBar(NamedTuple):
    """What the models see of a bar. `ts` is in microseconds since the epoch, an unknown volume is 0."""

    ts: int
    high: float
    low: float
    close: float
    volume: float
    session: int


class BandForecast(msgspec.Struct, frozen=True):
    """For one horizon: half the widths of the bands, by level, in logarithms of the close; the standard deviation of
    the return; what was known of such forecasts when this was made."""

    halves: tuple[float, float, float]
    volatility: float
    record: BandRecord


class Prediction(msgspec.Struct, frozen=True):
    """What is said at one bar. `bands` are in the order of `HORIZONS`. `since` is the bar that the record began with,
    `drifted` the last one at which returns had ceased to be like those before."""

    bands: tuple[BandForecast, ...]
    up: float
    direction: DirectionRecord
    since: int
    drifted: int | None


_Pending = tuple[float, tuple[float, float, float], float, tuple[float, float] | None]
"""A forecast whose bar has not come: the predicted scale, half the widths of the bands, half that of the EWMA band, and
the rolling band, None where it is not compared and not counted: until all three know enough, it is practice."""


class _Horizon:
    """What is learnt for one horizon."""

    def __init__(self, bars: int) -> None:
        self.bars = bars
        self.calming = _CALMING[bars]
        self.pending: deque[_Pending | None] = deque(maxlen=bars)
        """Of each of the last bars, the oldest first."""
        self._root = math.sqrt(bars)
        self._conformal = ConformalBands()
        self._rolling = RollingQuantiles()
        self._record = BandRecord()
        self._unit = 1.0
        """The mean square of returns over their predicted scales."""

    def learn(self, closes: deque[float]) -> float | None:
        """Take in the newest of the logarithms of closes; how far it went, in units of the predicted scale."""
        if len(closes) <= self.bars:
            return None
        change = closes[-1] - closes[-1 - self.bars]
        self._rolling.learn(change)
        if len(self.pending) < self.bars or (due := self.pending[0]) is None:
            return None
        scale, halves, ewma, rolling = due
        ratio = abs(change) / scale
        self._conformal.learn(ratio)
        self._unit += _UNIT_STEP * (min(ratio * ratio, _UNIT_MOST) - self._unit)
        if rolling is not None:
            self._record = scored_band(self._record, halves, change, ewma, rolling)
        return ratio

    def forecast(self, variance: float, nearer: BandForecast | None, ewma: float, *, told: bool) -> BandForecast:
        """At least as wide as the `nearer` one: each horizon is tracked by itself, and a night may be worth more to one
        than to the next. `ewma` is half the width of the EWMA band one bar ahead."""
        scale = math.sqrt(variance)
        half, most, nearly_all = self._conformal.multiples
        half, most, nearly_all = half * scale, most * scale, nearly_all * scale
        volatility = scale * math.sqrt(self._unit)
        if nearer is not None:
            least_50, least_80, least_95 = nearer.halves
            least = nearer.volatility
            if half < least_50 or most < least_80 or nearly_all < least_95 or volatility < least:
                half, most, nearly_all = max(half, least_50), max(most, least_80), max(nearly_all, least_95)
                volatility = max(volatility, least)
        halves = half, most, nearly_all
        self.pending.append((scale, halves, ewma * self._root, self._rolling.band() if told else None))
        return BandForecast(halves, volatility, self._record)


class ForecastModel:
    """Takes in closed bars in time order and says after each what may come. Its state is bounded, and so is its time.

    Nothing that is said at a bar knows a later one. Nothing is said while there are fewer than 100 bars; of a series
    that has not moved for 30; of prices that are not positive, for logarithms are what is reckoned in. What looks like
    a split voids the forecasts it lies within: they are neither learnt from nor counted.
    """

    def __init__(self, interval: int) -> None:
        """`interval` is in microseconds."""
        self._interval = interval
        self._begin()

    def _begin(self) -> None:
        self._scale = ScaleModel()
        self._breaks = BreakModel(self._interval)
        self._horizons = [_Horizon(bars) for bars in HORIZONS]
        self._ewma = EwmaVariance()
        self._direction = DirectionModel()
        self._base_rate = BaseRate()
        self._direction_record = DirectionRecord()
        self._drift = PageHinkley()
        self._drifted: int | None = None
        self._closes: deque[float] = deque(maxlen=FARTHEST + 1)
        self._last: ClosedBar | None = None
        self._up: float | None = None
        self._count = self._flat = 0
        self._since: int | None = None

    def update(self, bar: ClosedBar) -> Prediction | None:
        """Take in the next bar; what may follow it."""
        if not _has_logarithms(bar.low, bar.close):
            self._begin()
            return None
        last, self._last = self._last, bar
        ts, high, low, close, volume, session = bar
        starts = last is not None and is_break(ts - last.ts, self._interval, new_session=session != last.session)
        if last is not None and is_like_a_split(close / last.close):
            self._void()
            last = None
        self._closes.append(math.log(close))
        change = None
        if last is not None:
            change = self._closes[-1] - self._closes[-2]
            if not starts and not low <= last.close <= high:  # the range reaches to the last close
                high, low = max(high, last.close), min(low, last.close)
        spread = math.log(high / low)
        self._learn(ts, change, starts=starts)
        variance = self._scale.update(None if starts else change, spread, volume, starts=starts)
        self._breaks.update(ts, spread * spread, change if starts else None)
        self._count += 1
        self._flat = self._flat + 1 if not spread and not change else 0
        if variance is None or self._flat >= _FLAT:
            for horizon in self._horizons:
                horizon.pending.append(None)
            self._up = None
            return None
        return self._predict(ts, variance, change or 0.0)

    def _void(self) -> None:
        """The closes so far say nothing of those to come."""
        self._closes.clear()
        self._up = None
        for horizon in self._horizons:
            horizon.pending.clear()

    def _learn(self, ts: int, change: float | None, *, starts: bool) -> None:
        for horizon in self._horizons:
            ratio = horizon.learn(self._closes)
            if horizon.bars == 1 and ratio is not None and self._drift.update(min(ratio, _DRIFT_MOST)):
                self._drifted = ts
        if change is None:
            return
        if not starts:
            self._ewma.learn(change)
        if self._up is not None:
            rose = change > 0.0
            if self._since is not None:
                self._direction_record = scored_direction(
                    self._direction_record, self._up, self._base_rate.value, rose=rose
                )
            self._direction.learn(self._up, rose)
            self._base_rate.learn(rose)

    def _predict(self, ts: int, variance: float, change: float) -> Prediction | None:
        told = self._count >= WARM_UP
        if told and self._since is None:
            self._since = ts
        of_a_bar, above = math.exp(variance), variance - self._scale.slow
        self._up = self._direction.predict(change / math.sqrt(of_a_bar))
        ewma, left = self._ewma.half_width(), self._breaks.left
        bands: list[BandForecast] = []
        nearer = None
        for horizon in self._horizons:
            expected = horizon.bars * of_a_bar * math.exp(-horizon.calming * above)
            if horizon.bars > left:
                expected += self._breaks.variance_within(horizon.bars)
            nearer = horizon.forecast(expected, nearer, ewma, told=told)
            bands.append(nearer)
        if self._since is None:
            return None
        return Prediction(tuple(bands), self._up, self._direction_record, self._since, self._drifted)


def _has_logarithms(low: float, close: float) -> bool:
    return low > 0.0 and close > 0.0


def breaks_off(low: float, close: float, last_close: float) -> bool:
    """Whether a bar cannot be compared with the one before: as at a split, or where prices are not positive."""
    return not _has_logarithms(low, close) or (last_close > 0.0 and is_like_a_split(close / last_close))
