"""What is said of a ticker beside its price."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.state.ticker_facts import amount, facts, feed_told
from fintrends_tui.widgets.table.watch_rows import row
from pipeline.contract.snapshot import (
    DividendView,
    ExtendedView,
    SplitView,
    TickerDetail,
    TickerView,
    TradingView,
    TroubleView,
)
from tests.ui import samples

NOW = samples.NOW


def told(**changes: object) -> str:
    return feed_told(samples.ticker("AAPL", source="yahoo", **changes), NOW)[1]


def cells(**changes: object) -> list[str]:
    values = {"price": 115.75, "change": 0.5, "change_percent": 0.4} | changes
    line = row(samples.ticker("VOD.L", **values), int(NOW), 6, stale=False, flash=0, alerted=False)
    return ["".join(span.text for span in cell) for cell in line.cells]


@pytest.mark.parametrize(
    ("value", "currency", "width", "shown"),
    [
        (115.75, "GBp", 10, "115.75p"),
        (115.75, "GBX", 10, "115.75p"),
        (25_310.0, "ZAc", 10, "25,310.00c"),
        (1_234.5, "ILA", 10, "1,234.50ag"),
        (170.38, "USD", 10, "170.38"),
        (165.2, "EUR", 10, "165.20 EUR"),
        (2_845.5, "JPY", 10, "2,845.50"),  # no room for it
        (2_845.5, "JPY", 12, "2,845.50 JPY"),
        (1.1575, "GBP", 10, "1.16 GBP"),
        (5.0, "", 10, "5.00"),
        (None, "EUR", 10, "–"),
    ],
)
def test_a_price_is_in_its_currency(value: float | None, currency: str, width: int, shown: str) -> None:
    assert amount(value, currency, width) == shown


@given(st.floats(1e-6, 1e7), st.sampled_from(["GBp", "ZAc", "EUR", "USD", "JPY", ""]))
def test_a_price_keeps_its_column_and_pence_stay_pence(value: float, currency: str) -> None:
    shown = amount(value, currency, 10)
    assert len(shown) <= 10
    assert shown.endswith("p") is (currency == "GBp")


def test_pence_are_told_in_pounds_too() -> None:
    (_, price), *_ = facts(samples.ticker("VOD.L", price=115.75, change=None, currency="GBp"), None, NOW)
    assert price == "VOD.L 115.75p (1.16 GBP)"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"state": "live", "trading": TradingView(phase="regular", until=NOW + 7300)},
            "live from yahoo, heard now, closes in 2h",
        ),
        (
            {"state": "live", "trading": TradingView(phase="regular")},
            "live from yahoo, heard now, trades around the clock",
        ),
        (
            {"state": "live", "trading": TradingView(phase="pre", until=NOW + 1800)},
            "live from yahoo, heard now, before the open, opens in 30m (Fri 15:34 UTC)",
        ),
        ({"state": "delayed", "as_of": NOW - 1020}, "delayed by yahoo: its price is 17m old, heard now"),
        ({"state": "stale", "updated_at": NOW - 700}, "stale: nothing from yahoo for 11m"),
        ({"state": "stale", "updated_at": None}, "stale: nothing from yahoo yet"),
        (
            {"state": "closed", "trading": TradingView(phase="closed", until=NOW + 3 * 86_400), "as_of": NOW - 60_000},
            "closed, opens in 3d (Mon 15:04 UTC), the price is of 11-19 22:24 UTC from yahoo",
        ),
        (
            {"state": "away", "trouble": TroubleView(why="no such symbol", since=NOW - 120)},
            "away for 2m: no such symbol; not asked again until something is changed",
        ),
        (
            {"state": "away", "trouble": TroubleView(why="Yahoo does not answer", since=NOW - 65, next_try=NOW + 30)},
            "away for 1m: Yahoo does not answer; next try in 30s",
        ),
        (
            {"state": "live", "trouble": TroubleView(why="yahoo is away; alpaca serves it meanwhile", since=NOW - 65)},
            "live from yahoo, heard now; yahoo is away; alpaca serves it meanwhile",
        ),
        ({"state": "", "updated_at": None}, "from yahoo, nothing heard yet"),
    ],
)
def test_what_a_feed_is_worth_is_a_sentence(changes: dict[str, object], sentence: str) -> None:
    assert told(**changes) == sentence


def test_the_price_of_after_the_close_the_dividend_and_the_split_are_told() -> None:
    extended = ExtendedView(session="post", price=171.02, change=0.64, change_percent=0.3756, as_of=NOW - 40)
    detail = TickerDetail(
        ticker="AAPL",
        zone="America/New_York",
        dividend=DividendView(ts=datetime(2026, 11, 9, 5, tzinfo=UTC).timestamp(), amount=0.26, currency="USD"),
        split=SplitView(ts=datetime(2020, 8, 31, 4, tzinfo=UTC).timestamp(), numerator=4, denominator=1),
    )
    found = facts(samples.ticker("AAPL", extended=extended, currency="USD"), detail, NOW)
    assert found[2:] == [
        ("up", "after the close 171.02 ▲ +0.38% at 11-20 15:03 UTC"),
        ("dim", "last dividend 0.26 USD a share on 2026-11-09"),
        ("dim", "last split 4 for 1 on 2020-08-31"),
    ]


def test_a_row_is_marked_with_what_its_price_is_worth() -> None:
    assert cells(currency="GBp")[1] == "115.75p "
    assert cells(state="live")[-1] == "now"
    assert cells(state="closed", updated_at=NOW - 9000)[-1] == "shut"
    assert cells(state="delayed", as_of=NOW - 1020)[-1] == "d17m"
    assert cells(state="away", as_of=NOW - 180)[-1] == "✗3m"
    assert cells()[0] == "VOD.L"
    for session, mark in (("pre", "<"), ("post", ">")):
        assert cells(extended=ExtendedView(session=session, price=1.0, as_of=NOW))[0] == f"VOD.L{mark}"


def test_without_a_price_the_row_says_why() -> None:
    ticker = TickerView(ticker="NONE", state="away", trouble=TroubleView(why="no such symbol", since=NOW))
    [cell] = row(ticker, int(NOW), 6, stale=True, flash=0, alerted=False).cells
    assert "".join(span.text for span in cell) == "NONE     no such symbol"
