import pytest

from pipeline.sources.crypto.pairs import Pair, pair_of
from pipeline.sources.kraken.symbols import pair_name_of, symbol_of, ticker_of


@pytest.mark.parametrize(
    ("ticker", "pair"),
    [
        ("BTC-USD", Pair("BTC", "USD")),
        ("1INCH-USDT", Pair("1INCH", "USDT")),
        ("BRK-B", None),
        ("BTC-USD-PERP", None),
        ("AAPL", None),
        ("EURUSD=X", None),
        ("-USD", None),
        ("BTC-US1", None),
    ],
)
def test_a_pair_has_a_currency_after_its_hyphen(ticker: str, pair: Pair | None) -> None:
    assert pair_of(ticker) == pair


@pytest.mark.parametrize(
    ("ticker", "streamed", "asked"),
    [
        ("BTC-USD", "BTC/USD", "XBTUSD"),
        ("ETH-BTC", "ETH/BTC", "ETHXBT"),
        ("DOGE-EUR", "DOGE/EUR", "XDGEUR"),
        ("BRK-B", None, None),
    ],
)
def test_kraken_has_two_names_for_a_pair(ticker: str, streamed: str | None, asked: str | None) -> None:
    assert (symbol_of(ticker), pair_name_of(ticker)) == (streamed, asked)
    assert streamed is None or ticker_of(streamed) == ticker
