"""One series' forecasts: all models together, a closed bar at a time."""

import math
from collections import deque
from typing import Final, NamedTuple

from pipeline.analytics.forecasts.baselines import EwmaVariance, RollingQuantiles
from pipeline.analytics.forecasts.breaks import BreakModel, is_break
from pipeline.analytics.forecasts.conformal import ConformalBands
from pipeline.analytics.forecasts.direction import BaseRate, DirectionModel
from pipeline.analytics.forecasts.drift import PageHinkley
from pipeline.analytics.forecasts.scale import BarMove, ScaleModel
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


class BandForecast(NamedTuple):
    """For one horizon: half the widths of the bands, by level, in logarithms of the close; the standard deviation of
    the return; what was known of such forecasts when this was made."""

    halves: tuple[float, float, float]
    volatility: float
    record: BandRecord


class Prediction(NamedTuple):
    """What is said at one bar. `bands` are in the order of `HORIZONS`. `since` is the bar that the record began with,
    `drifted` the last one at which returns had ceased to be like those before."""

    bands: tuple[BandForecast, ...]
    up: float
    direction: DirectionRecord
    since: int
    drifted: int | None


class _Pending(NamedTuple):
    """A forecast whose bar has not come. `rolling` is None where it is not compared and not counted: until all three
    know enough, it is practice."""

    scale: float
    halves: tuple[float, float, float]
    ewma: float
    rolling: tuple[float, float] | None


class _Horizon:
    """What is learnt for one horizon."""

    def __init__(self, bars: int) -> None:
        self.bars = bars
        self.calming = _CALMING[bars]
        self.pending: deque[_Pending | None] = deque(maxlen=bars)
        """Of each of the last bars, the oldest first."""
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
        due = self.pending[0] if len(self.pending) == self.bars else None
        self._rolling.learn(change)
        if due is None:
            return None
        ratio = abs(change) / due.scale
        self._conformal.learn(ratio)
        self._unit += _UNIT_STEP * (min(ratio * ratio, _UNIT_MOST) - self._unit)
        if due.rolling is not None:
            self._record = scored_band(self._record, due.halves, change, due.ewma, due.rolling)
        return ratio

    def forecast(self, scale: float, nearer: BandForecast | None, ewma: EwmaVariance, *, told: bool) -> BandForecast:
        """At least as wide as the `nearer` one: each horizon is tracked by itself, and a night may be worth more to one
        than to the next."""
        half, most, nearly_all = (scale * multiple for multiple in self._conformal.multiples)
        volatility = scale * math.sqrt(self._unit)
        if nearer is not None:
            half = max(half, nearer.halves[0])
            most = max(most, nearer.halves[1])
            nearly_all = max(nearly_all, nearer.halves[2])
            volatility = max(volatility, nearer.volatility)
        halves = half, most, nearly_all
        rolling = self._rolling.band() if told else None
        self.pending.append(_Pending(scale, halves, ewma.half_width(self.bars), rolling))
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
        self._base = 0.0
        self._count = self._flat = 0
        self._since: int | None = None

    def update(self, bar: ClosedBar) -> Prediction | None:
        """Take in the next bar; what may follow it."""
        if not _has_logarithms(bar.low, bar.close):
            self._begin()
            return None
        last, self._last = self._last, bar
        starts = last is not None and is_break(
            bar.ts - last.ts, self._interval, new_session=bar.session != last.session
        )
        if last is not None and is_like_a_split(bar.close / last.close):
            self._void()
            last = None
        self._closes.append(math.log(bar.close))
        change = None if last is None else self._closes[-1] - self._closes[-2]
        within = last if not starts else None
        move = BarMove(
            change=None if starts else change,
            spread=_spread(bar, within),
            volume=bar.volume,
            starts=starts,
        )
        self._learn(move, change, bar.ts)
        variance = self._scale.update(move)
        self._breaks.update(bar.ts, move.spread * move.spread, change if starts else None)
        self._count += 1
        self._flat = self._flat + 1 if not move.spread and not change else 0
        if variance is None or self._flat >= _FLAT:
            for horizon in self._horizons:
                horizon.pending.append(None)
            self._up = None
            return None
        return self._predict(bar.ts, variance, change)

    def _void(self) -> None:
        """The closes so far say nothing of those to come."""
        self._closes.clear()
        self._up = None
        for horizon in self._horizons:
            horizon.pending.clear()

    def _learn(self, move: BarMove, change: float | None, ts: int) -> None:
        for horizon in self._horizons:
            ratio = horizon.learn(self._closes)
            if ratio is not None and horizon.bars == 1 and self._drift.update(min(ratio, _DRIFT_MOST)):
                self._drifted = ts
        if move.change is not None:
            self._ewma.learn(move.change)
        if change is not None and self._up is not None:
            rose = change > 0.0
            if self._since is not None:
                self._direction_record = scored_direction(self._direction_record, self._up, self._base, rose=rose)
            self._direction.learn(self._up, rose)
            self._base_rate.learn(rose)

    def _predict(self, ts: int, variance: float, change: float | None) -> Prediction | None:
        told = self._count >= WARM_UP
        if told and self._since is None:
            self._since = ts
        scale = math.exp(variance / 2)
        self._up = self._direction.predict((change or 0.0) / scale)
        self._base = self._base_rate.value
        slow = math.log(self._scale.slow)
        bands: list[BandForecast] = []
        for horizon in self._horizons:
            expected = horizon.bars * math.exp(variance + horizon.calming * (slow - variance))
            expected += self._breaks.variance_within(horizon.bars)
            nearer = bands[-1] if bands else None
            bands.append(horizon.forecast(math.sqrt(expected), nearer, self._ewma, told=told))
        if self._since is None:
            return None
        return Prediction(tuple(bands), self._up, self._direction_record, self._since, self._drifted)


def _spread(bar: ClosedBar, last: ClosedBar | None) -> float:
    """The logarithm of high over low, the last close taken for one of the prices."""
    high, low = (bar.high, bar.low) if last is None else (max(bar.high, last.close), min(bar.low, last.close))
    return math.log(high / low)


def _has_logarithms(low: float, close: float) -> bool:
    return low > 0.0 and close > 0.0


def breaks_off(low: float, close: float, last_close: float) -> bool:
    """Whether a bar cannot be compared with the one before: as at a split, or where prices are not positive."""
    return not _has_logarithms(low, close) or (last_close > 0.0 and is_like_a_split(close / last_close))
