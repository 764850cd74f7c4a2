"""Which part of the day it is."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.sessions import (
    MarketStatus,
    Session,
    has_extended_hours,
    trading_at,
    usual_session,
    weeks_of_currencies,
)

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
OPEN, CLOSE = 14 * HOUR + 30 * MINUTE, 21 * HOUR


def session(days: int, close: timedelta = CLOSE, **more: object) -> Session:
    day = MONDAY + days * DAY
    return Session(day.date(), day + OPEN, day + close, **more)  # type: ignore[arg-type]


# Thursday is a holiday, Friday a half day.
WEEK = [*(session(days) for days in range(3)), session(4, CLOSE - 3 * HOUR), session(7)]


@pytest.mark.parametrize(
    ("at", "phase", "until"),
    [
        (DAY + OPEN - 6 * HOUR, "closed", DAY + OPEN),
        (DAY + OPEN - 5.5 * HOUR, "pre", DAY + OPEN),
        (DAY + OPEN - MINUTE, "pre", DAY + OPEN),
        (DAY + OPEN, "regular", DAY + CLOSE),
        (DAY + CLOSE - MINUTE, "regular", DAY + CLOSE),
        (DAY + CLOSE, "post", 2 * DAY + OPEN),
        (DAY + CLOSE + 4 * HOUR, "closed", 2 * DAY + OPEN),
        (3 * DAY + OPEN, "closed", 4 * DAY + OPEN),
        (4 * DAY + CLOSE - 3 * HOUR, "post", 7 * DAY + OPEN),
        (4 * DAY + CLOSE + HOUR, "closed", 7 * DAY + OPEN),
        (5 * DAY + OPEN, "closed", 7 * DAY + OPEN),
    ],
)
def test_before_the_open_and_after_the_close_only_some_trade(at: timedelta, phase: str, until: timedelta) -> None:
    assert trading_at(MONDAY + at, WEEK, extended=True) == (phase, MONDAY + until)
    plain = "regular" if phase == "regular" else "closed"
    assert trading_at(MONDAY + at, WEEK) == (plain, MONDAY + until)


def test_beyond_the_sessions_at_hand_nothing_is_known() -> None:
    for at in (MONDAY, MONDAY + 7 * DAY + CLOSE):
        assert trading_at(at, WEEK) is None
    assert trading_at(MONDAY, []) is None


def test_at_lunch_it_is_closed_until_it_is_over() -> None:
    pause = (MONDAY + OPEN + 2 * HOUR, MONDAY + OPEN + 3 * HOUR)
    days = [session(0, pause=pause), session(1)]
    assert trading_at(MONDAY + OPEN, days) == ("regular", pause[0])
    assert trading_at(pause[0], days) == ("closed", pause[1])
    assert trading_at(pause[1], days) == ("regular", MONDAY + CLOSE)


def test_sessions_that_follow_at_once_are_one() -> None:
    days = [Session((MONDAY + i * DAY).date(), MONDAY + (i - 1) * DAY, MONDAY + i * DAY) for i in range(5)]
    assert trading_at(MONDAY + HOUR, days) == ("regular", MONDAY + 4 * DAY)


@pytest.mark.parametrize(
    ("at", "phase", "until"),
    [
        (datetime(2026, 11, 28, 12, tzinfo=UTC), "closed", datetime(2026, 11, 29, 22, tzinfo=UTC)),
        (datetime(2026, 11, 29, 22, tzinfo=UTC), "regular", datetime(2026, 12, 4, 22, tzinfo=UTC)),
        (datetime(2026, 7, 5, 21, tzinfo=UTC), "regular", datetime(2026, 7, 10, 21, tzinfo=UTC)),  # summer
    ],
)
def test_currencies_trade_from_sunday_to_friday(at: datetime, phase: str, until: datetime) -> None:
    assert trading_at(at, weeks_of_currencies(at.date(), 14 * DAY)) == (phase, until)


def test_the_usual_session_is_that_of_new_york_summer_and_winter() -> None:
    summer, winter = usual_session("AAPL", date(2026, 7, 1)), usual_session("AAPL", date(2026, 12, 1))
    assert summer is not None and winter is not None
    assert (f"{summer.open:%H:%M}", f"{winter.close:%H:%M}") == ("13:30", "21:00")
    for ticker in ("VOD.L", "^GSPC", "BTC-USD", "EURUSD=X", "VFINX"):
        assert not has_extended_hours(ticker)
        assert usual_session(ticker, date(2026, 7, 1)) is None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 200), st.booleans()), min_size=1, max_size=8),
    st.integers(-10, 2000),
    st.booleans(),
)
def test_what_is_said_to_end_or_to_begin_does(parts: list[tuple[int, int, bool]], at: int, extended: bool) -> None:
    sessions, begin = [], MONDAY
    for gap, length, pauses in parts:
        open_ = begin + gap * MINUTE
        close = open_ + length * MINUTE
        pause = (open_ + length * MINUTE / 3, open_ + length * MINUTE / 2) if pauses else None
        sessions.append(Session(open_.date(), open_, close, pause))
        begin = close
    now = MONDAY + at * MINUTE
    found = trading_at(now, sessions, extended=extended)
    if found is None:
        assert now < sessions[0].open or now >= sessions[-1].close
        return
    assert found.until is not None and found.until > now
    after = trading_at(found.until, sessions)
    is_on = found.phase == "regular"
    assert after is None if found.until == sessions[-1].close else after is not None
    if after is not None:
        assert (after.phase == "regular") is not is_on
        just_before = trading_at(found.until - timedelta(seconds=1), sessions)
        assert just_before is not None and (just_before.phase == "regular") is is_on
    assert isinstance(found, MarketStatus)
