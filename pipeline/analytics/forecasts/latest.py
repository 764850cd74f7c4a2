"""The latest forecasts of one source, by interval: what is shown, and what alerts are about. Pure."""

import math
from typing import Final

from pipeline.contract.snapshot import ForecastView, HorizonView
from pipeline.model.documents import version_of
from pipeline.model.messages import INTERVALS, Forecast, HorizonForecast, Interval

_NEXT: Final = 1
"""The horizon of the next bar."""


class LatestForecasts:
    """Takes forecasts in any order, and more than once."""

    def __init__(self) -> None:
        self._rows: dict[Interval, Forecast] = {}

    def put(self, row: Forecast) -> None:
        """The later of two stays; of two of the same bar the one that the store keeps."""
        known = self._rows.get(row.interval)
        if known is None or (row.ts, version_of(row)) > (known.ts, version_of(known)):
            self._rows[row.interval] = row

    def up(self, interval: Interval) -> float | None:
        """The probability that the return of the bar that comes next is positive."""
        row = self._rows.get(interval)
        return None if row is None else row.up

    def outside(self, interval: Interval) -> float | None:
        """How far the last close lies outside of the 95 % band that was said of it, in halves of its width: 0 is its
        edge, what is inside is below. None where no band was said of the last close."""
        row = self._rows.get(interval)
        due = next((said.due for said in row.horizons if said.horizon == _NEXT), None) if row is not None else None
        if row is None or due is None:
            return None
        half = math.log(due.high_95 / due.close)
        return abs(math.log(row.close / due.close)) / half - 1.0 if half > 0.0 else None

    def views(self) -> list[ForecastView]:
        """Of each interval, the finest first."""
        return [self._view(self._rows[interval]) for interval in INTERVALS if interval in self._rows]

    def _view(self, row: Forecast) -> ForecastView:
        return ForecastView(
            interval=row.interval,
            ts=row.ts.timestamp(),
            close=row.close,
            since=None if row.since is None else row.since.timestamp(),
            drifted=None if row.drifted is None else row.drifted.timestamp(),
            outside=self.outside(row.interval),
            up=row.up,
            up_loss=row.up_loss,
            up_loss_base=row.up_loss_base,
            up_skill=row.up_skill or "unknown",
            horizons=[_horizon(said) for said in row.horizons],
        )


def _horizon(said: HorizonForecast) -> HorizonView:
    ends = {"50": (said.low_50, said.high_50), "80": (said.low_80, said.high_80), "95": (said.low_95, said.high_95)}
    return HorizonView(
        bars=said.horizon,
        bands={level: (low, high) for level, (low, high) in ends.items() if low is not None and high is not None},
        volatility=said.volatility,
        count=said.count,
        held={"50": said.held_50, "80": said.held_80, "95": said.held_95} if said.count else {},
        score=said.score,
        score_ewma=said.score_ewma,
        score_rolling=said.score_rolling,
        skill=said.skill,
    )
