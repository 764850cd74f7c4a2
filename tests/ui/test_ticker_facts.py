"""What is said of a ticker beside its price."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.state.flowing import FAST
from fintrends_tui.state.ticker_facts import amount, facts, feed_told
from fintrends_tui.widgets.table.cells import arrange
from fintrends_tui.widgets.table.watch_cells import WatchLine
from fintrends_tui.widgets.table.watch_columns import DEFAULT, USUAL, chosen_columns
from fintrends_tui.widgets.table.watch_rows import row
from pipeline.contract.snapshot import (
    DayView,
    DividendView,
    ExtendedView,
    NextCloseView,
    RangeView,
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
    return painted(WatchLine(samples.ticker("VOD.L", **values), int(NOW), 6))


def painted(line: WatchLine, *titles: str) -> list[str]:
    return ["".join(span.text for span in cell) for cell in row(line, titles or DEFAULT).cells]


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
    assert found[1] == ("up", "after the close 171.02 ▲ +0.38% at 11-20 15:03 UTC")
    assert found[-2:] == [
        ("dim", "last dividend 0.26 USD a share on 2026-11-09"),
        ("dim", "last split 4 for 1 on 2020-08-31"),
    ]


def test_the_day_and_the_year_are_told_or_why_they_are_not() -> None:
    ticker = samples.ticker(
        "VOD.L", price=115.0, change=1.0, change_percent=0.877, currency="GBp", source="yahoo", market_cap=2.8e12,
        day=DayView(open=114.0, high=116.0, low=112.0), year=RangeView(high=125.0, low=75.0),
    )  # fmt: skip
    found = [text for _, text in facts(ticker, TickerDetail(ticker="VOD.L", previous_close=114.0), NOW, "sell it")]
    assert [text.replace(FAST, " ") for text in found] == [
        "VOD.L 115.00p (1.15 GBP) ▲ +0.88%",
        "from yahoo, heard now",
        "* sell it",
        "day 112.00├───────●──┤116.00",
        "open 114.00",
        "previous close 114.00",
        "52 weeks 75.00├───────●──┤125.00",
        "market cap 2.80T",
    ]
    beside_digits = facts(ticker, None, NOW, priced=True)
    assert beside_digits[0] == ("strong", "VOD.L GBp (1.15 GBP) ▲ 1.00 +0.88%")
    unknown = samples.ticker("VOD.L", day=None, year=None)
    told = facts(unknown, TickerDetail(ticker="VOD.L", year_note="no daily bars are stored"), NOW)
    assert ("dim", "52 weeks not known: no daily bars are stored") in told
    assert ("dim", "the day's range is not known: no bar reaches back to its opening") in told


@pytest.mark.parametrize(
    ("title", "shown", "of_it"),
    [
        ("Open", "113.50", {}),
        ("Open", "–", {"day": DayView(high=116.0, low=112.0)}),
        ("High", "116.00", {}),
        ("Low", "112.00", {}),
        ("Low", "–", {"day": None}),
        ("Range", "──────●──", {}),
        ("Range", "–", {"day": None}),
        ("Range", "–", {"day": DayView(high=115.0, low=115.0)}),
        ("52w", "────────●", {}),
        ("Cap", "1.88T", {"market_cap": 1.88e12}),
        ("Cap", "–", {}),
        ("Fcst.", "±1.83% d", {"next_close": NextCloseView(interval="daily", percent=1.834)}),
        ("Fcst.", "±0.12% 1m", {"next_close": NextCloseView(interval="1min", percent=0.12)}),
        ("Fcst.", "±0.50% 1h", {"next_close": NextCloseView(interval="60min", percent=0.5)}),
        ("Fcst.", "–", {"next_close": None}),
    ],
)
def test_columns_show_what_is_known(title: str, shown: str, of_it: dict[str, object]) -> None:
    known = {"day": DayView(open=113.5, high=116.0, low=112.0), "year": RangeView(high=115.0, low=75.0)}
    ticker = samples.ticker("AAPL", **({"price": 115.0} | known | of_it))
    assert painted(WatchLine(ticker, int(NOW)), title) == [shown]


def test_a_name_bears_its_marks() -> None:
    ticker = samples.ticker("AAPL", simulated=True)
    assert painted(WatchLine(ticker, int(NOW), alerted=True, noted=True), "Ticker") == ["AAPL!~*"]


def test_columns_that_were_chosen_give_way_from_the_last() -> None:
    columns = chosen_columns(["52w", "Price", "none", "52w", "Cap"])
    assert [(column.title, column.drop) for column in columns] == [("Ticker", 0), ("52w", 1), ("Price", 2), ("Cap", 3)]
    assert [columns[slot.column].title for slot in arrange(columns, 32)] == ["Ticker", "52w", "Price"]
    assert chosen_columns(["none"]) == tuple(of.column for of in USUAL)


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
    assert painted(WatchLine(ticker, int(NOW), 6, stale=True)) == ["NONE     no such symbol"]
