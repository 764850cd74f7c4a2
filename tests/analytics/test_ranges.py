"""The day's range, 52 weeks, and what quotes say beside the price."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.analytics.market_view import LiveView, next_close
from pipeline.contract.snapshot import DayView, ForecastView, HorizonView, NextCloseView, RangeView, TickerView
from pipeline.model.messages import AnyMessage, Bar, Quote
from pipeline.sources.yahoo.chart import read_chart
from testkit.data import RECORDED, require

ZONE = ZoneInfo("America/New_York")
TODAY = date(2026, 11, 20)
OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
NOW = OPEN + timedelta(hours=2)


def at(minutes: float) -> datetime:
    return OPEN + timedelta(minutes=minutes)


def bar(ts: datetime, low: float, high: float, **more: Any) -> Bar:
    values = {"open": low, "close": high, "volume": 1.0, "interval": "1min", "ticker": "AAPL"} | more
    return Bar(ts=ts, low=low, high=high, **values)


def daily(day: date, low: float, high: float, **more: Any) -> Bar:
    return bar(datetime.combine(day, time(), ZONE).astimezone(UTC), low, high, interval="daily", **more)


def quote(minutes: float, price: float, **more: Any) -> Quote:
    return Quote(**({"ticker": "AAPL", "ts": at(minutes), "price": price} | more))


def view_of(*messages: AnyMessage, ticker: str = "AAPL") -> TickerView:
    view = LiveView(ZONE)
    view.of(ticker)
    for message in messages:
        view.put(message, 1.0)
    return view.of(ticker).view(NOW)


def note_of(*messages: AnyMessage) -> str:
    view = LiveView(ZONE)
    view.of("AAPL")
    for message in messages:
        view.put(message, 1.0)
    return view.of("AAPL").detail(NOW).year_note


class TestDay:
    def test_bars_from_the_open_and_the_price_make_it(self) -> None:
        view = view_of(bar(at(-1440), 50, 60), bar(at(0), 99, 101), bar(at(1), 100, 103), quote(5, 104))
        assert view.day == DayView(open=99, high=104, low=99)

    def test_a_label_may_be_that_of_the_minute_s_end(self) -> None:
        assert view_of(bar(at(1), 99, 101)).day == DayView(open=99, high=101, low=99)

    def test_bars_from_later_on_have_not_seen_it(self) -> None:
        assert view_of(bar(at(30), 99, 101)).day is None

    def test_unless_the_daily_bar_or_the_source_says_what_was_before(self) -> None:
        assert view_of(daily(TODAY, 90, 110), bar(at(30), 99, 111)).day == DayView(open=90, high=111, low=90)
        told = quote(31, 105, open=98, high=112, low=97)
        assert view_of(bar(at(30), 99, 101), told).day == DayView(open=98, high=112, low=97)
        assert view_of(quote(31, 105, high=112, low=97)).day == DayView(open=None, high=112, low=97)

    def test_what_is_said_of_another_day_is_not_of_this_one(self) -> None:
        assert view_of(quote(-1440, 1, open=2, high=2, low=1), quote(5, 104)).day is None

    def test_what_was_traded_before_the_open_is_not_in_it(self) -> None:
        early, regular = quote(-60, 120, session="pre"), quote(1, 101, session="regular")
        view = view_of(bar(at(-60), 119, 121), early, bar(at(0), 99, 101), regular)
        assert view.day == DayView(open=99, high=101, low=99)

    def test_crypto_currencies_begin_at_midnight_utc(self) -> None:
        midnight = OPEN.replace(hour=0, minute=0)
        whole = bar(midnight, 90, 91, ticker="BTC-USD"), bar(at(0), 92, 93, ticker="BTC-USD")
        assert view_of(*whole, ticker="BTC-USD").day == DayView(open=90, high=93, low=90)
        assert view_of(whole[1], ticker="BTC-USD").day is None

    def test_a_recording_is_all_there_is_of_its_day(self) -> None:
        assert view_of(bar(at(30), 99, 101, source="replay")).day == DayView(open=99, high=101, low=99)


def weekdays(count: int, until: date = TODAY) -> Sequence[date]:
    days = (until - timedelta(days=n) for n in range(2 * count))
    return [day for day in days if day.weekday() < 5][:count]


class TestYear:
    @pytest.fixture
    def bars(self) -> list[Bar]:
        """A year and more; its greatest price is out of the 52 weeks by a day."""
        bars = [daily(day, 90, 110) for day in weekdays(262)]
        bars[30] = daily(weekdays(31)[-1], 80, 120)
        return [*bars, daily(TODAY - timedelta(days=365), 70, 130)]

    def test_daily_bars_make_it_and_the_price_is_in_it(self, bars: list[Bar]) -> None:
        assert view_of(*bars).year == RangeView(high=120, low=80)
        assert view_of(*bars, bar(at(1), 110, 125), quote(3, 126)).year == RangeView(high=126, low=80)

    def test_what_the_source_says_goes_first(self, bars: list[Bar]) -> None:
        told = quote(3, 100, year_high=140, year_low=75)
        assert view_of(*bars, told).year == view_of(told).year == RangeView(high=140, low=75)
        old = quote(3 - 8 * 1440, 100, year_high=140, year_low=75)
        assert view_of(old, quote(3, 100)).year is None

    def test_without_a_year_there_is_a_reason(self, bars: list[Bar]) -> None:
        assert view_of(quote(3, 100)).year is None
        assert note_of(quote(3, 100)) == "no daily bars are stored"
        assert note_of(*bars[:40], quote(3, 100)) == f"daily bars reach back to {weekdays(40)[-1]} only"
        hole = [*bars[:20], *bars[40:]]
        assert note_of(*hole) == f"there are no daily bars for a while after {weekdays(41)[-1]}"
        assert note_of(*bars[10:], quote(3, 100)).startswith(
            f"there are no daily bars for a while after {weekdays(11)[-1]}"
        )
        split = [daily(day, 9, 11) for day in weekdays(10)]
        assert note_of(*split, *bars[10:]) == "prices jump as at a split"
        assert note_of(*bars) == ""


def test_figures_of_quotes_are_those_said_last_whatever_the_order() -> None:
    quotes = [quote(1, 100, market_cap=5.0, high=101, low=99), quote(2, 100, high=102, low=98), quote(3, 100, open=99)]
    views = [view_of(*order) for order in permutations(quotes)]
    assert all(view == views[0] for view in views)
    assert (views[0].day, views[0].market_cap) == (DayView(open=99, high=102, low=98), 5.0)


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"bands": {"80": (98.0, 103.0)}}, NextCloseView(interval="daily", percent=3.0)),
        ({"bands": {"50": (98.0, 103.0)}}, None),
        ({"bands": {"80": (98.0, 103.0)}, "bars": 5}, None),
    ],
)
def test_the_next_close_is_the_80_percent_band_of_the_next_bar(
    view: dict[str, Any], said: NextCloseView | None
) -> None:
    horizon = HorizonView(**({"bars": 1} | view))
    assert next_close(ForecastView(interval="daily", ts=0.0, close=100.0, horizons=[horizon])) == said


@pytest.mark.parametrize(
    ("file", "ticker", "day", "year"),
    [
        ("AAPL-daily-6mo-2025", "AAPL", (269.275, 271.41, 267.11), (271.41, 169.21)),
        ("GS2C.DE-daily-EUR-2025", "GS2C.DE", (20.13, 20.15, 19.786), (32.895, 18.6)),
    ],
)
def test_a_recorded_reply_of_yahoo_s_tells_both(
    file: str, ticker: str, day: tuple[float, float, float], year: tuple[float, float]
) -> None:
    body = require(RECORDED / "providers" / "yahoo_chart" / f"{file}.json").read_bytes()
    reply = read_chart(body, ticker, "daily", datetime(2025, 10, 30, 21, tzinfo=UTC))
    assert reply.quote is not None
    view = view_of(*reply.bars, reply.quote, ticker=ticker)
    assert view.day == DayView(open=day[0], high=day[1], low=day[2])
    assert view.year == RangeView(high=year[0], low=year[1])
