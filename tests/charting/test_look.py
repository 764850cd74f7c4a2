"""Which bars a range needs, what is made of them, and with what they are compared."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from fintrends_tui.charting.buckets import STEPS, gathered, step_named
from fintrends_tui.charting.comparing import with_series, with_ticker
from fintrends_tui.charting.composing import ChartData, compose
from fintrends_tui.charting.look import TIME_RANGES, Look, request
from fintrends_tui.charting.plot import Style
from fintrends_tui.charting.titles import titles
from pipeline.contract.protocol import BarPoint, History, ValueSeries
from pipeline.contract.snapshot import DayView, ExtendedView, TickerView
from tests.charting.bars import BEGIN, MINUTE, bars

NEW_YORK = ZoneInfo("America/New_York")
ANCHOR = datetime(2019, 2, 15, 15, 0, tzinfo=NEW_YORK).timestamp()


def since(span: str, ticker: str = "AAPL") -> str:
    wanted = request(Look(span=span), ticker, ANCHOR, NEW_YORK)
    return "" if wanted.since is None else f"{datetime.fromtimestamp(wanted.since, NEW_YORK):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("span", "begin"),
    [
        ("1D", "2019-02-15 00:00"),
        ("5D", "2019-02-09 00:00"),
        ("1M", "2019-01-16 00:00"),
        ("YTD", "2019-01-01 00:00"),
        ("1Y", "2018-02-15 00:00"),
        ("MAX", ""),
    ],
)
def test_a_range_ends_at_the_last_price_whenever_that_was(span: str, begin: str) -> None:
    assert since(span) == begin


def test_the_day_of_what_never_closes_is_twenty_four_hours() -> None:
    assert since("1D", "BTC-USD") == "2019-02-14 15:00"


@pytest.mark.parametrize(
    ("look", "longest"),
    [
        (Look(), 60),
        (Look(span="5D"), 300),
        (Look(span="1M"), 1800),
        (Look(span="6M"), 86_400),
        (Look(span="MAX"), 86_400),
        (Look(span="1Y", window=(ANCHOR - 3600, None)), 60),
        (Look(step="15min"), 900),
    ],
)
def test_bars_are_asked_for_that_are_long_enough(look: Look, longest: int) -> None:
    assert request(look, "AAPL", ANCHOR, NEW_YORK).longest == longest


def test_of_bars_that_are_shorter_than_a_range_needs_there_are_as_many_as_there_are() -> None:
    assert request(Look(span="1Y", step="1min"), "AAPL", ANCHOR, NEW_YORK).since is None


def test_longer_bars_bring_a_range_that_has_enough_of_them() -> None:
    assert Look().longer(1, step_named("15min"), MINUTE) == Look(step="30min")
    assert Look().longer(1, step_named("240min"), MINUTE) == Look(span="1M", step="daily")
    assert Look().longer(-1, MINUTE, MINUTE) is None
    assert Look().longer(1, STEPS[-1], MINUTE) is None


def test_zooming_halves_the_time_and_doubles_it() -> None:
    assert Look().zoomed(-1, 0.0, 3600.0) == Look(window=(1800.0, None))
    assert Look().zoomed(1, 1800.0, 3600.0) == Look(window=(0.0, None))
    assert Look().zoomed(-1, 0.0, 240.0) is None


def history(*closes: float, **options: object) -> History:
    return History("AAPL", "1min", ["1min"], bars(*closes), zone="America/New_York", source="yahoo", **options)


def test_an_indicator_is_that_of_the_last_bar_of_a_candle() -> None:
    values = [float(index) for index in range(10)]
    data = ChartData(history(*values, indicators={"sma_20": values, "sma_50": values}))
    plot = compose(data, Look(style="candles", studies=frozenset({"sma"}), step="5min"), None, 80)
    assert plot is not None
    assert list(plot.lines[0].values) == [4.0, 9.0]
    assert plot.basis == "of 1min bars"


def test_scores_are_averaged_over_each_candle() -> None:
    series = ValueSeries(
        "sentiment", "AAPL", [(BEGIN - 60, 1.0), (BEGIN, 0.5), (BEGIN + 30, -0.25), (BEGIN + 90, 0.75)]
    )
    plot = compose(ChartData(history(1, 2, 3), series=series), Look(studies=frozenset({"sentiment"})), None, 80)
    assert plot is not None
    assert list(plot.panes[0].bars) == [0.125, 0.75, None]


def test_of_five_days_only_those_with_bars_count() -> None:
    points = [bar for day in range(8) for bar in bars(1.0, 2.0, begin=BEGIN + day * 86_400)]
    plot = compose(ChartData(History("AAPL", "1min", ["1min"], points)), Look(span="5D"), None, 80)
    assert plot is not None
    assert plot.candles[0].ts == BEGIN + 3 * 86_400


ROW = TickerView(ticker="AAPL", price=12.0, change=2.0, change_percent=20.0, as_of=BEGIN + 60)


def test_a_day_is_measured_as_the_watchlist_does() -> None:
    data = ChartData(history(14.0, 12.0))
    day = compose(data, Look(), ROW, 80)
    assert day is not None and day.previous_close == 10.0 and day.rising
    title, change = titles("AAPL", data, day, Look(), ROW)
    assert title == "Chart AAPL 1min from yahoo · 1D"
    assert change == "12.00 ▲ +20.00% from the previous close; shown 12.00 to 14.00"
    longer = Look(span="5D")
    week = compose(data, longer, ROW, 80)
    assert week is not None and week.previous_close is None and not week.rising
    assert titles("AAPL", data, week, longer, ROW)[1].startswith("12.00 ▼ -14.29% over 2 bars")


def test_the_title_names_the_candles_that_are_shown() -> None:
    data = ChartData(replace(history(*map(float, range(1, 200))), has_hours=True))
    look = Look(style="candles", log=True, extended=False)
    plot = compose(data, look, ROW, 80)
    assert plot is not None
    assert titles("AAPL", data, plot, look, ROW)[0] == "Chart AAPL 15min from yahoo · 1D · log · regular hours"
    assert titles("AAPL", data, plot, look._replace(extended=True), ROW)[0].endswith("· 1D · log")
    without = ChartData(replace(data.history, has_hours=False))
    assert titles("AAPL", without, plot, look, ROW)[0].endswith("· 1D · log"), "nothing is left out"


@pytest.mark.parametrize("style", ["line", "candles"])
@pytest.mark.parametrize("span", ["1Y", "MAX"])
@pytest.mark.parametrize("count", [3, 300])
def test_daily_bars_end_with_the_day_of_the_price(count: int, span: str, style: Style) -> None:
    """Also in weeks and months, which is what 300 days are shown in."""
    closes = [10.0] * count
    midnight = datetime(2019, 2, 14, tzinfo=NEW_YORK).timestamp()
    past = bars(*closes, seconds=86_400, begin=midnight - 86_400 * (count - 1))
    data = ChartData(History("AAPL", "daily", ["daily"], past, {"sma_20": [*closes]}, "America/New_York", "yahoo"))
    day = DayView(open=11.0, high=14.0, low=9.0)
    now = replace(ROW, as_of=BEGIN + 3600, source="yahoo", day=day, volume=5.0)
    look = Look(style=style, span=span, volume=True, studies=frozenset({"sma"}))
    plot = compose(data, look, now, 40)
    assert plot is not None and plot.last == plot.candles[-1].close == now.price
    assert titles("AAPL", data, plot, look, now)[1].endswith("; shown 9.00 to 14.00")
    later = replace(now, price=15.0, day=replace(day, high=15.0))
    todays = [*past, BarPoint(midnight + 86_400, 11.0, 13.0, 9.0, 12.5, 4.0)]
    again = compose(ChartData(replace(data.history, bars=todays)), look, later, 40)
    assert again is not None and again.last == again.candles[-1].close == again.candles[-1].high == 15.0
    assert len(again.candles) == len(plot.candles)


def test_a_day_whose_range_is_not_known_has_no_bar() -> None:
    data = ChartData(History("AAPL", "daily", ["daily"], bars(1.0, 2.0, seconds=86_400)))
    plot = compose(data, Look(span="MAX"), replace(ROW, as_of=BEGIN + 3 * 86_400), 80)
    assert plot is not None and plot.last == 12.0 and len(plot.candles) == 2


def test_the_tag_is_the_price_of_the_watchlist_while_the_next_bar_is_waited_for() -> None:
    data = ChartData(history(14.0, 13.0))
    plot = compose(data, Look(), replace(ROW, as_of=BEGIN + 110), 80)
    assert plot is not None and plot.last == 12.0 and plot.candles[-1].close == 13.0
    after = ExtendedView(session="post", price=12.5, as_of=BEGIN + 120)
    plot = compose(data, Look(), replace(ROW, extended=after), 80)
    assert plot is not None and plot.last == 12.5
    plot = compose(data, Look(extended=False), replace(ROW, extended=after), 80)
    assert plot is not None and plot.last == 12.0


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, as_of=BEGIN - 3600),  # the bars are later
        replace(ROW, source="alpha_vantage", as_of=BEGIN + 60),
        replace(ROW, price=None),
        None,
    ],
)
def test_a_price_of_before_or_of_another_source_is_not_the_charts(row: TickerView | None) -> None:
    plot = compose(ChartData(history(14.0, 13.0)), Look(), row, 80)
    assert plot is not None and plot.last == 13.0


def test_a_chart_of_the_past_ends_at_its_last_bar() -> None:
    plot = compose(ChartData(history(14.0, 13.0)), Look(window=(BEGIN, BEGIN + 100)), ROW, 80)
    assert plot is not None and plot.last == 13.0


def test_daily_bars_that_are_a_day_behind_end_at_the_price() -> None:
    late = TickerView(ticker="AAPL", price=5.0, as_of=BEGIN + 3 * 86_400)
    data = ChartData(History("AAPL", "daily", ["daily"], bars(1.0, 2.0, seconds=86_400)))
    plot = compose(data, Look(span="1Y"), late, 80)
    assert plot is not None and plot.last == 5.0


def test_two_tickers_begin_at_nothing_and_have_a_correlation() -> None:
    mine, other = (gathered(bars(*closes), MINUTE, MINUTE, NEW_YORK) for closes in ((10, 11, 9, 12), (50, 60, 40, 65)))
    both = with_ticker(mine, other, MINUTE, NEW_YORK)
    assert both.first == pytest.approx([0, 10, -10, 20])
    assert both.second == pytest.approx([0, 20, -20, 30])
    assert both.correlation == pytest.approx(0.9995, abs=1e-3)


def test_they_begin_where_both_have_a_bar() -> None:
    mine = gathered(bars(10, 20, 30), MINUTE, MINUTE, NEW_YORK)
    other = gathered(bars(5, 10, begin=BEGIN + 60), MINUTE, MINUTE, NEW_YORK)
    both = with_ticker(mine, other, MINUTE, NEW_YORK)
    assert both.first == pytest.approx([-50, 0, 50])
    assert both.second == [None, 0, 100]
    assert both.correlation is None, "of one change nothing can be said"


def test_tickers_that_never_meet_are_not_compared() -> None:
    mine = gathered(bars(10, 20), MINUTE, MINUTE, NEW_YORK)
    assert with_ticker(mine, [], MINUTE, NEW_YORK).correlation is None
    data = ChartData(history(1, 2), other=History("MSFT", "1min", ["1min"], bars(1, 2, begin=0)))
    assert compose(data, Look(beside="MSFT"), None, 80) is None


def test_a_series_holds_its_value_until_the_next() -> None:
    mine = gathered(bars(10, 11, 12, 13), MINUTE, MINUTE, NEW_YORK)
    economic = with_series(mine, [(BEGIN + 70, 100.0), (BEGIN + 130, 110.0)], relative=True)
    assert economic.second == pytest.approx([None, 0, 10, 10]) or economic.second[0] is None
    scores = with_series(mine, [(BEGIN, 0.5)], relative=False)
    assert scores.second == [50.0] * 4
    assert scores.correlation is None, "it never changes"


@pytest.mark.parametrize("span", TIME_RANGES)
def test_every_range_can_be_asked_for(span: str) -> None:
    assert request(Look(span=span), "AAPL", ANCHOR, NEW_YORK).last == 5000
