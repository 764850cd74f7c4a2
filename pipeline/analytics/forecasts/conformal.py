"""Quantiles that keep their promise: adaptive conformal inference."""

import math
from typing import Final

LEVELS: Final = (0.5, 0.8, 0.95)
"""Which part of the closes each band is to hold."""
_NORMAL: Final = (0.6745, 1.2816, 1.9600)
"""Of a normal distribution: where the tracking begins."""
_STEP: Final = 0.015
_FIRST_STEP: Final = 1.0
_LEAST: Final = 0.02
_MOST: Final = 50.0


def _factors(step: float) -> tuple[float, ...]:
    """By what each band is multiplied: after a close outside of it, and after one inside."""
    return tuple(math.exp(step * taught) for level in LEVELS for taught in (level, level - 1.0))


_SETTLED: Final = _factors(_STEP)


class ConformalBands:
    """Half the widths of the bands, in multiples of the predicted scale, tracked from what came.

    A close outside widens its band by `step · level`, one inside narrows it by `step · (1 - level)`, as a part of
    itself, so that the frequency outside comes to `1 - level` whatever the series does. Steps shrink at first.
    Source: Gibbs and Candès, Adaptive Conformal Inference Under Distribution Shift (2021); of quantiles instead of
    levels, Angelopoulos, Candès and Tibshirani, Conformal PID Control for Time Series Prediction (2023).
    """

    def __init__(self) -> None:
        self._multiples = _NORMAL
        self._count = 0
        self._factors: tuple[float, ...] = ()

    @property
    def multiples(self) -> tuple[float, float, float]:
        """In the order of `LEVELS`, growing."""
        half, most, nearly_all = self._multiples
        if not half <= most <= nearly_all:
            half, most, nearly_all = sorted(self._multiples)
        return half, most, nearly_all

    def learn(self, ratio: float) -> None:
        """Take in that a return was `ratio` times the predicted scale, whatever its sign."""
        if self._factors is not _SETTLED:
            self._count += 1
            step = _FIRST_STEP / (1.0 + self._count**0.75)
            self._factors = _factors(step) if step > _STEP else _SETTLED
        wider_50, narrower_50, wider_80, narrower_80, wider_95, narrower_95 = self._factors
        half, most, nearly_all = self._multiples
        half *= wider_50 if ratio > half else narrower_50
        most *= wider_80 if ratio > most else narrower_80
        nearly_all *= wider_95 if ratio > nearly_all else narrower_95
        if not (_LEAST < half < _MOST and _LEAST < most < _MOST and _LEAST < nearly_all < _MOST):
            half, most, nearly_all = (max(_LEAST, min(multiple, _MOST)) for multiple in (half, most, nearly_all))
        self._multiples = half, most, nearly_all
