"""The latest forecasts of one source, by interval and horizon: what is shown, and what alerts are about. Pure."""

import math
from typing import Final

from pipeline.contract.snapshot import ForecastView, HorizonView
from pipeline.model.documents import version_of
from pipeline.model.messages import INTERVALS, Forecast, Interval

_NEXT: Final = 1
"""The horizon of the next bar."""


class LatestForecasts:
    """Takes forecasts in any order, and more than once."""

    def __init__(self) -> None:
        self._said: dict[tuple[Interval, int], Forecast] = {}
        self._judged: dict[Interval, Forecast] = {}
        """Of the forecasts of the next bar, the latest whose bar has come."""

    def put(self, forecast: Forecast) -> None:
        key = forecast.interval, forecast.horizon
        self._said[key] = _newer(forecast, self._said.get(key))
        if forecast.horizon == _NEXT and forecast.came is not None:
            self._judged[forecast.interval] = _newer(forecast, self._judged.get(forecast.interval))

    def of_next(self, interval: Interval) -> Forecast | None:
        """What is said of the bar that comes next."""
        return self._said.get((interval, _NEXT))

    def outside(self, interval: Interval) -> float | None:
        """How far the last close lies outside of the 95 % band that was said of it, in halves of its width: 0 is its
        edge, what is inside is below. None where no band was said of the last close."""
        judged, last = self._judged.get(interval), self.of_next(interval)
        if judged is None or judged.came is None or judged.high_95 is None or last is None or judged.came_at != last.ts:
            return None
        half = math.log(judged.high_95 / judged.close)
        return abs(math.log(judged.came / judged.close)) / half - 1.0 if half > 0.0 else None

    def views(self) -> list[ForecastView]:
        """Of each interval, the finest first."""
        return [view for interval in INTERVALS if (view := self._view(interval)) is not None]

    def _view(self, interval: Interval) -> ForecastView | None:
        last = self.of_next(interval)
        if last is None:
            return None
        at_last = [row for (of, _), row in sorted(self._said.items()) if of == interval and row.ts == last.ts]
        return ForecastView(
            interval=interval,
            ts=last.ts.timestamp(),
            close=last.close,
            since=None if last.since is None else last.since.timestamp(),
            drifted=None if last.drifted is None else last.drifted.timestamp(),
            outside=self.outside(interval),
            up=last.up,
            up_loss=last.up_loss,
            up_loss_base=last.up_loss_base,
            up_skill=last.up_skill or "unknown",
            horizons=[_horizon(row) for row in at_last],
        )


def _horizon(row: Forecast) -> HorizonView:
    ends = {"50": (row.low_50, row.high_50), "80": (row.low_80, row.high_80), "95": (row.low_95, row.high_95)}
    return HorizonView(
        bars=row.horizon,
        bands={level: (low, high) for level, (low, high) in ends.items() if low is not None and high is not None},
        volatility=row.volatility,
        count=row.count,
        held={"50": row.held_50, "80": row.held_80, "95": row.held_95} if row.count else {},
        score=row.score,
        score_ewma=row.score_ewma,
        score_rolling=row.score_rolling,
        skill=row.skill,
    )


def _newer(row: Forecast, known: Forecast | None) -> Forecast:
    """The later of the two; of two of the same bar the one that the store keeps."""
    if known is None or row.ts > known.ts:
        return row
    return row if row.ts == known.ts and version_of(row) > version_of(known) else known
