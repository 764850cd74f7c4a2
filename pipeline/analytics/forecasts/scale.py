"""How far the next bar may move: its variance, by a regression in logarithms."""

import math
from typing import Final, NamedTuple

import numpy as np

from pipeline.analytics.forecasts.regression import OnlineRegression, Vector

_PARKINSON: Final = 4 * math.log(2)
"""The squared logarithmic range over this is the variance, of a price that diffuses (Parkinson 1980)."""
_HALF_LIVES: Final = (2.0, 8.0, 32.0, 128.0)
"""Of the memories of range, in bars."""
_KEPT: Final = tuple(0.5 ** (1 / half_life) for half_life in _HALF_LIVES)
_BASE: Final = 2
"""The memory that the others are measured by, so that all features are near zero and the scale of prices drops out."""
_RETURNS_KEPT: Final = 0.94
_VOLUME_KEPT: Final = (0.7, 0.985)
_OPENING: Final = tuple(math.exp(-1 / bars) for bars in (8.0, 60.0))
"""How the restlessness of a session's first bars fades, a bar."""
_FLOOR: Final = 0.01
"""Of the long memory: what a bar without a range counts as, for its logarithm has no bottom."""
_PRIOR: Final = (0.2, 0.45, 0.1, -0.3, 0.0, 0.1, 0.25, 0.3, 0.1)
_PRECISION: Final = 50.0
_SURPRISE: Final = 9.0
"""The most that one bar teaches, in logarithms of variance."""


class BarMove(NamedTuple):
    """A bar as the models see it. `change` is the logarithmic return on the close before, None across a break (a night,
    a pause, a split); `spread` the logarithmic range, which reaches to that close where there is no break."""

    change: float | None
    spread: float
    volume: float
    starts: bool
    """Whether a session begins with it."""


class ScaleModel:
    """Predicts the variance of the next bar's logarithmic return, within a session.

    The target is the logarithm of Parkinson's estimate, which is far less noisy than that of a squared return; the
    features are memories of it over 2 to 128 bars, of squared returns, of volume, and how long the session has been on.
    What the estimate is off by, such as the noise of discrete prices, the conformal quantiles absorb.
    """

    def __init__(self) -> None:
        self._regression = OnlineRegression(_PRIOR, _PRECISION)
        self._memories: list[float] = []
        self._squares = 0.0
        self._volumes: tuple[float, float] | None = None
        self._opening = [0.0, 0.0]
        self._features: Vector | None = None
        self._base = 0.0
        self._predicted = 0.0

    @property
    def slow(self) -> float:
        """The variance of a bar over the longest memory."""
        return self._memories[-1]

    def update(self, move: BarMove) -> float | None:
        """Take in a bar; the logarithm of the next one's variance, None as long as nothing has moved."""
        raw = move.spread * move.spread / _PARKINSON
        self._remember(move, raw)
        if self._memories[-1] <= 0.0:
            return None
        floor = _FLOOR * self._memories[-1]
        if self._features is not None and not move.starts:
            surprise = math.log(raw + floor) - self._predicted
            self._regression.learn(self._features, max(-_SURPRISE, min(surprise, _SURPRISE)))
        self._base = math.log(self._memories[_BASE] + floor)
        self._features = self._look(move.volume, floor)
        self._predicted = self._base + self._regression.predict(self._features)
        return self._predicted

    def _remember(self, move: BarMove, raw: float) -> None:
        square = None if move.change is None else move.change * move.change
        if not self._memories:
            self._memories = [raw] * len(_KEPT)
            self._squares = raw
        else:
            self._memories = [kept * old + (1 - kept) * raw for kept, old in zip(_KEPT, self._memories, strict=True)]
            if square is not None:
                self._squares = _RETURNS_KEPT * self._squares + (1 - _RETURNS_KEPT) * square
        self._opening = [1.0, 1.0] if move.starts else [a * b for a, b in zip(self._opening, _OPENING, strict=True)]

    def _look(self, volume: float, floor: float) -> Vector:
        volume += 1.0  # so that none has a logarithm
        short, long = self._volumes or (volume, volume)
        short, long = (kept * old + (1 - kept) * volume for kept, old in zip(_VOLUME_KEPT, (short, long), strict=True))
        self._volumes = short, long
        fast, quick, _, slow = self._memories
        return np.array(
            (
                math.log(fast + floor) - self._base,
                math.log(quick + floor) - self._base,
                math.log(slow) - self._base,
                1.0,
                math.log(self._squares + floor) - self._base,
                math.log(volume / long),
                math.log(short / long),
                *self._opening,
            )
        )
