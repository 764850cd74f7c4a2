"""Lots as people write them."""

import tomllib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.lots import InvalidLotError, lot_of, parse_lot, table_of
from pipeline.model.positions import Lot

TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("text", "lot"),
    [
        ("AAPL 10 150.25", Lot("AAPL", Decimal(10), Decimal("150.25"), TODAY)),
        ("aapl 10 @ 150.25 2024-03-01", Lot("AAPL", Decimal(10), Decimal("150.25"), date(2024, 3, 1))),
        ("AAPL -5 @150 fees 1.50", Lot("AAPL", Decimal(-5), Decimal(150), TODAY, Decimal("1.50"))),
        ("BTC-USD 0.00012345 9e4", Lot("BTC-USD", Decimal("0.00012345"), Decimal("9e4"), TODAY)),
        ("VOD.L 9 90 GBp fee 5 2024-03-01", Lot("VOD.L", Decimal(9), Decimal(90), date(2024, 3, 1), Decimal(5), "GBp")),
        ("SAP.DE 1 200 usd", Lot("SAP.DE", Decimal(1), Decimal(200), TODAY, currency="USD")),
    ],
)  # fmt: skip
def test_a_line_is_a_lot(text: str, lot: Lot) -> None:
    assert parse_lot(text, TODAY) == lot


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "ticker is missing; write a lot such as AAPL 10 150.25"),
        ("AAPL", "quantity is missing"),
        ("AAPL 10", "price is missing"),
        ("AAPL ten 1", "quantity 'ten' is not a number"),
        ("AAPL 1,000 1", "quantity '1,000' is not a number; write it as 1234.56"),
        ("AAPL 0 1", "quantity is 0"),
        ("AAPL nan 1", "quantity is not a number of at most 15 digits"),
        ("AAPL 1e40 1", "quantity is not a number of at most 15 digits"),
        ("AAPL 1e-40 1", "quantity is not a number of at most 15 digits and 18 decimals"),
        ("AAPL 1e999999999 1", "quantity is not a number"),
        ("AAPL 1 -1", "price is below zero; what was sold has a negative quantity"),
        ("AAPL 0e999999999 1", "quantity is 0"),
        ("AAPL 1 1 fees", "a number is missing after fees"),
        ("AAPL 1 1 fees -1", "fees are below zero"),
        ("AAPL 1 1 2024-02-30", "date '2024-02-30' is not a day"),
        ("AAPL 1 1 2027-01-01", "2027-01-01 is still to come"),
        ("AAPL 1 1 roubles!", "'roubles!' is not a currency"),
        ("AAPL 1 1 17", "'17' is not understood"),
        ("A/B 1 1", "'A/B' is not a ticker symbol"),
    ],
)
def test_a_mistake_is_said(text: str, why: str) -> None:
    with pytest.raises(InvalidLotError) as caught:
        parse_lot(text, TODAY)
    assert str(caught.value).startswith(why)


@pytest.mark.parametrize(
    ("change", "key", "why"),
    [
        ({"quantity": "10"}, "quantity", "write it without quotes"),
        ({"quantity": True}, "quantity", "is not a number"),
        ({"ticker": 5}, "ticker", "write it in quotes"),
        ({"date": 2024}, "date", "write date = 2024-03-01"),
        ({"qty": 5}, "qty", "'qty' is not known; known are ticker, quantity,"),
        ({"currency": "U$"}, "currency", "is not a currency"),
    ],
)
def test_the_key_that_is_wrong_is_named(change: dict[str, object], key: str, why: str) -> None:
    with pytest.raises(InvalidLotError, match=why.replace("$", r"\$")) as caught:
        lot_of({"ticker": "AAPL", "quantity": 1, "price": 2} | change)
    assert caught.value.key == key


def test_what_is_missing_is_named_together() -> None:
    with pytest.raises(InvalidLotError, match="quantity, price are missing"):
        lot_of({"ticker": "AAPL"})


@given(
    st.builds(
        Lot,
        ticker=st.sampled_from(["AAPL", "^GSPC", "M&M.NS", "BTC-USD"]),
        quantity=st.decimals(-(10**14), 10**14, places=18).filter(bool),
        price=st.decimals(0, 10**14, places=8),
        day=st.none() | st.dates(),
        fees=st.decimals(0, 10**6, places=4),
        currency=st.sampled_from(["", "USD", "GBp"]),
    )
)
def test_what_is_written_is_read_again(lot: Lot) -> None:
    (table,) = tomllib.loads(table_of(lot), parse_float=Decimal)["lot"]
    assert lot_of(table) == lot
