"""Readings: what indicators say in words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.state.readings import Reading, reading
from pipeline.model.messages import INDICATOR_FIELDS
from tests.ui import samples


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("rsi_14", 70.0, "overbought"),
        ("rsi_14", 30.0, "oversold"),
        ("rsi_14", 50.0, "neutral"),
        ("stoch_k", 85.0, "overbought"),
        ("macd_hist", -0.1, "momentum falling"),
        ("macd", 0.1, "fast above slow"),
        ("adx_14", 25.0, "strong trend"),
        ("adx_14", 10.0, "no trend"),
        ("sma_20", 80.0, "price 25.00% above"),
        ("vwap", 125.0, "price 20.00% below"),
        ("ema_12", 100.0, "at the price"),
        ("bb_upper", 99.0, "price above the band"),
        ("bb_lower", 101.0, "price below the band"),
        ("atr_14", 2.0, "2.00% of price"),
    ],
)
def test_a_value_is_said_in_words(field: str, value: float, words: str) -> None:
    said = reading(field, {field: value}, 100.0)
    assert said is not None
    assert said.words == words


@pytest.mark.parametrize(
    ("field", "value"), [("rsi_14", None), ("bb_upper", 101.0), ("bb_lower", 99.0), ("obv", 5.0), ("macd_hist", 0.0)]
)
def test_where_there_is_nothing_to_say_nothing_is_said(field: str, value: float | None) -> None:
    assert reading(field, {field: value}, 100.0) is None


@given(st.floats(0, 100))
def test_every_rsi_says_something(value: float) -> None:
    assert isinstance(reading("rsi_14", {"rsi_14": value}, math.e), Reading)


def test_a_series_that_never_moves_is_in_its_bands() -> None:
    values = {"bb_upper": 4.999999999999999, "bb_lower": 5.000000000000001}
    assert reading("bb_upper", values, 5.0) is None
    assert reading("bb_lower", values, 5.0) is None


@pytest.mark.parametrize(("average", "close"), [(-40.0, -30.0), (-1.0, 2.0), (0.0, 5.0)])
def test_there_is_no_percentage_of_what_is_below_zero(average: float, close: float) -> None:
    assert reading("sma_20", {"sma_20": average}, close) is None
    assert reading("atr_14", {"atr_14": 3.0}, -abs(close)) is None


def test_the_samples_that_pictures_are_made_of_have_every_indicator() -> None:
    assert set(samples.detail().indicators[0].values) == set(INDICATOR_FIELDS)
