"""How good forecasts were: coverage, the interval score, and whether that beats what anybody can do."""

import math
from typing import Final

import msgspec

from pipeline.model.skill import Skill

_SURE: Final = 2.0
"""Standard errors by which it has to be better."""
_FEWEST: Final = 100
"""Independent forecasts below which nothing is said of skill."""
_ROUNDING: Final = 1e-9
SCORED: Final = 0.8
"""The level that interval scores are of."""
_MISSED: Final = 2.0 / (1.0 - SCORED)
"""What the distance from such a band counts."""
_LEAST: Final = 1e-12
"""What a probability counts as at least, for the logarithm of 0 has no bottom."""
COIN: Final = math.log(2)
"""The log-loss of a coin."""


def interval_score(low: float, high: float, value: float, level: float) -> float:
    """The width of the band, plus 2 / (1 - level) times the distance of a value outside of it; smaller is better.

    Source: Winkler (1972); Gneiting and Raftery, Strictly Proper Scoring Rules (2007), 6.2.
    """
    score = high - low
    if value < low:
        score += 2.0 / (1.0 - level) * (low - value)
    elif value > high:
        score += 2.0 / (1.0 - level) * (value - high)
    return score


class BandRecord(msgspec.Struct, frozen=True):
    """What came of the forecasts for one horizon whose bars have come: sums over `total` of them.

    `inside` counts the closes within each band, by level. `ours`, `ewma` and `rolling` are interval scores in
    logarithms of price, the others squares of the differences to ours.
    """

    total: int = 0
    inside: tuple[int, int, int] = (0, 0, 0)
    ours: float = 0.0
    ewma: float = 0.0
    ewma_squares: float = 0.0
    rolling: float = 0.0
    rolling_squares: float = 0.0

    def skill(self, horizon: int) -> Skill:
        """Whether ours beat both others. Forecasts overlap by their horizon."""
        count, independent = self.total, self.total / horizon
        if independent < _FEWEST:
            return "unknown"
        beats_both = _is_less(self.ours, self.ewma, self.ewma_squares, count, independent) and _is_less(
            self.ours, self.rolling, self.rolling_squares, count, independent
        )
        return "some" if beats_both else "none"


class DirectionRecord(msgspec.Struct, frozen=True):
    """Sums of log-losses, in nats, of the direction of the next bar; `base` is that of the base rate."""

    total: int = 0
    ours: float = 0.0
    base: float = 0.0
    base_squares: float = 0.0
    coin_squares: float = 0.0

    @property
    def skill(self) -> Skill:
        """Whether ours beat both the base rate and a coin."""
        count = self.total
        if count < _FEWEST:
            return "unknown"
        beats_both = _is_less(self.ours, self.base, self.base_squares, count, count) and _is_less(
            self.ours, count * COIN, self.coin_squares, count, count
        )
        return "some" if beats_both else "none"


def scored_band(
    record: BandRecord,
    halves: tuple[float, float, float],
    change: float,
    ewma: float,
    rolling: tuple[float, float],
) -> BandRecord:
    """The record with one more return. `halves` are half the widths of our bands, by level, that of 80 % in the middle;
    `ewma` half that of the other, `rolling` the ends of the third."""
    half_50, half, half_95 = halves
    in_50, in_80, in_95 = record.inside
    low, high = rolling
    distance = abs(change)
    # `interval_score` written out three times, for all of it is needed at each bar and horizon.
    score = 2.0 * half if distance <= half else 2.0 * half + _MISSED * (distance - half)
    other = 2.0 * ewma if distance <= ewma else 2.0 * ewma + _MISSED * (distance - ewma)
    third = high - low
    if not low <= change <= high:
        third += _MISSED * (low - change if change < low else change - high)
    return BandRecord(
        record.total + 1,
        (in_50 + (distance <= half_50), in_80 + (distance <= half), in_95 + (distance <= half_95)),
        record.ours + score,
        record.ewma + other,
        record.ewma_squares + (other - score) * (other - score),
        record.rolling + third,
        record.rolling_squares + (third - score) * (third - score),
    )


def scored_direction(record: DirectionRecord, up: float, base: float, *, rose: bool) -> DirectionRecord:
    """The record with one more return, to which ours gave `up` and the base rate `base`."""
    ours, theirs = log_loss(up, rose), log_loss(base, rose)
    return DirectionRecord(
        record.total + 1,
        record.ours + ours,
        record.base + theirs,
        record.base_squares + (theirs - ours) * (theirs - ours),
        record.coin_squares + (COIN - ours) * (COIN - ours),
    )


def log_loss(probability: float, happened: bool) -> float:
    """-ln of the probability that was given to what happened, in nats."""
    return -math.log(max(probability if happened else 1.0 - probability, _LEAST))


def _is_less(ours: float, theirs: float, squares: float, count: int, independent: float) -> bool:
    """Whether ours is less by two standard errors (Diebold and Mariano 1995), of sums of losses and of the squares of
    their differences. Rounding leaves a little where both are the same."""
    gain = (theirs - ours) / count
    error = math.sqrt(max(squares / count - gain * gain, 0.0) / independent)
    return gain > max(_SURE * error, _ROUNDING * theirs / count)
