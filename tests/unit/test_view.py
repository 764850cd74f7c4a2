import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.messages import Bar, IndicatorRow, Quote, ScoredItem
from pipeline.snapshot import TickerView
from pipeline.view import SPARK, LiveView

ZONE = ZoneInfo("America/New_York")
MONDAY = datetime(2019, 2, 11, 14, 31, tzinfo=UTC)  # 09:31 in New York
TUESDAY = MONDAY + timedelta(days=1)
NOW = TUESDAY + timedelta(hours=3)


def bar(ts: datetime, close: float, volume: float = 10, **more: object) -> Bar:
    values = {"open": close, "high": close, "low": close, "close": close, "volume": volume, "interval": "1min"}
    return Bar(ticker="AAPL", ts=ts, **(values | more))  # type: ignore[arg-type]


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


def test_tickers_that_are_not_watched_are_not_kept() -> None:
    view = LiveView(ZONE)
    view.put(bar(MONDAY, 5), 1.0)
    assert view.tickers == []
    view.of("AAPL")
    view.forget(["AAPL", "MSFT"])
    assert view.tickers == []
