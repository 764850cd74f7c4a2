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
_TAIL: Final = 0.1


class EwmaVariance:
    """The exponentially weighted mean of squared returns, begun as the plain mean of the first twenty."""

    def __init__(self) -> None:
        self._count = 0
        self._value = 0.0

    def learn(self, change: float) -> None:
        self._count += 1
        new = 1 / self._count if self._count <= _FIRST else 1 - _KEPT
        self._value += new * (change * change - self._value)

    def half_width(self) -> float:
        """Of the 80 % band of the next return, in logarithms. That of many bars grows as the root of their number."""
        return NORMAL_80 * math.sqrt(self._value)


class RollingQuantiles:
    """Between the 10 % and the 90 % quantile of the last 250 returns over one horizon."""

    def __init__(self) -> None:
        self._window: deque[float] = deque()
        self._sorted: list[float] = []

    def learn(self, change: float) -> None:
        window, known = self._window, self._sorted
        if len(window) == _WINDOW:
            del known[bisect_left(known, window.popleft())]
        window.append(change)
        insort(known, change)

    def band(self) -> tuple[float, float] | None:
        """In logarithms; None while there are fewer than fifty."""
        known = self._sorted
        if len(known) < _FEWEST:
            return None
        # Interpolated between neighbours, as `numpy.quantile` does; the one from below, the other from above.
        place = _TAIL * (len(known) - 1)
        whole = int(place)
        part = place - whole
        low, high = known[whole], known[-1 - whole]
        return low + part * (known[whole + 1] - low), high - part * (high - known[-2 - whole])
