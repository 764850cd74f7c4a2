"""Linear regression that learns one observation at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class OnlineRegression:
    """Bayesian linear regression with a Gaussian prior about `weights`, of `precision` relative to the noise.

    The posterior mean follows by recursive least squares: it is what ridge regression on all observations gives, shrunk
    towards `weights`; `river.linear_model.BayesianLinearRegression` shrinks towards zero.
    Source: Bishop, Pattern Recognition and Machine Learning (2006), 3.3.
    """

    def __init__(self, weights: Sequence[float], precision: float) -> None:
        # The covariance with the weights beside it as a last column: one product gives gain and prediction, one update
        # moves both. Of so few numbers it is the calls that cost, not the arithmetic.
        count = len(weights)
        self._state: Vector = np.column_stack((np.eye(count) / precision, weights))
        self._x: Vector = np.zeros(count)
        self._product: Vector = np.zeros(count + 1)
        self._gain = self._product[:count]
        self._column, self._row = self._gain.reshape(count, 1), self._product.reshape(1, count + 1)

    def predict(self, x: Sequence[float]) -> float:
        self._x = np.array(x)
        self._x.dot(self._state, self._product)
        return self._product.item(-1)

    def learn(self, residual: float) -> None:
        """Take in that where `predict` was asked last, the target was `residual` above what it said."""
        noise = 1.0 + self._x.dot(self._gain).item()
        self._product[-1] = -residual
        self._state -= self._column.dot(self._row / noise)
