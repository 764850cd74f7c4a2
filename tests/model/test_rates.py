import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.currencies import check_currency, quoted_in
from pipeline.model.rates import pair_of, rate

CURRENCIES = st.sampled_from(["EUR", "GBP", "USD", "CHF", "JPY", "SEK", "BTC", "USDT"])


@pytest.mark.parametrize(
    ("pair", "ticker"),
    [
        (("EUR", "USD"), "EURUSD=X"),
        (("USD", "EUR"), "EURUSD=X"),
        (("JPY", "USD"), "JPY=X"),
        (("EUR", "GBP"), "EURGBP=X"),
        (("SEK", "JPY"), "JPYSEK=X"),
        (("BTC", "EUR"), "BTC-EUR"),
        (("USD", "USDT"), "USDT-USD"),
    ],
)
def test_the_pair_is_that_which_markets_quote(pair: tuple[str, str], ticker: str) -> None:
    assert pair_of(*pair) == ticker


@pytest.mark.parametrize(
    ("pair", "prices", "expected"),
    [
        (("EUR", "USD"), {"EURUSD=X": 1.25}, 1.25),
        (("USD", "EUR"), {"EURUSD=X": 1.25}, 0.8),
        (("JPY", "USD"), {"JPY=X": 160.0}, 1 / 160),
        (("USD", "JPY"), {"USDJPY=X": 160.0}, 160.0),  # as some write it
        (("EUR", "USD"), {"USDEUR=X": 0.8}, 1.25),
        (("ETH", "BTC"), {"ETH-BTC": 0.04}, 0.04),
        (("EUR", "EUR"), {}, 1.0),
        (("EUR", "USD"), {"EURGBP=X": 0.8, "GBPUSD=X": 1.5}, None),  # no chain is guessed
        (("EUR", "USD"), {"EURUSD=X": 0.0}, None),
        (("EUR", "USD"), {"EURUSD=X": None}, None),
    ],
)
def test_a_rate_is_what_a_pair_says(
    pair: tuple[str, str], prices: dict[str, float | None], expected: float | None
) -> None:
    found = rate(*pair, prices.get)
    assert found == (None if expected is None else pytest.approx(expected))


@given(CURRENCIES, CURRENCIES, st.floats(1e-6, 1e6))
def test_there_and_back_is_nothing(source: str, target: str, price: float) -> None:
    prices = {pair_of(source, target): price}
    there, back = rate(source, target, prices.get), rate(target, source, prices.get)
    assert there is not None and back is not None
    assert there * back == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("ticker", "currency"),
    [("AAPL", "USD"), ("BTC-EUR", "EUR"), ("EURUSD=X", "USD"), ("JPY=X", "JPY"), ("VOD.L", ""), ("VFINX", "")],
)
def test_a_symbol_tells_its_currency_or_does_not(ticker: str, currency: str) -> None:
    assert quoted_in(ticker) == currency


def test_the_case_of_a_minor_unit_counts() -> None:
    assert [check_currency(code) for code in ("eur", "GBp", "GBX", "gbp")] == ["EUR", "GBp", "GBX", "GBP"]
    for wrong in ("", "US", "dollar", "U$D", "£££"):
        with pytest.raises(ValueError, match="is not a currency"):
            check_currency(wrong)
