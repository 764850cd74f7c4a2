"""Whether the returns have ceased to be like those before."""

import math
from typing import Final

_TOLERATED: Final = 0.005
_KEPT: Final = 1 - 1e-4
_THRESHOLD: Final = 50.0
_FEWEST: Final = 30


class PageHinkley:
    """Page and Hinkley's test on the mean of a stream, in both directions (Page 1954).

    Its numbers are those of `river.drift.PageHinkley` with its defaults.
    """

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._count = 0
        self._mean = 0.0
        self._up = self._down = 0.0
        self._lowest, self._highest = math.inf, -math.inf

    def update(self, value: float) -> bool:
        """Take in a value; whether it shows that the mean has moved, after which all begins anew."""
        self._count += 1
        self._mean += (value - self._mean) / self._count
        deviation = value - self._mean
        self._up = _KEPT * self._up + deviation - _TOLERATED
        self._down = _KEPT * self._down + deviation + _TOLERATED
        if self._up < self._lowest:
            self._lowest = self._up
        if self._down > self._highest:
            self._highest = self._down
        moved = self._up - self._lowest > _THRESHOLD or self._highest - self._down > _THRESHOLD
        if self._count < _FEWEST or not moved:
            return False
        self._restart()
        return True
