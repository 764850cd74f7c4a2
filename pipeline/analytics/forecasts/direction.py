"""Whether the next close is higher: a logistic model, and the rate at which that happens anyway."""

import math
from collections.abc import Sequence
from typing import Final

_RATE: Final = 0.005
_LIMIT: Final = 3.0
"""Returns beyond so many times the expected scale teach no more than this."""
_KEPT: Final = (0.8, 0.95)
_COIN: Final = 0.5
_BASE_STEP: Final = 0.005
_BASE_WEIGHT: Final = 100
"""The base rate begins as that of a coin tossed so often."""


class DirectionModel:
    """Logistic regression by stochastic gradient descent on the last return, in units of its expected scale, and on
    means of such returns. Its numbers are those of `river.linear_model.LogisticRegression` with `SGD`.
    """

    def __init__(self) -> None:
        self._weights = [0.0] * (1 + len(_KEPT))
        self._bias = 0.0
        self._means = [0.0] * len(_KEPT)
        self._features: Sequence[float] = ()

    def predict(self, ratio: float) -> float:
        """The probability that the next return is positive; `ratio` is the last one over its expected scale."""
        ratio = max(-_LIMIT, min(ratio, _LIMIT))
        self._means = [kept * old + (1 - kept) * ratio for kept, old in zip(_KEPT, self._means, strict=True)]
        self._features = (ratio, *self._means)
        score = self._bias + sum(w * x for w, x in zip(self._weights, self._features, strict=True))
        return 1.0 / (1.0 + math.exp(-score))

    def learn(self, probability: float, rose: bool) -> None:
        """Take in whether it rose after the last `predict`, which gave this probability."""
        step = _RATE * (rose - probability)
        self._bias += step
        self._weights = [w + step * x for w, x in zip(self._weights, self._features, strict=True)]


class BaseRate:
    """How often the price rose, the latest counting most: what a forecast of the direction has to beat."""

    def __init__(self) -> None:
        self.value = _COIN
        self._count = _BASE_WEIGHT

    def learn(self, rose: bool) -> None:
        self._count += 1
        self.value += max(_BASE_STEP, 1 / self._count) * (rose - self.value)
