"""Whether the next close is higher: a logistic model, and the rate at which that happens anyway."""

import math
from typing import Final

_RATE: Final = 0.005
_LIMIT: Final = 3.0
"""Returns beyond so many times the expected scale teach no more than this."""
_TAKEN: Final = 0.2, 0.05
"""By which part of the distance the means follow the last return."""
_COIN: Final = 0.5
_BASE_STEP: Final = 0.005
_BASE_WEIGHT: Final = 100
"""The base rate begins as that of a coin tossed so often."""


class DirectionModel:
    """Logistic regression by stochastic gradient descent on the last return, in units of its expected scale, and on
    means of such returns. Its numbers are those of `river.linear_model.LogisticRegression` with `SGD`.
    """

    def __init__(self) -> None:
        self._bias = 0.0
        self._weights = 0.0, 0.0, 0.0
        self._features = 0.0, 0.0, 0.0
        """The last return, and the means."""

    def predict(self, ratio: float) -> float:
        """The probability that the next return is positive; `ratio` is the last one over its expected scale."""
        if not -_LIMIT < ratio < _LIMIT:
            ratio = math.copysign(_LIMIT, ratio)
        (quick, slow), (_, lately, long) = _TAKEN, self._features
        lately += quick * (ratio - lately)
        long += slow * (ratio - long)
        self._features = ratio, lately, long
        of_ratio, of_lately, of_long = self._weights
        return 1.0 / (1.0 + math.exp(-(self._bias + of_ratio * ratio + of_lately * lately + of_long * long)))

    def learn(self, probability: float, rose: bool) -> None:
        """Take in whether it rose after the last `predict`, which gave this probability."""
        step = _RATE * (rose - probability)
        ratio, lately, long = self._features
        of_ratio, of_lately, of_long = self._weights
        self._bias += step
        self._weights = of_ratio + step * ratio, of_lately + step * lately, of_long + step * long


class BaseRate:
    """How often the price rose, the latest counting most: what a forecast of the direction has to beat."""

    def __init__(self) -> None:
        self.value = _COIN
        self._count = _BASE_WEIGHT

    def learn(self, rose: bool) -> None:
        self._count += 1
        self.value += max(_BASE_STEP, 1 / self._count) * (rose - self.value)
