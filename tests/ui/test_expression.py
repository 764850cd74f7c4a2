"""Conditions on tickers as people type them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.state.arrangement import ALL, Arrangement, pick
from fintrends_tui.state.expression import NUMBERS, ExpressionError, is_expression, parse
from pipeline.contract.snapshot import DayView, ExtendedView, NextCloseView, RangeView, TickerView

AAPL = TickerView(
    ticker="AAPL", source="yahoo", price=170.0, change=3.0, change_percent=1.8, volume=4e6, rsi=28.0, sentiment=0.4
)
MSFT = TickerView(ticker="MSFT", source="alpha_vantage", price=108.0, change=-1.0, change_percent=-0.9, rsi=61.0)
NEW = TickerView(ticker="NEW")
GROUPS = {"tech": ["AAPL", "MSFT"], "mine": ["NEW"]}


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("rsi<30", "AAPL"),
        ("rsi>=28 and sentiment>0.3", "AAPL"),
        ("RSI < 30 sentiment > .3", "AAPL"),
        ("change>2", "AAPL"),
        ("change>1%", "AAPL"),
        ("change<-0.5%", "MSFT"),
        ("change%<=-0.9", "MSFT"),
        ("volume>3.5m", "AAPL"),
        ("price>100 or rsi<30", "AAPL MSFT"),
        ("rsi>60 or rsi<30 and sentiment<0", "MSFT"),
        ("(rsi>60 or rsi<30) and sentiment>0", "AAPL"),
        ("group:tech", "AAPL MSFT"),
        ("group:TECH and not rsi<30", "MSFT"),
        ("not group:tech", "NEW"),
        ("group:none", ""),
        ("not group:none", ""),
        ("source=yahoo", "AAPL"),
        ("source!=yahoo", "MSFT"),
        ("not (sentiment>0)", ""),  # what is not known is neither above nor below
        ("new or (rsi<30)", "AAPL NEW"),
    ],
)
def test_what_meets_a_condition(text: str, met: str) -> None:
    assert is_expression(text)
    picked = pick([AAPL, MSFT, NEW], Arrangement(filter=text), GROUPS)
    assert " ".join(ticker.ticker for ticker in picked) == met


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rsi<", "a value to compare rsi with is missing at the end"),
        ("rsi<low", "'low' is not a number"),
        ("rsy<30", "'rsy' is not known; known are price, change,"),
        ("source<3", "source is a text; write source=3"),
        ("rsi<30 and", "a condition such as rsi<30 is missing at the end"),
        ("(rsi<30", "a ) is missing at the end"),
        ("rsi<30)", "nothing opens the ')'"),
        ("<30", "a condition such as rsi<30 is missing before '<'"),
        ("group:", "the name of a group is missing after group:"),
        ("(" * 100 + "a" + ")" * 100, "too many conditions are nested"),
    ],
)
def test_a_mistake_is_said_in_words_and_hides_nothing(text: str, why: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert str(caught.value).startswith(why)
    assert pick([AAPL, MSFT], Arrangement(filter=text), {}) == [AAPL, MSFT]
    assert Arrangement(filter=text).mistake.startswith(why)


@given(st.text(alphabet="rsi<>=!()andotg:%1. x", max_size=40))
def test_any_text_is_a_condition_or_a_mistake(text: str) -> None:
    with suppress(ExpressionError):
        assert parse(text)(AAPL, GROUPS) in (True, False, None)


@given(st.sampled_from(sorted(NUMBERS)), st.floats(-1e6, 1e6).map(lambda x: round(x, 3)))
def test_each_ticker_meets_a_comparison_or_its_opposite_unless_it_is_unknown(field: str, threshold: float) -> None:
    for ticker in (AAPL, MSFT, NEW):
        one = parse(f"{field}<{threshold:.3f}")(ticker, {})
        other = parse(f"not {field}<{threshold:.3f}")(ticker, {})
        assert (one is None) is (NUMBERS[field](ticker) is None)
        assert (one is None and other is None) or one is not other


def test_two_keys_of_order_and_what_is_unknown_last() -> None:
    rows = [
        TickerView(ticker="A", source="x", price=1.0),
        TickerView(ticker="B", source="y", price=3.0),
        TickerView(ticker="C", source="x", price=2.0),
        TickerView(ticker="D", price=9.0),
    ]
    arranged = Arrangement(sort="Src").by("Price").by("Src")
    assert (arranged.sort, arranged.then) == ("Src", "Price")
    assert [ticker.ticker for ticker in pick(rows, arranged, {})] == ["C", "A", "B", "D"]
    turned = arranged.by("Src")
    assert (turned.reverse, turned.then) == (True, "Price")
    assert [ticker.ticker for ticker in pick(rows, turned, {})] == ["B", "C", "A", "D"]
    assert Arrangement().by("Price").by("").then == ""
    assert Arrangement().group == ALL


RANGED = TickerView(
    ticker="RNGD",
    price=95.0,
    day=DayView(open=100.0, high=101.0, low=94.0),
    year=RangeView(high=190.0, low=50.0),
    market_cap=1.5e12,
    extended=ExtendedView(session="post", price=96.0, change_percent=1.05, as_of=0.0),
    next_close=NextCloseView(interval="daily", percent=2.5),
)


@pytest.mark.parametrize(
    "text",
    [
        "open=100 and high<102 low>93",
        "from_open%<-4.9",
        "from_open<-4.9%",
        "from_high<=-50",
        "from_low>89% and from_low<91",
        "extended>1%",
        "forecast>2 cap>1.4t",
    ],
)
def test_ranges_forecast_and_market_cap_are_numbers_too(text: str) -> None:
    assert parse(text)(RANGED, {}) is True
    assert parse(text)(NEW, {}) is None
