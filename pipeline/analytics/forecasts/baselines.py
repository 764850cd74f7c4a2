"""The bands that ours have to beat: what anybody computes in a line or two."""

import math
from bisect import bisect_left, insort
from collections import deque
from typing import Final

NORMAL_80: Final = 1.2815515655446004
"""The normal distribution holds 80 % within so many standard deviations."""
_KEPT: Final = 0.94
"""As RiskMetrics (J.P. Morgan 1996)."""
_FIRST: Final = 20
_WINDOW: Final = 250
_FEWEST: Final = 50


class EwmaVariance:
    """The exponentially weighted mean of squared returns, begun as the plain mean of the first twenty."""

    def __init__(self) -> None:
        self._count = 0
        self._value = 0.0

    def learn(self, change: float) -> None:
        self._count += 1
        new = 1 / self._count if self._count <= _FIRST else 1 - _KEPT
        self._value += new * (change * change - self._value)

    def half_width(self, horizon: int) -> float:
        """Of the 80 % band so many bars ahead, in logarithms."""
        return NORMAL_80 * math.sqrt(horizon * self._value)


class RollingQuantiles:
    """Between the 10 % and the 90 % quantile of the last 250 returns over one horizon."""

    def __init__(self) -> None:
        self._window: deque[float] = deque()
        self._sorted: list[float] = []

    def learn(self, change: float) -> None:
        if len(self._window) == _WINDOW:
            del self._sorted[bisect_left(self._sorted, self._window.popleft())]
        self._window.append(change)
        insort(self._sorted, change)

    def band(self) -> tuple[float, float] | None:
        """In logarithms; None while there are fewer than fifty."""
        if len(self._sorted) < _FEWEST:
            return None
        return self._quantile(0.1), self._quantile(0.9)

    def _quantile(self, q: float) -> float:
        """Interpolated between neighbours, as `numpy.quantile` does."""
        place = q * (len(self._sorted) - 1)
        below = int(place)
        low = self._sorted[below]
        return low + (place - below) * (self._sorted[below + 1] - low)
