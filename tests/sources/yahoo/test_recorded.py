"""Replies as Yahoo sent them."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.model.messages import Interval
from pipeline.sources.yahoo.chart import read_chart
from pipeline.sources.yahoo.errors import NoSuchSymbolError
from pipeline.sources.yahoo.search import matches
from tests.sources.yahoo.replies import recorded

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("name", "ticker", "currency"),
    [
        ("yahoo_chart/AAPL-daily-6mo-2025.json", "AAPL", "USD"),
        ("yahoo_chart/AAPL-daily-split-dividend-2020.json", "AAPL", "USD"),
        ("yahoo_chart/MSFT-daily-year-dividends.json", "MSFT", "USD"),
        ("yahoo_chart/OCDO.L-daily-GBp-2020.json", "OCDO.L", "GBp"),
        ("yahoo_chart/AZT.OL-daily-NOK-2020.json", "AZT.OL", "NOK"),
        ("yahoo_chart/WSU.DE-daily-EUR-2023.json", "WSU.DE", "EUR"),
        ("yahoo_chart/BTC-USD-daily-2020.json", "BTC-USD", "USD"),
        ("yahoo_chart/EURUSD_X-daily-2020.json", "EURUSD=X", "USD"),
        ("yahoo_chart/GC_F-daily-2020.json", "GC=F", "USD"),
        ("yahoo_chart/0P000071W8.TO-fund-CAD-2020.json", "0P000071W8.TO", "CAD"),
        ("yahoo_chart_made/7203.T-daily-JPY.made.json", "7203.T", "JPY"),
        ("yahoo_chart_made/VOD.L-daily-GBp.made.json", "VOD.L", "GBp"),
    ],
)
def test_days(name: str, ticker: str, currency: str) -> None:
    found = read_chart(recorded(name), ticker, "daily", NOW)
    result = json.loads(recorded(name))["chart"]["result"][0]
    zone = ZoneInfo(result["meta"]["exchangeTimezoneName"])
    assert found.misfits == []
    assert len(found.bars) == len({bar.ts for bar in found.bars}) == len(result["timestamp"])
    assert {bar.ts.astimezone(zone).time().isoformat() for bar in found.bars} == {"00:00:00"}
    assert {bar.currency for bar in found.bars} == {currency}
    assert all(bar.closed for bar in found.bars)
    assert found.quote is not None
    assert found.quote.currency == currency


def test_the_last_day_may_be_stamped_with_the_time_of_its_last_price() -> None:
    found = read_chart(recorded("yahoo_chart/AAPL-daily-6mo-2025.json"), "AAPL", "daily", NOW)
    last = found.bars[-1]
    assert last.ts == datetime(2025, 10, 29, tzinfo=NEW_YORK)
    assert (last.close, last.volume) == (269.7, 43332154)
    assert found.quote is not None
    assert found.quote.previous_close == found.bars[-2].close == 269.0


def test_a_split_and_a_dividend() -> None:
    found = read_chart(recorded("yahoo_chart/AAPL-daily-split-dividend-2020.json"), "AAPL", "daily", NOW)
    (split,), (dividend,) = found.splits, found.dividends
    assert (split.ts, split.numerator, split.denominator) == (datetime(2020, 8, 31, tzinfo=NEW_YORK), 4, 1)
    assert (dividend.ts, dividend.amount) == (datetime(2020, 11, 6, tzinfo=NEW_YORK), 0.205)
    assert found.bars[0].open < 130, "prices are adjusted"


def test_a_span_without_a_trade_has_a_price_and_no_bar() -> None:
    found = read_chart(recorded("yahoo_chart/AAPL-1m-empty-weekend.json"), "AAPL", "1min", NOW)
    assert (found.bars, found.misfits) == ([], [])
    assert found.quote is not None
    assert (found.quote.price, found.quote.previous_close) == (244.87, 244.47)


def test_a_day_before_within_and_after_the_session() -> None:
    body = recorded("yahoo_chart_made/AAPL-1m-pre-regular-post.made.json")
    found = read_chart(body, "AAPL", "1min", datetime(2026, 10, 2, 20, 3, tzinfo=UTC))
    clock = [f"{bar.ts.astimezone(NEW_YORK):%H:%M}" for bar in found.bars]
    assert clock == ["09:00", "09:01", "09:30", "09:31", "09:32", "15:59", "16:00", "16:01", "16:02"]
    assert [bar.volume for bar in found.bars[:3]] == [None, None, 1203345]
    assert [bar.closed for bar in found.bars] == [True] * 8 + [False]
    assert found.quote is not None
    assert (found.quote.price, found.quote.previous_close) == (333.69, 330.3)


def test_an_index_from_before_the_epoch() -> None:
    body = recorded("yahoo_chart_made/GSPC-5m-index.made.json")
    found = read_chart(body, "^GSPC", "5min", NOW)
    assert [bar.volume for bar in found.bars] == [None, 101234000, 98000000]


@pytest.mark.parametrize(
    ("name", "interval"), [("yahoo_chart/VFINX-fund-2025.json", "daily"), ("yahoo_chart/VFINX-fund-2025.json", "1min")]
)
def test_a_range_that_was_too_long_was_answered_with_months(name: str, interval: Interval) -> None:
    found = read_chart(recorded(name), "VFINX", interval, NOW)
    assert (found.bars, found.intraday) == ([], False)


@pytest.mark.parametrize("name", ["no-timestamp-but-quotes", "no-timestamp-weird-quote"])
def test_values_without_a_time_are_no_bars(name: str) -> None:
    found = read_chart(recorded(f"yahoo_chart/{name}.handaltered.json"), "AAPL", "daily", NOW)
    assert found.bars == []


def test_a_symbol_that_is_gone() -> None:
    with pytest.raises(NoSuchSymbolError, match="No data found, symbol may be delisted"):
        read_chart(recorded("yahoo_errors/chart-404-delisted.json"), "GONE", "1min", NOW)


def test_a_search() -> None:
    found = matches(recorded("yahoo_search/search-apple-2025-10.json"))
    shown: Any = [(match.ticker, match.name, match.exchange, match.kind) for match in found[:3]]
    assert shown == [
        ("AAPL", "Apple Inc.", "NASDAQ", "Equity"),
        ("APLE", "Apple Hospitality REIT, Inc.", "NYSE", "Equity"),
        ("AAPL.VI", "Apple Inc.", "Vienna", "Equity"),
    ]
    assert len(found) == 7
