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


class ConformalBands:
    """Half the widths of the bands, in multiples of the predicted scale, tracked from what came.

    A close outside widens its band by `step · level`, one inside narrows it by `step · (1 - level)`, as a part of
    itself, so that the frequency outside comes to `1 - level` whatever the series does. Steps shrink at first.
    Source: Gibbs and Candès, Adaptive Conformal Inference Under Distribution Shift (2021); of quantiles instead of
    levels, Angelopoulos, Candès and Tibshirani, Conformal PID Control for Time Series Prediction (2023).
    """

    def __init__(self) -> None:
        self._multiples = list(_NORMAL)
        self._count = 0

    @property
    def multiples(self) -> tuple[float, float, float]:
        """In the order of `LEVELS`, growing."""
        half, most, nearly_all = self._multiples
        if half <= most <= nearly_all:
            return half, most, nearly_all
        half, most, nearly_all = sorted(self._multiples)
        return half, most, nearly_all

    def learn(self, ratio: float) -> None:
        """Take in that a return was `ratio` times the predicted scale, whatever its sign."""
        self._count += 1
        base = _FIRST_STEP / (1.0 + self._count**0.75)
        if base < _STEP:
            base = _STEP
        for i, level in enumerate(LEVELS):
            multiple = self._multiples[i]
            multiple *= math.exp(base * (level if ratio > multiple else level - 1.0))
            self._multiples[i] = _LEAST if multiple < _LEAST else min(multiple, _MOST)
