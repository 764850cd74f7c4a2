"""The bands of a forecast as a fan that opens at the last close."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from fintrends_tui.charting.buckets import Step, step_named
from fintrends_tui.charting.canvas import Tone
from fintrends_tui.charting.plot import Band
from pipeline.contract.snapshot import ForecastView

_LEVELS: Final[tuple[tuple[str, Tone], ...]] = (("80", "fan-wide"), ("50", "fan-narrow"))


class _Point(NamedTuple):
    ts: float
    low: float
    high: float


def fan(forecasts: Sequence[ForecastView], step: Step, last: float) -> list[Band]:
    """The 80 % band and the 50 % band for each candle of the length `step` after that of `last`, in seconds since the
    epoch; none where nothing is forecast that far.

    Of the intervals that are not longer than the candles the longest is shown. Between the bars that are forecast the
    edges are straight.
    """
    usable = [view for view in forecasts if step_named(view.interval).seconds <= step.seconds]
    if not usable:
        return []
    view = max(usable, key=lambda view: step_named(view.interval).seconds)
    seconds = step_named(view.interval).seconds
    bands = []
    for level, tone in _LEVELS:
        said = [
            _Point(view.ts + horizon.bars * seconds, *horizon.bands[level])
            for horizon in view.horizons
            if level in horizon.bands
        ]
        edges = [_Point(view.ts, view.close, view.close), *said]
        until = int((edges[-1].ts - last) // step.seconds)
        points = [_between(edges, last + index * step.seconds) for index in range(1, until + 1)]
        if points:
            bands.append(Band(points, tone))
    return bands


def _between(edges: Sequence[_Point], ts: float) -> tuple[float, float, float]:
    """The band at a time that is not after the last edge."""
    before, after = next(pair for pair in pairwise(edges) if ts <= pair[1].ts)
    share = (ts - before.ts) / (after.ts - before.ts)
    return ts, before.low + share * (after.low - before.low), before.high + share * (after.high - before.high)
