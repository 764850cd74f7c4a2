"""Before the open and after the close: the day's change is counted with the regular close."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from random import Random
from zoneinfo import ZoneInfo

import pytest

from pipeline.analytics.market_view import LiveView, TickerState
from pipeline.contract.snapshot import DividendView, ExtendedView, SplitView, TickerView
from pipeline.model.messages import AnyMessage, Bar, Dividend, Quote, Split
from pipeline.model.sessions import Session, usual_session
from testkit.data import NEW_YORK

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def at(day: date, clock: str) -> datetime:
    """In New York."""
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=NEW_YORK).astimezone(UTC)


def bar(day: date, clock: str, close: float, interval: str = "1min", **more: object) -> Bar:
    values = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": 10, "ticker": "AAPL", "source": "s"}
    return Bar(ts=at(day, clock), interval=interval, **(values | more))  # type: ignore[arg-type]


def quote(day: date, clock: str, price: float, session: str | None = "regular", **more: object) -> Quote:
    values = {"ticker": "AAPL", "source": "s", "session": session}
    return Quote(ts=at(day, clock), price=price, **(values | more))  # type: ignore[arg-type]


DAILY = bar(MONDAY, "00:00", 100, "daily")
MONDAYS = [bar(MONDAY, "09:30", 98), bar(MONDAY, "15:59", 100), bar(MONDAY, "16:00", 100.2), bar(MONDAY, "19:59", 101)]
PRE = [bar(TUESDAY, "04:00", 101.5), bar(TUESDAY, "09:29", 102)]
REGULAR = [bar(TUESDAY, "09:30", 103), bar(TUESDAY, "15:59", 105)]
POST = [bar(TUESDAY, "16:01", 104), bar(TUESDAY, "17:30", 106)]


def view(messages: list[AnyMessage], now: datetime, ticker: str = "AAPL") -> TickerView:
    state = LiveView(NEW_YORK).of(ticker)
    for message in messages:
        state.put(message, 1.0)
    return state.view(now)


def test_after_the_close_the_close_stays_and_the_later_price_stands_beside_it() -> None:
    messages = [DAILY, *MONDAYS, *PRE, *REGULAR, quote(TUESDAY, "16:00", 105.1), *POST]
    found = view(messages, at(TUESDAY, "17:31"))
    assert (found.price, found.change, found.as_of) == (105.1, pytest.approx(5.1), at(TUESDAY, "16:00").timestamp())
    assert found.extended == ExtendedView(
        session="post",
        price=106,
        change=pytest.approx(0.9),
        change_percent=pytest.approx(0.9 / 105.1 * 100),
        as_of=at(TUESDAY, "17:30").timestamp(),
    )


def test_before_the_open_the_last_close_stays_with_the_change_of_its_day() -> None:
    friday = bar(MONDAY - timedelta(days=3), "00:00", 96, "daily")
    found = view([friday, DAILY, *MONDAYS, quote(MONDAY, "16:00", 100), *PRE], at(TUESDAY, "09:29"))
    assert (found.price, found.change) == (100, 4)
    assert found.extended is not None
    assert (found.extended.session, found.extended.price, found.extended.change) == ("pre", 102, 2)


def test_in_regular_trading_there_is_no_other_price() -> None:
    found = view([DAILY, *MONDAYS, *PRE, *REGULAR[:1], quote(TUESDAY, "09:30", 103.5)], at(TUESDAY, "09:31"))
    assert (found.price, found.change, found.extended) == (103.5, 3.5, None)


def test_the_day_before_ends_with_its_close_and_not_with_what_came_after() -> None:
    found = view([*MONDAYS, *REGULAR, quote(TUESDAY, "09:30", 103)], at(TUESDAY, "16:00"))
    assert (found.price, found.change) == (105, 5)


def test_a_quote_of_after_the_close_is_no_price_of_the_day() -> None:
    told = [quote(TUESDAY, "16:00", 105), quote(TUESDAY, "16:30", 107, "post", volume=9e9)]
    found = view([DAILY, *told], at(TUESDAY, "16:31"))
    assert (found.price, found.change, found.volume) == (105, 5, None)
    assert found.extended is not None and found.extended.price == 107


def test_what_is_known_from_before_the_open_only_is_shown_with_its_mark() -> None:
    found = view([quote(TUESDAY, "08:00", 102, "pre", previous_close=100)], at(TUESDAY, "08:01"))
    assert (found.price, found.change) == (102, 2)
    assert found.extended is not None and found.extended.session == "pre"


def test_bars_of_a_source_that_does_not_tell_are_of_the_day() -> None:
    found = view([DAILY, *MONDAYS, *REGULAR, *POST, quote(TUESDAY, "16:00", 105, None)], at(TUESDAY, "17:31"))
    assert (found.price, found.extended) == (106, None)


@pytest.mark.parametrize("ticker", ["^GSPC", "BTC-USD", "VOD.L"])
def test_where_there_are_no_such_hours_every_bar_counts(ticker: str) -> None:
    messages = [bar(TUESDAY, "17:30", 106, ticker=ticker), quote(TUESDAY, "10:00", 105, ticker=ticker)]
    found = view(messages, at(TUESDAY, "17:31"), ticker)
    assert (found.price, found.extended) == (106, None)


def test_on_a_half_day_the_calendar_decides() -> None:
    def half_day(ticker: str, day: date) -> Session | None:
        usual = usual_session(ticker, day)
        return usual and Session(day, usual.open, usual.close - timedelta(hours=3))

    messages = [bar(TUESDAY, "12:59", 105), quote(TUESDAY, "13:00", 105.1), bar(TUESDAY, "14:00", 106)]
    for session_on, price, extended in ((half_day, 105.1, 106), (usual_session, 106, None)):
        state = TickerState("AAPL", NEW_YORK, session_on=session_on)
        for message in messages:
            state.put(message, 1.0)
        found = state.view(at(TUESDAY, "14:01"))
        assert (found.price, found.extended and found.extended.price) == (price, extended)


@pytest.mark.parametrize("seed", range(20))
def test_the_order_in_which_things_come_changes_nothing(seed: int) -> None:
    messages: list[AnyMessage] = [DAILY, *MONDAYS, *PRE, *REGULAR, *POST, quote(TUESDAY, "16:00", 105.1)]
    messages += [quote(TUESDAY, "16:10", 104.5, "post"), quote(TUESDAY, "08:00", 102, "pre", currency="USD")]
    expected = view(messages, at(TUESDAY, "17:31"))
    shuffled = messages * 2
    Random(seed).shuffle(shuffled)
    assert view(shuffled, at(TUESDAY, "17:31")) == expected


def test_the_currency_is_that_of_the_latest_message_that_names_one() -> None:
    told = [
        quote(MONDAY, "10:00", 115, None, currency="GBP", ticker="VOD.L"),
        quote(MONDAY, "11:00", 115, None, currency="GBp", ticker="VOD.L"),
        quote(MONDAY, "12:00", 115, None, ticker="VOD.L"),
    ]
    for order in permutations(told):
        assert view([*order], at(MONDAY, "12:01"), "VOD.L").currency == "GBp"


def test_the_latest_split_and_dividend_are_told() -> None:
    state = TickerState("AAPL", ZoneInfo("America/New_York"))
    for day, paid in ((MONDAY, 0.26), (MONDAY - timedelta(days=91), 0.25)):
        state.put(Dividend(ticker="AAPL", ts=at(day, "00:00"), amount=paid, currency="USD", source="s"), None)
    state.put(Split(ticker="AAPL", ts=at(MONDAY, "00:00"), numerator=4, denominator=1, source="s"), None)
    detail = state.detail(at(TUESDAY, "10:00"))
    when = at(MONDAY, "00:00").timestamp()
    assert detail.dividend == DividendView(ts=when, amount=0.26, currency="USD")
    assert detail.split == SplitView(ts=when, numerator=4, denominator=1)


def test_all_splits_are_told_of_whichever_source_and_none_twice() -> None:
    def split(day: date, source: str, **more: object) -> Split:
        fields = {"numerator": 4.0, "denominator": 1.0, **more}
        return Split(ticker="AAPL", ts=at(day, "00:00"), source=source, **fields)  # type: ignore[arg-type]

    earlier = MONDAY - timedelta(days=900)
    told = [
        split(MONDAY, "yahoo"),
        split(MONDAY, "other", numerator=5.0),
        split(earlier, "yahoo", numerator=7.0),
        split(earlier, "yahoo", numerator=8.0, revision=1),
        split(MONDAY - timedelta(days=9), "simulator", simulated=True),
        quote(TUESDAY, "10:00", 115, None, source="other"),
    ]
    for order in permutations(told):
        state = TickerState("AAPL", NEW_YORK, preferred=lambda _: ["other"])
        for message in order:
            state.put(message, None)
        assert [(found.ts, found.numerator) for found in state.view(at(TUESDAY, "10:01")).splits] == [
            (at(earlier, "00:00").timestamp(), 8.0),
            (at(MONDAY, "00:00").timestamp(), 5.0),  # as the source that is shown says
        ]
