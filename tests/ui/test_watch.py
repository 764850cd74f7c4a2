import pytest
from msgspec.structs import replace

from fintrends_tui.link.port import LinkStatus
from fintrends_tui.state.arrangement import ORDERS, Arrangement, pick
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Row
from fintrends_tui.widgets.table.watch_cells import WatchLine
from fintrends_tui.widgets.table.watch_columns import CATALOGUE, DEFAULT
from fintrends_tui.widgets.table.watch_rows import WatchRows, row
from pipeline.contract.snapshot import TickerView
from tests.ui import samples

NOW = 1_800_000_000
TICKERS = [
    TickerView(ticker="MSFT", price=10.0, change_percent=-2.0, spark=[10.0, 11.0], updated_at=5.0),
    TickerView(ticker="NVDA"),
    TickerView(ticker="AAPL", price=30.0, change_percent=1.0, spark=[10.0, 9.0], updated_at=9.0),
    TickerView(ticker="AA", price=20.0, change_percent=3.0, spark=[0.0, 9.0], updated_at=7.0),
]


def names(arrangement: Arrangement, groups: dict[str, list[str]] | None = None) -> list[str]:
    return [ticker.ticker for ticker in pick(TICKERS, arrangement, groups or {})]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["MSFT", "NVDA", "AAPL", "AA"]),
        ("Ticker", ["AA", "AAPL", "MSFT", "NVDA"]),
        ("Price", ["AAPL", "AA", "MSFT", "NVDA"]),
        ("%", ["AA", "AAPL", "MSFT", "NVDA"]),
        ("Trend", ["MSFT", "AAPL", "NVDA", "AA"]),
        ("Age", ["MSFT", "AA", "AAPL", "NVDA"]),
        ("RSI", ["MSFT", "NVDA", "AAPL", "AA"]),
    ],
)
def test_letters_go_up_and_numbers_down_and_what_is_unknown_comes_last(sort: str, order: list[str]) -> None:
    assert names(Arrangement(sort)) == order


def test_reversed_what_is_unknown_still_comes_last() -> None:
    assert names(Arrangement("Price", reverse=True)) == ["MSFT", "AA", "AAPL", "NVDA"]
    assert names(Arrangement("Ticker", reverse=True)) == ["NVDA", "MSFT", "AAPL", "AA"]
    assert names(Arrangement(reverse=True)) == ["AA", "AAPL", "NVDA", "MSFT"]


def test_every_column_can_be_sorted_by() -> None:
    assert set(CATALOGUE) == set(ORDERS)


def test_filter_and_group_both_hold() -> None:
    groups = {"tech": ["AAPL", "MSFT", "ORCL"]}
    assert names(Arrangement(filter="aa"), groups) == ["AAPL", "AA"]
    assert names(Arrangement(group="tech"), groups) == ["MSFT", "AAPL"]
    assert names(Arrangement(group="tech", filter="A"), groups) == ["AAPL"]
    assert len(names(Arrangement(group="gone"), groups)) == 4


@pytest.mark.parametrize(
    ("of_it", "shown"),
    [
        ({"state": "live", "updated_at": NOW - 65.0}, "1m"),
        ({"state": "away", "updated_at": NOW - 65.0}, "✗1m"),
        ({"state": "away", "as_of": NOW - 7200.0}, "✗2h"),
        ({"state": "away"}, "away"),
        ({"state": "closed", "updated_at": NOW - 65.0}, "shut"),
    ],
)
def test_a_price_whose_feed_is_away_still_says_how_old_it_is(of_it: dict[str, object], shown: str) -> None:
    ticker = TickerView(ticker="AAPL", price=30.0, **of_it)  # type: ignore[arg-type]
    cells = row(WatchLine(ticker, NOW, 6, stale=ticker.state == "away")).cells
    assert "".join(span.text for span in cells[-1]) == shown


def test_rows_are_made_anew_where_they_are_another() -> None:
    rows = WatchRows()
    ticker = TickerView(ticker="AAPL", price=30.0, updated_at=NOW)

    def now(ticker: TickerView = ticker, after: int = 0, **more: object) -> Row:
        line = WatchLine(ticker, NOW + after, **({"trend": 6} | more))  # type: ignore[arg-type]
        (made,) = rows.of([line], DEFAULT)
        assert made == row(line, DEFAULT)
        return made

    first = now()
    assert now(after=4) is first and now(replace(ticker)) is first
    assert now(after=5) is not first, "it is as old as that"
    for other in (now(replace(ticker, price=31.0)), now(stale=True), now(flash=1), now(noted=True)):
        assert other != first
    spark = replace(ticker, spark=[float(n) for n in range(9)])
    assert now(spark, trend=8) != now(spark, trend=6)


def test_a_later_number_of_the_same_is_nothing_to_paint() -> None:
    snapshot = samples.snapshot()
    status = LinkStatus("connected", "")
    view = View(status, snapshot, "AAPL", NOW)
    assert View(status, replace(snapshot, seq=9, at=1.0), "AAPL", NOW).looks_like(view)
    assert not View(status, replace(snapshot, seq=9, tickers=[]), "AAPL", NOW).looks_like(view)
    assert not View(status, snapshot, "AAPL", NOW + 1).looks_like(view)
    assert not View(status, None, "AAPL", NOW).looks_like(view)
