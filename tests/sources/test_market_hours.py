"""Sessions from the calendar library."""

import asyncio
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from exchange_calendars import calendar_utils

from pipeline.model.instruments import _BY_SUFFIX, CRYPTO, CURRENCIES, FUTURES, UNITED_STATES
from pipeline.model.watchlist import Watchlist
from pipeline.sources.calendar_library import sessions_around, sessions_elsewhere
from pipeline.sources.market_hours import CALENDAR, MarketHours, TradingHours
from testkit.data import NEW_YORK
from testkit.fakes import FakeClock


def test_holidays_and_half_days_are_known() -> None:
    by_day = {session.day: session for session in sessions_around(date(2026, 11, 25), CALENDAR)}
    assert date(2026, 11, 26) not in by_day  # Thanksgiving
    assert f"{by_day[date(2026, 11, 27)].close.astimezone(NEW_YORK):%H:%M}" == "13:00"
    assert f"{by_day[date(2026, 11, 25)].open.astimezone(NEW_YORK):%H:%M}" == "09:30"


def test_the_change_to_summer_time_moves_the_open_in_utc() -> None:
    by_day = {session.day: session for session in sessions_around(date(2026, 3, 8), CALENDAR)}
    assert f"{by_day[date(2026, 3, 6)].open:%H:%M}" == "14:30"
    assert f"{by_day[date(2026, 3, 9)].open:%H:%M}" == "13:30"


async def test_a_process_of_its_own_tells_the_same_and_leaves_no_pandas_here(monkeypatch: pytest.MonkeyPatch) -> None:
    day = date(2026, 11, 25)
    with monkeypatch.context() as without:  # as in a pipeline that has computed no history
        without.delitem(sys.modules, "pandas", raising=False)
        told = await sessions_elsewhere(day, "XTKS"), await sessions_elsewhere(day, CALENDAR)
        with pytest.raises(RuntimeError, match="NOWHERE"):
            await sessions_elsewhere(day, "NOWHERE")
        assert "pandas" not in sys.modules
    assert told == (sessions_around(day, "XTKS"), sessions_around(day, CALENDAR))
    assert any(session.pause for session in told[0]), "Tokyo has lunch"


async def test_the_sessions_move_on_with_the_clock() -> None:
    clock = FakeClock()
    hours = MarketHours(clock)
    first = await hours.sessions()
    assert first is await hours.sessions()
    clock.jump(timedelta(days=30).total_seconds())
    later = await hours.sessions()
    assert later[0].day > first[0].day and later[-1].open > clock.now() + timedelta(days=14)


def test_the_calendars_are_in_the_library_and_reckon_in_the_same_time() -> None:
    factories = calendar_utils._default_calendar_factories
    # Bogotá keeps the hours of New York; currencies and futures have their days where their bars begin.
    elsewhere = {"XBOG", "24/5", "CMES"}
    for exchange in {*_BY_SUFFIX.values(), UNITED_STATES, CRYPTO, CURRENCIES, FUTURES}:
        if exchange.calendar is None:
            assert exchange.code not in factories
            continue
        library = factories[exchange.calendar].tz
        for month in (1, 7):
            then = datetime(2026, month, 15, 12, tzinfo=UTC)
            same = then.astimezone(library).utcoffset() == then.astimezone(ZoneInfo(exchange.zone)).utcoffset()
            assert same or exchange.calendar in elsewhere, exchange


NOON = datetime(2026, 11, 27, 17, tzinfo=UTC)
"""Of a half day in New York, which ends in an hour; in London the exchange has closed, in Tokyo it is night."""


async def test_each_ticker_trades_by_the_hours_of_its_exchange() -> None:
    hours = TradingHours(FakeClock(NOON))
    assert hours.now("AAPL") is None
    assert hours.now("BTC-USD") == ("regular", None)
    assert hours.now("EURUSD=X") == ("regular", datetime(2026, 11, 27, 22, tzinfo=UTC))
    assert await hours.look("AAPL") == ("regular", datetime(2026, 11, 27, 18, tzinfo=UTC))
    assert hours.now("VOD.L") is None, "nobody has asked for it"
    await hours.prepare(["VOD.L", "7203.T", "0700.HK"])
    assert hours.now("VOD.L") == ("closed", datetime(2026, 11, 30, 8, tzinfo=UTC))
    assert hours.now("7203.T") == ("closed", datetime(2026, 11, 30, tzinfo=UTC))
    assert hours.now("BRK.B") == hours.now("AAPL") and hours.now("^GSPC") == hours.now("AAPL")


async def test_the_part_of_the_day_moves_on_with_the_clock() -> None:
    clock = FakeClock(NOON)
    hours = TradingHours(clock)
    for seconds, phase, of_index in (
        (0, "regular", "regular"),
        (3600, "post", "closed"),
        (4 * 3600, "closed", "closed"),
    ):
        clock.jump(seconds)
        for ticker, expected in (("AAPL", phase), ("^GSPC", of_index)):
            found = await hours.look(ticker)
            assert found is not None and found.phase == expected


async def test_the_regular_session_of_a_day_is_that_of_the_calendar_once_it_is_there() -> None:
    hours = TradingHours(FakeClock(NOON))
    usual = hours.regular_session("AAPL", NOON.date())
    assert usual is not None and usual.close == datetime(2026, 11, 27, 21, tzinfo=UTC)
    await hours.prepare(["AAPL"])
    half = hours.regular_session("AAPL", NOON.date())
    assert half is not None and half.close == datetime(2026, 11, 27, 18, tzinfo=UTC)
    assert hours.regular_session("AAPL", date(2026, 11, 26)) is None
    assert hours.regular_session("AAPL", date(2020, 11, 25)) is not None
    assert hours.regular_session("VOD.L", NOON.date()) is None


async def test_hours_that_the_library_does_not_know_are_unknown_and_harm_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hours = TradingHours(FakeClock(datetime(2060, 3, 2, 16, tzinfo=UTC)))
    await hours.prepare(["RELIANCE.NS", "AAPL"])
    await hours.prepare(["RELIANCE.NS", "COMI.CA"])
    assert hours.now("RELIANCE.NS") is None and hours.now("COMI.CA") is None
    assert hours.now("AAPL") == ("regular", datetime(2060, 3, 2, 21, tzinfo=UTC))
    assert caplog.text.count("the hours of XBOM are not known") == 1


async def test_what_is_added_to_the_watchlist_gets_its_hours() -> None:
    hours, watchlist = TradingHours(FakeClock(NOON)), Watchlist()
    following = asyncio.create_task(hours.follow(watchlist))
    watchlist.add(["VOD.L"])
    async with asyncio.timeout(60):
        while hours.now("VOD.L") is None:
            await asyncio.sleep(0.01)
    following.cancel()
