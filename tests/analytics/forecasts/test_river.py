"""The models give the numbers of river, which takes too long to import to be there at run time."""

import math
from random import Random

import numpy as np
import pytest

from pipeline.analytics.forecasts.direction import DirectionModel
from pipeline.analytics.forecasts.drift import PageHinkley
from pipeline.analytics.forecasts.regression import OnlineRegression
from pipeline.analytics.forecasts.scores import log_loss

pytestmark = pytest.mark.daily


def test_the_regression_is_the_bayesian_one_with_a_prior_at_zero() -> None:
    from river.linear_model import BayesianLinearRegression

    rng, precision = np.random.default_rng(1), 3.0
    ours = OnlineRegression([0.0] * 4, precision)
    theirs = BayesianLinearRegression(alpha=precision, beta=1.0)
    for x in rng.normal(size=(300, 4)):
        named = {str(i): float(value) for i, value in enumerate(x)}
        target = float(x @ [1.0, -2.0, 0.5, 0.0] + rng.normal())
        expected = theirs.predict_one(named)
        assert ours.predict([float(value) for value in x]) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        ours.learn(target - ours.predict([float(value) for value in x]))
        theirs.learn_one(named, target)


def test_the_direction_is_logistic_regression_by_gradient_descent() -> None:
    from river.linear_model import LogisticRegression
    from river.optim import SGD

    random = Random(1)
    ours, theirs = DirectionModel(), LogisticRegression(SGD(0.005), intercept_lr=0.005, clip_gradient=1e12)
    for _ in range(500):
        probability = ours.predict(random.gauss(0.0, 1.0))
        named = {str(i): value for i, value in enumerate(ours._features)}
        assert probability == pytest.approx(theirs.predict_proba_one(named)[True], rel=1e-9)
        rose = random.random() < 0.7
        ours.learn(probability, rose)
        theirs.learn_one(named, rose)


def test_drift_is_noted_at_the_same_values() -> None:
    from river.drift import PageHinkley as Theirs

    random, ours, theirs = Random(1), PageHinkley(), Theirs()
    noted = []
    for position in range(3_000):
        value = random.gauss(1.0 if position % 1_000 < 700 else 3.0, 0.5)
        drifts = ours.update(value)
        theirs.update(value)
        assert drifts == theirs.drift_detected
        noted += [position] if drifts else []
    assert len(noted) >= 3


def test_the_log_loss_is_river_s() -> None:
    from river.metrics import LogLoss

    random, theirs, losses = Random(1), LogLoss(), []
    for _ in range(200):
        probability, rose = random.random(), random.random() < 0.5
        losses.append(log_loss(probability, rose))
        theirs.update(rose, probability)
    assert math.fsum(losses) / len(losses) == pytest.approx(theirs.get(), rel=1e-9)
