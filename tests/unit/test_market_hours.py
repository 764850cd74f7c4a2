"""Sessions from the calendar library."""

from datetime import date, timedelta

from pipeline.sources.market_hours import MarketHours, sessions_around
from tests.data import NEW_YORK
from tests.fakes import FakeClock


def test_holidays_and_half_days_are_known() -> None:
    by_day = {session.day: session for session in sessions_around(date(2026, 11, 25))}
    assert date(2026, 11, 26) not in by_day  # Thanksgiving
    assert f"{by_day[date(2026, 11, 27)].close.astimezone(NEW_YORK):%H:%M}" == "13:00"
    assert f"{by_day[date(2026, 11, 25)].open.astimezone(NEW_YORK):%H:%M}" == "09:30"


def test_the_change_to_summer_time_moves_the_open_in_utc() -> None:
    by_day = {session.day: session for session in sessions_around(date(2026, 3, 8))}
    assert f"{by_day[date(2026, 3, 6)].open:%H:%M}" == "14:30"
    assert f"{by_day[date(2026, 3, 9)].open:%H:%M}" == "13:30"


async def test_the_sessions_move_on_with_the_clock() -> None:
    clock = FakeClock()
    hours = MarketHours(clock)
    first = await hours.sessions()
    assert first is await hours.sessions()
    clock.jump(timedelta(days=30).total_seconds())
    later = await hours.sessions()
    assert later[0].day > first[0].day and later[-1].open > clock.now() + timedelta(days=14)
