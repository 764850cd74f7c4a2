"""How symbols are written there, and what is found by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.tickers import is_ticker
from pipeline.sources.yahoo.search import Match, matches
from pipeline.sources.yahoo.symbols import symbol_of, ticker_of


@pytest.mark.parametrize(
    "ticker",
    [
        "AAPL",
        "^GSPC",
        "EURUSD=X",
        "GC=F",
        "VOD.L",
        "7203.T",
        "BRK-B",
        "0P0000XTS7",
        "BTC-USD",
        "AIR.PA",
        "SAP.F",
        "X.V",
    ],
)
def test_most_are_the_same(ticker: str) -> None:
    assert symbol_of(ticker) == ticker
    assert ticker_of(ticker) == ticker


@pytest.mark.parametrize(("ticker", "symbol"), [("BRK.B", "BRK-B"), ("BF.A", "BF-A"), ("MOG.A", "MOG-A")])
def test_a_share_class_follows_a_hyphen(ticker: str, symbol: str) -> None:
    assert symbol_of(ticker) == symbol
    assert ticker_of(symbol, [ticker]) == ticker
    assert ticker_of(symbol, [symbol]) == symbol
    assert ticker_of(symbol) == symbol


@given(st.from_regex(r"[A-Z]{1,5}([.\-][A-Z]{1,2})?", fullmatch=True))
def test_the_way_back_leads_to_the_ticker(ticker: str) -> None:
    assert ticker_of(symbol_of(ticker), [ticker]) == ticker
    assert symbol_of(symbol_of(ticker)) == symbol_of(ticker)


@given(st.text())
def test_any_symbol_is_a_ticker_or_none(symbol: str) -> None:
    ticker = ticker_of(symbol)
    assert ticker is None or is_ticker(ticker)


def body(*quotes: Any) -> bytes:
    return json.dumps({"count": len(quotes), "quotes": quotes}).encode()


def test_an_item_has_the_longer_name_and_the_shown_exchange() -> None:
    item = {
        "symbol": "VOD.L",
        "shortname": "VODAFONE",
        "longname": "Vodafone",
        "exchange": "LSE",
        "quoteType": "EQUITY",
    }
    assert matches(body(item, item | {"exchDisp": "London", "typeDisp": "Equity"})) == [
        Match("VOD.L", "Vodafone", "LSE", "EQUITY")
    ]


@pytest.mark.parametrize(
    "item", [{"name": "a private company"}, {"symbol": "NOT A SYMBOL"}, {"symbol": 7}, None, [], {"symbol": ""}]
)
def test_one_that_cannot_be_watched_is_left_out(item: Any) -> None:
    assert [match.ticker for match in matches(body(item, {"symbol": "AAPL"}))] == ["AAPL"]


def test_hostile_text_is_cleaned() -> None:
    (match,) = matches(body({"symbol": "AAPL", "longname": "A\x1b[31mpple\n\u202e" + "x" * 500, "exchDisp": 3}))
    assert match.name.startswith("Apple x")
    assert len(match.name) <= 128
    assert match.exchange == ""


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"quotes": 1}', b"<html>"])
def test_what_is_no_search_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's
        matches(text)
