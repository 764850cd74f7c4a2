"""How far the next bar may move: its variance, by a regression in logarithms."""

import math
from typing import Final

from pipeline.analytics.forecasts.regression import OnlineRegression

_PARKINSON: Final = 4 * math.log(2)
"""The squared logarithmic range over this is the variance, of a price that diffuses (Parkinson 1980)."""
_HALF_LIVES: Final = (2.0, 8.0, 32.0, 128.0)
"""Of the memories of range, in bars."""
_TAKEN: Final = tuple(1 - 0.5 ** (1 / half_life) for half_life in _HALF_LIVES)
"""By which part of the distance each follows the last bar."""
_OF_RETURNS: Final = 0.06
_OF_VOLUME: Final = (0.3, 0.015)
_OPENING: Final = tuple(math.exp(-1 / bars) for bars in (8.0, 60.0))
"""How the restlessness of a session's first bars fades, a bar."""
_FLOOR: Final = 0.01
"""Of the long memory: what a bar without a range counts as, for its logarithm has no bottom."""
_PRIOR: Final = (0.2, 0.45, 0.1, -0.3, 0.0, 0.1, 0.25, 0.3, 0.1)
_PRECISION: Final = 50.0
_SURPRISE: Final = 9.0
"""The most that one bar teaches, in logarithms of variance."""


class ScaleModel:
    """Predicts the variance of the next bar's logarithmic return, within a session.

    The target is the logarithm of Parkinson's estimate, which is far less noisy than that of a squared return; the
    features are memories of it over 2 to 128 bars, of squared returns, of volume, and how long the session has been on.
    What the estimate is off by, such as the noise of discrete prices, the conformal quantiles absorb.
    """

    def __init__(self) -> None:
        self._regression = OnlineRegression(_PRIOR, _PRECISION)
        self._memories: tuple[float, ...] | None = None
        """Variances, the longest last."""
        self._squares = 0.0
        self._volumes: tuple[float, float] | None = None
        self._opening = 0.0, 0.0
        self._predicted: float | None = None
        self.slow = 0.0
        """The logarithm of the variance of a bar over the longest memory, where one is predicted."""

    def update(self, change: float | None, spread: float, volume: float, *, starts: bool) -> float | None:
        """Take in a bar; the logarithm of the next one's variance, None as long as nothing has moved.

        `change` is its logarithmic return on the close before, None across a break (a night, a pause, a split);
        `spread` its logarithmic range, which reaches to that close where there is no break. `starts` says that a
        session begins with it.
        """
        raw = spread * spread / _PARKINSON
        fast, quick, base, slow = self._remember(raw, change)
        if starts:
            self._opening = 1.0, 1.0
        else:
            (one, other), (fades, slowly) = self._opening, _OPENING
            self._opening = one * fades, other * slowly
        if slow <= 0.0:
            return None
        floor = _FLOOR * slow
        if self._predicted is not None and not starts:
            surprise = math.log(raw + floor) - self._predicted
            self._regression.learn(
                surprise if -_SURPRISE < surprise < _SURPRISE else math.copysign(_SURPRISE, surprise)
            )
        # The third memory is what the others are measured by: so all features are near zero, and the scale of prices
        # drops out.
        base = math.log(base + floor)
        self.slow = math.log(slow)
        features = (
            math.log(fast + floor) - base,
            math.log(quick + floor) - base,
            self.slow - base,
            1.0,
            math.log(self._squares + floor) - base,
            *self._volume_features(volume + 1.0),  # so that none has a logarithm
            *self._opening,
        )
        self._predicted = base + self._regression.predict(features)
        return self._predicted

    def _remember(self, raw: float, change: float | None) -> tuple[float, ...]:
        if self._memories is None:
            self._memories = (raw,) * len(_TAKEN)
            self._squares = raw
            return self._memories
        (fast, quick, base, slow), (a, b, c, d) = self._memories, _TAKEN
        self._memories = (
            fast + a * (raw - fast),
            quick + b * (raw - quick),
            base + c * (raw - base),
            slow + d * (raw - slow),
        )
        if change is not None:
            self._squares += _OF_RETURNS * (change * change - self._squares)
        return self._memories

    def _volume_features(self, volume: float) -> tuple[float, float]:
        (short, long), (quick, slow) = self._volumes or (volume, volume), _OF_VOLUME
        short += quick * (volume - short)
        long += slow * (volume - long)
        self._volumes = short, long
        return math.log(volume / long), math.log(short / long)
