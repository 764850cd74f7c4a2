"""Pence are not pounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.currencies import in_major, minor_unit


@pytest.mark.parametrize(
    ("currency", "major", "sign"),
    [("GBp", "GBP", "p"), ("GBX", "GBP", "p"), ("ZAc", "ZAR", "c"), ("ILA", "ILS", "ag")],
)
def test_a_minor_unit_is_a_hundredth_of_its_currency(currency: str, major: str, sign: str) -> None:
    assert minor_unit(currency) == (major, 100, sign)
    assert in_major(115.75, currency) == (pytest.approx(1.1575), major)


@given(st.floats(allow_nan=False), st.sampled_from(["USD", "GBP", "ILS", "ZAR", "USDT", "gbp", ""]))
def test_what_is_no_minor_unit_stays(amount: float, currency: str) -> None:
    assert minor_unit(currency) is None
    assert in_major(amount, currency) == (amount, currency)
