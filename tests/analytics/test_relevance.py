"""How much of an item is about one ticker."""

from datetime import UTC, datetime

import pytest

from pipeline.analytics.relevance import weight_of
from pipeline.model.messages import Article, Post

NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)


def article(title: str, summary: str = "", relevance: float | None = None) -> Article:
    return Article(ticker="AAPL", ts=NOW, id="1", title=title, summary=summary, relevance=relevance)


def post(text: str) -> Post:
    return Post(ticker="AAPL", ts=NOW, id="2", text=text)


@pytest.mark.parametrize(
    "item", [article("Apple opens a shop"), post("to the moon"), post("$AAPL 200 by $5 steps, $aapl.")]
)
def test_what_names_one_ticker_counts_in_full(item: Article | Post) -> None:
    assert weight_of(item) == 1


@pytest.mark.parametrize(
    "item",
    [
        article("$AAPL, $MSFT and $TSLA rise", "Also $NVDA and $AMD"),
        article("Five to watch", "(NASDAQ: AAPL), (NASDAQ:MSFT), (NYSE: GE), (NYSE: T) and (NYSE: BRK.B)"),
        post("watching $AAPL $MSFT $TSLA $NVDA $BTC.X, mostly $AAPL"),
    ],
)
def test_what_names_five_counts_a_fifth_for_each(item: Article | Post) -> None:
    assert weight_of(item) == pytest.approx(0.2)


def test_what_the_provider_says_goes_first() -> None:
    assert weight_of(article("$AAPL, $MSFT and $TSLA rise", relevance=0.91)) == 0.91
    assert weight_of(article("Apple opens a shop", relevance=0.0)) == 0
