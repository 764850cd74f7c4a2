import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pipeline.analytics.market_view import LiveView, TickerState
from pipeline.analytics.source_state import SPARK
from pipeline.contract.snapshot import TickerView
from pipeline.model.messages import Bar, IndicatorRow, Quote, ScoredItem, decode, encode

ZONE = ZoneInfo("America/New_York")
MONDAY = datetime(2019, 2, 11, 14, 31, tzinfo=UTC)  # 09:31 in New York
TUESDAY = MONDAY + timedelta(days=1)
NOW = TUESDAY + timedelta(hours=3)


def bar(ts: datetime, close: float, volume: float | None = 10, **more: object) -> Bar:
    values = {"open": close, "high": close, "low": close, "close": close, "volume": volume, "interval": "1min"}
    return Bar(ts=ts, **({"ticker": "AAPL"} | values | more))  # type: ignore[arg-type]


def row(ts: datetime, rsi: float, lineage: int = 1, interval: str = "1min") -> IndicatorRow:
    return IndicatorRow(
        ticker="AAPL", ts=ts, interval=interval, lineage=f"{lineage:08x}-{0:032x}", close=1, rsi_14=rsi, macd_hist=0.5
    )  # type: ignore[arg-type]


def scored(number: int, compound: float) -> ScoredItem:
    return ScoredItem(
        ticker="AAPL", ts=TUESDAY + timedelta(minutes=number), id=str(number), kind="article", text=f"item {number}",
        compound=compound, label="positive", words=[("beats", 2.7)], tag="bullish",
    )  # fmt: skip


def view_of(*messages: object, heard_at: float | None = 5.0) -> TickerView:
    view = LiveView(ZONE)
    view.of("AAPL")
    for message in messages:
        view.put(message, heard_at)  # type: ignore[arg-type]
    return view.of("AAPL").view(NOW)


def minutes(day: datetime, *closes: float) -> list[Bar]:
    return [bar(day + timedelta(minutes=i), close) for i, close in enumerate(closes)]


def test_nothing_known_is_nothing_claimed() -> None:
    assert view_of() == TickerView(ticker="AAPL")


def test_change_is_against_the_last_close_of_the_previous_session() -> None:
    view = view_of(*minutes(MONDAY, 100, 101, 102), *minutes(TUESDAY, 103, 51))
    assert (view.price, view.change, view.change_percent) == (51, -51, -50)
    assert view.volume == 20
    assert view.spark == [100, 101, 102, 103, 51]
    assert view.as_of == (TUESDAY + timedelta(minutes=1)).timestamp()
    assert view.updated_at == 5.0


@pytest.mark.parametrize(
    ("previous", "price", "percent"),
    [(-37.63, 10.01, None), (18.27, -37.63, None), (0, 1, None), (-14, -16, None), (10, 0, -100), (10, 11, 10)],
)
def test_from_and_to_below_zero_there_is_a_change_and_no_percentage(
    previous: float, price: float, percent: float | None
) -> None:
    state = TickerState("CL=F", ZONE)
    state.put(bar(MONDAY, previous, ticker="CL=F"), 1.0)
    state.put(bar(TUESDAY, price, ticker="CL=F"), 1.0)
    view = state.view(NOW)
    assert view.change == pytest.approx(price - previous)
    assert view.change_percent == (percent if percent is None else pytest.approx(percent))
    assert state.values(NOW)["change_percent"] == view.change_percent


def test_a_volume_that_no_bar_tells_is_unknown() -> None:
    assert view_of(bar(MONDAY, 100, None)).volume is None
    assert view_of(bar(MONDAY, 100, None), bar(MONDAY + timedelta(minutes=1), 100, 7)).volume == 7
    assert view_of(bar(MONDAY, 100, 7), bar(MONDAY, 100, None, revision=1)).volume is None


def test_a_jump_as_at_a_split_is_noted_while_indicators_look_back_on_it() -> None:
    def days(*closes: float) -> list[Bar]:
        return [bar(MONDAY + timedelta(days=i), close, interval="daily") for i, close in enumerate(closes)]

    assert "on 2019-02-13 as at a split (× 0.1)" in view_of(*days(100, 101, 10.1, 10)).note
    assert "on 2019-02-12 as at a split (× 8.92)" in view_of(*days(1.98, 17.66, *[17] * 20)).note
    assert view_of(*days(100, 70, 100)).note == ""
    state = TickerState("AAPL", ZONE)
    for day in days(1.98, 17.66):
        state.put(day, None)
    assert state.view(NOW, "no intraday bars").note.startswith("no intraday bars; the price jumps")
    assert view_of(*days(1.98, 17.66, *[17] * 60)).note == ""


def test_a_session_is_a_day_of_the_exchange() -> None:
    evening = datetime(2019, 2, 12, 2, 0, tzinfo=UTC)  # still Monday in New York
    assert view_of(bar(MONDAY, 100), bar(evening, 110), bar(TUESDAY, 121)).change == 11


def test_order_and_repetition_do_not_matter() -> None:
    messages = [*minutes(MONDAY, 100, 101), *minutes(TUESDAY, 103, 51), bar(TUESDAY, 104, revision=3), row(TUESDAY, 70)]
    messages += [row(TUESDAY, 71, lineage=2), *(scored(i, 0.5) for i in range(3))]
    expected = view_of(*messages)
    rng = random.Random(1)
    for _ in range(20):
        shuffled = messages + rng.sample(messages, 3)
        rng.shuffle(shuffled)
        assert view_of(*shuffled) == expected


def test_a_newer_quote_is_the_price_and_brings_its_own_previous_close() -> None:
    quote = Quote(ticker="AAPL", ts=TUESDAY + timedelta(hours=1), price=50, previous_close=40, volume=7)
    view = view_of(*minutes(TUESDAY, 103), quote)
    assert (view.price, view.change, view.change_percent, view.volume) == (50, 10, 25, 7)
    later = view_of(quote, bar(quote.ts + timedelta(minutes=1), 60))
    assert (later.price, later.change) == (60, 20)  # the quote still knows yesterday's close best


def test_daily_history_gives_the_previous_close_and_not_the_price() -> None:
    midnight = datetime(2019, 2, 11, 5, 0, tzinfo=UTC)
    view = view_of(*minutes(TUESDAY, 103), bar(midnight, 100, interval="daily"))
    assert (view.price, view.change) == (103, 3)
    assert view.spark == [103]


def test_a_forming_bar_is_as_old_as_its_observation() -> None:
    """It may bear the end of its minute; a quote that came after the observation is newer."""
    seen = TUESDAY + timedelta(seconds=5)
    forming = bar(TUESDAY + timedelta(minutes=1), 70, closed=False, revision=int(seen.timestamp() * 1000))
    quote = Quote(ticker="AAPL", ts=seen + timedelta(seconds=1), price=71, previous_close=50, volume=900)
    view = view_of(forming, quote)
    assert (view.price, view.change, view.volume) == (71, 21, 900)
    newer = bar(forming.ts, 72, closed=False, revision=forming.revision + 2000)
    view = view_of(forming, quote, newer)
    assert (view.price, view.change, view.volume) == (72, 22, 900)


def test_a_daily_bar_of_days_to_come_is_not_the_price_of_a_replay() -> None:
    friday = bar(datetime(2019, 2, 15, 5, 0, tzinfo=UTC), 170, interval="daily")
    week = [bar(friday.ts - timedelta(days=d), 99 - d, interval="daily") for d in range(1, 8)]
    view = view_of(*minutes(MONDAY, 100, 101), friday, *week)
    assert (view.price, view.change) == (101, 101 - 94)  # Sunday's, five days before Friday's
    assert view_of(friday).price == 170


def test_a_corrected_bar_replaces_its_volume() -> None:
    assert view_of(bar(TUESDAY, 5, volume=10), bar(TUESDAY, 5, volume=30, revision=1)).volume == 30


def test_sparkline_and_sessions_are_bounded() -> None:
    days = [bar(MONDAY + timedelta(days=d, minutes=m), 100 + d) for d in range(10) for m in range(40)]
    assert view_of(*days).spark == [109.0] * SPARK


def test_indicators_are_those_of_the_finest_interval_and_the_best_informed_row() -> None:
    view = view_of(row(TUESDAY, 30, interval="daily"), row(TUESDAY, 70, lineage=2), row(TUESDAY, 60, lineage=1))
    assert (view.rsi, view.macd_hist) == (70, 0.5)


def test_detail_has_all_intervals_and_the_newest_headlines() -> None:
    view = LiveView(ZONE)
    state = view.of("AAPL")
    for message in (row(TUESDAY, 30, interval="daily"), row(TUESDAY, 70), *(scored(i, 0.1) for i in range(1200))):
        view.put(message, None)
    detail = state.detail()
    assert [i.interval for i in detail.indicators] == ["1min", "daily"]
    assert detail.indicators[0].values["rsi_14"] == 70
    assert [h.text for h in detail.headlines[:2]] == ["item 1199", "item 1198"]
    assert (detail.headlines[0].words, detail.headlines[0].tag) == ([("beats", 2.7)], "bullish")
    assert len(detail.headlines) == 30


def of(source: str, ts: datetime, price: float, **more: object) -> Quote:
    return Quote(ticker="AAPL", ts=ts, price=price, source=source, **more)  # type: ignore[arg-type]


class TestOneSource:
    """A row is of one source at a time."""

    def test_a_real_one_is_shown_before_a_simulated_one_however_new_that_is(self) -> None:
        simulated = [bar(TUESDAY, 250, source="simulator", simulated=True), bar(MONDAY, 240, source="simulator")]
        view = view_of(*simulated, of("alpha_vantage", MONDAY, 312.34, previous_close=310.0))
        assert (view.source, view.price, view.simulated) == ("alpha_vantage", 312.34, False)
        assert view.spark == []

    def test_that_which_the_pipeline_publishes_is_shown_first(self) -> None:
        state = LiveView(ZONE, lambda ticker: ("none", "simulator") if ticker == "AAPL" else ()).of("AAPL")
        state.put(of("alpha_vantage", TUESDAY, 312.34), 1.0)
        assert state.view(NOW).source == "alpha_vantage"
        state.put(bar(MONDAY, 250, source="simulator", simulated=True), 1.0)
        assert (state.view(NOW).source, state.view(NOW).price, state.view(NOW).simulated) == ("simulator", 250, True)

    def test_what_is_shown_changes_with_what_serves_the_ticker_also_without_a_message(self) -> None:
        serving = ["yahoo", "alpha_vantage"]
        state = LiveView(ZONE, lambda _: tuple(serving)).of("AAPL")
        state.put(of("yahoo", TUESDAY, 312.34), 1.0)
        state.put(of("alpha_vantage", MONDAY, 300.0), 1.0)
        assert state.view(NOW).price == 312.34
        serving.reverse()
        assert (state.view(NOW).source, state.view(NOW).price) == ("alpha_vantage", 300.0)
        assert state.values(NOW)["price"] == 300.0
        serving.reverse()
        assert state.detail(NOW).source == "yahoo"
        assert state.view(NOW).price == 312.34

    def test_of_others_that_with_the_newest_day_is_shown(self) -> None:
        assert view_of(of("a", MONDAY, 1), of("b", TUESDAY, 2)).source == "b"
        assert view_of(of("a", TUESDAY, 1), of("b", TUESDAY + timedelta(hours=1), 2)).source == "a"  # no to and fro

    def test_a_change_of_the_source_leaves_nothing_of_the_other(self) -> None:
        state = LiveView(ZONE).of("AAPL")
        old = [*minutes(MONDAY, 100, 101), bar(MONDAY, 99, interval="daily"), row(MONDAY, 70), of("unknown", MONDAY, 5)]
        for message in old:
            state.put(message, 1.0)
        before = state.detail(NOW)
        assert (before.source, len(before.indicators)) == ("unknown", 1)
        state.put(bar(TUESDAY, 200, source="other"), 2.0)
        view, detail, values = state.view(NOW), state.detail(NOW), state.values(NOW)
        assert (view.price, view.change, view.spark, view.rsi, view.volume) == (200, None, [200], None, 10)
        assert (detail.source, detail.indicators) == ("other", [])
        assert detail.chart_version != before.chart_version
        assert {name for name, value in values.items() if value is not None} == {"price", "volume"}

    def test_the_age_is_that_of_the_source_which_is_shown(self) -> None:
        state = LiveView(ZONE, lambda _: ("a",)).of("AAPL")
        state.put(of("a", TUESDAY, 1), 1.0)
        state.put(of("b", TUESDAY, 2), 9.0)
        assert state.view(NOW).updated_at == 1.0

    def test_the_chart_changes_with_the_bars_that_are_shown_only(self) -> None:
        state = LiveView(ZONE, lambda _: ("a",)).of("AAPL")
        state.put(bar(TUESDAY, 1, source="a"), 1.0)
        version = state.detail(NOW).chart_version
        state.put(bar(TUESDAY, 2, source="b"), 1.0)
        state.put(bar(TUESDAY, 1, source="a"), 1.0)  # says nothing new
        assert state.detail(NOW).chart_version == version

    def test_simulated_items_and_real_ones_make_no_common_score(self) -> None:
        made_up = msgspec.structs.replace(scored(1, -1.0), id="s", simulated=True)
        assert view_of(scored(1, 0.5), made_up).sentiment == 0.5
        assert view_of(scored(1, 0.5), made_up, bar(TUESDAY, 1, simulated=True)).sentiment == -1.0
        state = LiveView(ZONE).of("AAPL")
        for item in (scored(1, 0.5), made_up):
            state.put(item, None)
        assert [headline.compound for headline in state.detail(NOW).headlines] == [0.5]


class TestRecency:
    """The latest exchange day comes first, then the finest interval."""

    LONG_AGO = TUESDAY - timedelta(days=30)
    MIDNIGHT = datetime(2019, 2, 12, 5, 0, tzinfo=UTC)

    def test_a_row_of_a_month_ago_is_not_the_one_to_show(self) -> None:
        state = LiveView(ZONE).of("AAPL")
        for message in (row(self.LONG_AGO, 5), row(self.MIDNIGHT, 60, interval="daily")):
            state.put(message, 1.0)
        assert (state.view(NOW).rsi, state.values(NOW)["rsi_14"], state.detail(NOW).interval) == (60, 60, "daily")
        state.put(row(TUESDAY, 40, interval="5min"), 1.0)
        assert (state.view(NOW).rsi, state.detail(NOW).interval) == (40, "5min")

    def test_nor_is_it_beside_a_price_of_today(self) -> None:
        view = view_of(row(self.LONG_AGO, 5), *minutes(self.LONG_AGO, 1, 2, 3), of("unknown", TUESDAY, 100))
        assert (view.rsi, view.macd_hist, view.spark, view.price, view.change) == (None, None, [], 100, None)

    def test_bars_of_a_month_ago_are_not_the_price(self) -> None:
        days = [bar(self.MIDNIGHT - timedelta(days=d), 50 - d, interval="daily") for d in range(3)]
        view = view_of(*minutes(self.LONG_AGO, 1, 2, 3), *days)
        assert (view.price, view.change, view.spark) == (50, 1, [48, 49, 50])

    def test_on_one_day_the_bar_seen_last_is_the_price(self) -> None:
        five = bar(TUESDAY + timedelta(minutes=25), 7, interval="5min")
        assert view_of(*minutes(TUESDAY, 5, 6), five).price == 7
        assert view_of(*minutes(TUESDAY, 5, 6), bar(five.ts, 8), five).price == 8  # the finest of one time

    def test_a_quote_of_today_has_not_the_volume_of_yesterday(self) -> None:
        assert view_of(*minutes(MONDAY, 5, 6), of("unknown", TUESDAY, 7)).volume is None
        assert view_of(*minutes(TUESDAY, 5, 6), of("unknown", TUESDAY, 7)).volume == 20

    def test_alerts_see_no_row_of_a_day_before_the_price(self) -> None:
        state = LiveView(ZONE).of("AAPL")
        state.put(row(MONDAY, 20, interval="daily"), 1.0)
        assert state.values(NOW)["rsi_14"] == 20
        state.put(of("unknown", TUESDAY, 7), 1.0)
        assert state.values(NOW).get("rsi_14") is None
        assert state.view(NOW).rsi == 20  # which the detail says the time of

    def test_alerts_see_nothing_that_only_an_earlier_run_has_heard(self) -> None:
        state = LiveView(ZONE).of("AAPL")
        for message in (bar(self.LONG_AGO, 500), row(self.LONG_AGO, 20)):
            state.put(message, None)
        assert (state.heard_source(NOW), state.values(NOW)) == (None, {"sentiment": None})
        state.put(bar(TUESDAY, 100), 1.0)
        assert (state.heard_source(NOW), state.values(NOW)["price"]) == ("unknown", 100)
        assert state.values(NOW).get("rsi_14") is None

    def test_in_a_recording_days_to_come_are_not_now(self) -> None:
        """Years later, when the clock knows nothing of what was then to come."""
        week = [bar(self.MIDNIGHT + timedelta(days=d), 50 + d, interval="daily", source="replay") for d in range(-5, 5)]
        rows = [row(TUESDAY, 40), row(week[-1].ts, 90, interval="daily")]
        played = [msgspec.structs.replace(m, source="replay") for m in (*minutes(TUESDAY, 100, 101), *rows)]
        state = LiveView(ZONE).of("AAPL")
        for message in (*week, *played):
            state.put(message, 1.0)
        view = state.view(NOW + timedelta(days=3000))
        assert (view.price, view.change, view.rsi, view.spark) == (101, 101 - 49, 40, [100, 101])

    def test_a_revision_beyond_all_years_is_no_error(self) -> None:
        assert view_of(bar(TUESDAY, 5, closed=False, revision=(1 << 52) - 1)).price == 5


class TestPreviousClose:
    """The official close of the session before, where there is one."""

    DAY = datetime(2019, 2, 11, 5, 0, tzinfo=UTC)  # Monday's midnight in New York

    def daily(self, days: int, close: float, **more: object) -> Bar:
        return bar(self.DAY + timedelta(days=days), close, interval="daily", **more)

    def test_the_daily_close_is_better_than_a_session_begun(self) -> None:
        view = view_of(*minutes(MONDAY, 100, 100), self.daily(0, 110), bar(TUESDAY, 110))
        assert (view.change, view.change_percent) == (0, 0)

    def test_and_than_what_a_quote_says(self) -> None:
        assert view_of(self.daily(0, 110), of("unknown", TUESDAY, 111, previous_close=90)).change == 1

    def test_a_daily_bar_that_forms_is_not_official(self) -> None:
        forming = self.daily(0, 105, closed=False, revision=int(MONDAY.timestamp() * 1000) - 60_000)
        assert view_of(forming, *minutes(MONDAY, 100, 101), bar(TUESDAY, 111)).change == 10
        assert view_of(forming, of("unknown", TUESDAY, 111, previous_close=90)).change == 21
        assert view_of(forming, bar(TUESDAY, 111)).change == 6  # nothing better is known

    def test_todays_own_daily_bar_is_not_yesterdays_close(self) -> None:
        assert view_of(self.daily(0, 100), self.daily(1, 120, closed=False), bar(TUESDAY, 111)).change == 11

    def test_of_a_session_that_two_intervals_saw_the_end_counts(self) -> None:
        later = bar(MONDAY + timedelta(hours=6), 108, interval="5min")
        assert view_of(*minutes(MONDAY, 100, 101), later, bar(TUESDAY, 111)).change == 3

    def test_over_a_weekend_fridays_close_is_the_one_before(self) -> None:
        quote = of("unknown", MONDAY, 111, previous_close=90)
        assert view_of(self.daily(-3, 110), quote).change == 1
        # Where weekends are traded on, a day is missing; and over a holiday nobody here knows whether one is.
        assert view_of(self.daily(-9, 100), self.daily(-3, 110), quote).change == 21
        assert view_of(self.daily(-4, 110), quote).change == 21
        assert view_of(self.daily(-4, 110), bar(MONDAY, 111)).change == 1

    def test_a_market_that_never_closes_has_the_close_of_the_day_before(self) -> None:
        days = [self.daily(d, 100 + d) for d in range(-10, 0)]
        assert view_of(*days, of("unknown", MONDAY, 111, previous_close=90)).change == 111 - 99

    def test_a_close_of_weeks_ago_is_not_yesterdays(self) -> None:
        assert view_of(self.daily(-20, 110), bar(MONDAY, 111)).change is None
        assert view_of(self.daily(-20, 110), of("unknown", MONDAY, 111, previous_close=100)).change == 11


class TestVersions:
    """The view keeps what the store keeps."""

    def test_of_two_quotes_of_one_time_the_later_observation_stays(self) -> None:
        pair = [of("unknown", TUESDAY, 101, revision=2000), of("unknown", TUESDAY, 100, revision=1000)]
        assert {view_of(*pair).price, view_of(*reversed(pair)).price} == {101}
        same = [of("unknown", TUESDAY, price) for price in (100, 101)]
        assert view_of(*same).price == view_of(*reversed(same)).price

    def test_of_two_editions_of_an_item_the_later_stays(self) -> None:
        new, old = scored(5, 0.9), msgspec.structs.replace(scored(1, -0.9), id="5")
        rescored = msgspec.structs.replace(old, ts=new.ts, scoring=0)
        for order in ([new, old], [old, new], [msgspec.structs.replace(new, scoring=2), rescored]):
            assert view_of(*order).sentiment == 0.9


def test_a_bar_takes_less_than_eighty_bytes() -> None:
    days = [MONDAY + timedelta(days=d) for d in range(4)]
    bars = [bar(day + timedelta(minutes=m), 100 + m) for day in days for m in range(390)]
    encoded = [encode(b) for b in bars]
    view = LiveView(ZONE)
    view.of("AAPL")
    tracemalloc.start()
    try:
        for value in encoded:
            view.put(decode("stock_data_aapl", value), None)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / len(bars) < 80


def test_tickers_that_are_not_watched_are_not_kept() -> None:
    view = LiveView(ZONE)
    view.put(bar(MONDAY, 5), 1.0)
    assert view.tickers == []
    view.of("AAPL")
    view.forget(["AAPL", "MSFT"])
    assert view.tickers == []


def test_the_newest_bars_and_rows_are_known_as_they_were_heard() -> None:
    """For a chart, whose reader may be ahead of the sink."""
    state = TickerState("AAPL", ZONE)
    heard = [bar(TUESDAY + timedelta(minutes=i), 100.0 + i, None if i == 8 else 10) for i in range(9)]
    for message in (*heard, row(TUESDAY, 50.0)):
        state.put(message, 1.0)
    *bars, latest = state.newest(heard[0].source, "1min")
    assert bars == heard[-5:]
    assert latest == row(TUESDAY, 50.0)
    assert state.newest("another", "1min") == []
    version = state.detail().rows_version
    state.put(row(TUESDAY + timedelta(minutes=1), 51.0), 1.0)
    assert state.detail().rows_version > version
