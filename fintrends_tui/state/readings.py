"""What an indicator's value says, in a few words. The customary readings, and no advice. Pure.

Thresholds: RSI 30 and 70, ADX 20 and 25 (Wilder, 1978), stochastic 20 and 80 (Lane), bands at two standard deviations
(Bollinger).
"""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.model.returns import return_of

Values = Mapping[str, float | None]


class Reading(NamedTuple):
    """`tone` is "up", "down", "warn" for an extreme, or empty."""

    words: str
    tone: str = ""


_AVERAGES: Final = ("sma_20", "sma_50", "ema_12", "ema_26", "vwap")


def reading(field: str, values: Values, close: float) -> Reading | None:
    """What the field says at a bar with these values and this close; None where there is nothing to say."""
    value = values.get(field)
    if value is None:
        return None
    match field:
        case "rsi_14":
            return _zone(value, 30, 70)
        case "stoch_k" | "stoch_d":
            return _zone(value, 20, 80)
        case "macd_hist" if value:
            return Reading("momentum rising", "up") if value > 0 else Reading("momentum falling", "down")
        case "macd" if value:
            return Reading("fast above slow", "up") if value > 0 else Reading("fast below slow", "down")
        case "adx_14":
            return Reading("strong trend" if value >= 25 else "weak trend" if value >= 20 else "no trend")
        case "bb_upper" if close > value and not _is_same(close, value):
            return Reading("price above the band", "warn")
        case "bb_lower" if close < value and not _is_same(close, value):
            return Reading("price below the band", "warn")
        case "atr_14" if close > 0:
            return Reading(f"{100 * value / close:.2f}% of price")
    if field in _AVERAGES and (distance := return_of(close, value)) is not None:
        distance *= 100
        if round(distance, 2):
            above = distance > 0
            return Reading(f"price {abs(distance):.2f}% {'above' if above else 'below'}", "up" if above else "down")
        return Reading("at the price")
    return None


def _is_same(one: float, other: float) -> bool:
    """But for what rounding leaves, such as around a series that never moves."""
    return math.isclose(one, other, rel_tol=1e-9)


def _zone(value: float, low: float, high: float) -> Reading:
    if value >= high:
        return Reading("overbought", "warn")
    return Reading("oversold", "warn") if value <= low else Reading("neutral")
