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
        self.weights: Vector = np.array(weights, dtype=np.float64)
        self._covariance: Vector = np.eye(len(weights)) / precision

    def predict(self, x: Vector) -> float:
        return float(self.weights @ x)

    def learn(self, x: Vector, residual: float) -> None:
        """Take in that at `x` the target was `residual` above what `predict` says there."""
        gain = self._covariance @ x
        gain_over = gain / (1.0 + float(x @ gain))
        self.weights += gain_over * residual
        self._covariance -= gain_over[:, None] * gain
