"""A ticker beside another one, its sentiment or an economic series: as per cent since the first moment of both."""

import math
import statistics
from bisect import bisect_right
from collections.abc import Sequence
from datetime import tzinfo
from itertools import pairwise
from typing import Final, NamedTuple

from fintrends_tui.charting.buckets import Candle, Step, offset
from pipeline.model.returns import return_of

_FEWEST: Final = 3
"""Changes, below which a correlation says nothing."""
_DAY: Final = 86_400


class Comparison(NamedTuple):
    """Both in per cent, a value for each candle of the first; `correlation` is Pearson's, None where it means
    nothing."""

    first: list[float | None]
    second: list[float | None]
    correlation: float | None


def with_ticker(candles: Sequence[Candle], others: Sequence[Candle], step: Step, zone: tzinfo) -> Comparison:
    """Changes since the first candle that both have; the correlation is that of their returns from candle to candle."""
    closes = {_key(candle, step, zone): candle.close for candle in others}
    pairs = [(candle.close, closes.get(_key(candle, step, zone))) for candle in candles]
    bases = next(((mine, other) for mine, other in pairs if other is not None and mine > 0 and other > 0), None)
    if bases is None:
        return Comparison([None] * len(pairs), [None] * len(pairs), None)
    both = [(mine, other) for mine, other in pairs if other is not None]
    changes = [
        (one, two)
        for before, now in pairwise(both)
        if (one := return_of(now[0], before[0])) is not None and (two := return_of(now[1], before[1])) is not None
    ]
    return Comparison(
        [_percent(mine, bases[0]) for mine, _ in pairs],
        [None if other is None else _percent(other, bases[1]) for _, other in pairs],
        correlation(changes),
    )


def with_series(candles: Sequence[Candle], values: Sequence[tuple[float, float]], *, relative: bool) -> Comparison:
    """Beside values at times of their own, of which each candle has the latest; `relative` ones as their change, others
    as they are, in hundredths. The correlation is that of the levels."""
    times = [ts for ts, _ in values]
    ends = [candle.ts for candle in candles[1:]] + [math.inf]
    found = [values[at - 1][1] if (at := bisect_right(times, end)) else None for end in ends]
    base = next((value for value in found if value is not None), None)
    if relative:
        second = [None if value is None or not base else 100 * (value - base) / abs(base) for value in found]
    else:
        second = [None if value is None else 100 * value for value in found]
    first = [_percent(candle.close, candles[0].close) for candle in candles]
    levels = [(one, two) for one, two in zip(first, second, strict=True) if one is not None and two is not None]
    return Comparison(first, second, correlation(levels))


def correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Pearson's; None of fewer than three pairs, and where one of both never changes."""
    if len(pairs) < _FEWEST:
        return None
    try:
        found = statistics.correlation([one for one, _ in pairs], [two for _, two in pairs])
    except (statistics.StatisticsError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _percent(value: float, base: float) -> float | None:
    gain = return_of(value, base)
    return None if gain is None else 100 * gain


def _key(candle: Candle, step: Step, zone: tzinfo) -> float:
    """What candles of one time have in common; days are those of each exchange, which need not begin together."""
    return candle.ts if step.is_intraday else (candle.ts + offset(zone, candle.ts)) // _DAY
