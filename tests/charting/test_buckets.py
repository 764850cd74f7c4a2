"""Bars gathered into longer ones, and the times that the axis names."""

import itertools
import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.charting import times
from fintrends_tui.charting.buckets import DAILY, STEPS, Step, fitted, gathered, step_named, steps_from
from pipeline.contract.protocol import BarPoint
from tests.charting.bars import MINUTE, any_bars, bars

NEW_YORK = ZoneInfo("America/New_York")
OPEN = datetime(2019, 2, 15, 9, 30, tzinfo=NEW_YORK).timestamp()


def minutes(count: int, begin: float = OPEN) -> list[BarPoint]:
    return bars(*(100.0 + index for index in range(count)), begin=begin)


@given(any_bars(), st.sampled_from(STEPS), st.sampled_from([UTC, NEW_YORK, ZoneInfo("Asia/Kolkata")]))
def test_nothing_that_was_traded_is_lost(points: list[BarPoint], step: Step, zone: ZoneInfo) -> None:
    candles = gathered(points, MINUTE, step, zone)
    assert next((candle.first, candle.last) for candle in candles)[0] == 0
    assert candles[-1].last == len(points) - 1
    assert all(after.first == before.last + 1 for before, after in itertools.pairwise(candles))
    assert all(after.slot > before.slot for before, after in itertools.pairwise(candles))
    for candle in candles:
        part = points[candle.first : candle.last + 1]
        assert (candle.open, candle.close) == (part[0].open, part[-1].close)
        assert (candle.high, candle.low) == (max(bar.high for bar in part), min(bar.low for bar in part))
        known = [bar.volume for bar in part if bar.volume is not None]
        assert candle.volume == (pytest.approx(math.fsum(known)) if known else None)


@pytest.mark.parametrize(
    ("name", "firsts"),
    [
        ("2min", ["09:30", "09:32", "09:34"]),
        ("5min", ["09:30", "09:35", "09:40"]),
        ("15min", ["09:30", "09:45", "10:00"]),
        ("30min", ["09:30", "10:00", "10:30"]),
        ("60min", ["09:00", "10:00", "11:00"]),
    ],
)
def test_candles_begin_at_round_times_of_the_exchange(name: str, firsts: list[str]) -> None:
    candles = gathered(minutes(120), MINUTE, step_named(name), NEW_YORK)
    assert [f"{datetime.fromtimestamp(candle.ts, NEW_YORK):%H:%M}" for candle in candles[:3]] == firsts


def test_days_are_gathered_into_weeks_from_monday_and_into_months() -> None:
    day = 86_400
    begin = datetime(2018, 12, 27, tzinfo=UTC).timestamp()  # a Thursday
    points = bars(*map(float, range(1, 15)), seconds=day, begin=begin)
    weeks = gathered(points, DAILY, step_named("weekly"), UTC)
    assert [week.last - week.first + 1 for week in weeks] == [4, 7, 3]
    months = gathered(points, DAILY, step_named("monthly"), UTC)
    assert [month.last - month.first + 1 for month in months] == [5, 9]


def test_nights_leave_no_gap_and_a_halt_does() -> None:
    points = [*minutes(2), *minutes(2, OPEN + 1800), *minutes(2, OPEN + 86_400)]
    assert [candle.slot for candle in gathered(points, MINUTE, MINUTE, NEW_YORK)] == [0, 1, 26, 27, 28, 29]


def test_a_halt_within_a_longer_candle_is_none() -> None:
    points = [*minutes(2), *minutes(2, OPEN + 480)]
    assert [candle.slot for candle in gathered(points, MINUTE, step_named("15min"), NEW_YORK)] == [0]


@pytest.mark.parametrize(("most", "name"), [(400, "1min"), (200, "2min"), (80, "5min"), (30, "15min"), (7, "60min")])
def test_candles_are_as_short_as_have_room(most: int, name: str) -> None:
    step, candles = fitted(minutes(390), MINUTE, most, NEW_YORK)
    assert step.name == name
    assert candles[-1].slot < most


def test_of_candles_that_were_asked_for_the_newest_have_room() -> None:
    step, candles = fitted(minutes(390), MINUTE, 50, NEW_YORK, MINUTE)
    assert (step, len(candles), candles[0].slot, candles[-1].slot) == (MINUTE, 50, 0, 49)
    assert candles[-1].close == minutes(390)[-1].close


def test_bars_cannot_be_gathered_into_what_they_do_not_divide() -> None:
    assert [step.name for step in steps_from(step_named("5min"))] == [
        "5min", "15min", "30min", "60min", "120min", "240min", "daily", "weekly", "monthly",
    ]  # fmt: skip
    assert steps_from(DAILY)[0] is DAILY


def labels(points: list[BarPoint], step: Step, columns: float, zone: ZoneInfo = NEW_YORK) -> list[str]:
    return [label.text for label in times.labels(gathered(points, step, step, zone), step, zone, columns)]


def test_the_axis_names_round_times_and_a_new_day_by_its_date() -> None:
    assert labels(minutes(120), MINUTE, 0.3) == ["09:30", "10:00", "10:30", "11:00"]
    two_days = [*minutes(60), *minutes(60, OPEN + 4 * 86_400)]
    assert labels(two_days, MINUTE, 0.3) == ["09:30", "10:00", "19 Feb", "10:00"]


def test_days_are_named_by_months_and_the_new_year_by_its_number() -> None:
    begin = datetime(2018, 10, 10, tzinfo=UTC).timestamp()
    points = bars(*[1.0] * 200, seconds=86_400, begin=begin)
    assert labels(points, DAILY, 0.5, UTC) == ["Nov", "Dec", "2019", "Feb", "Mar", "Apr"]


def test_labels_have_room() -> None:
    for width in (30, 60, 120, 240):
        found = times.labels(gathered(minutes(390), MINUTE, MINUTE, NEW_YORK), MINUTE, NEW_YORK, width / 390)
        columns = [label.slot * width / 390 for label in found]
        assert found
        assert all(later - earlier >= 8 for earlier, later in itertools.pairwise(columns))


@pytest.mark.parametrize(
    ("last", "step", "text"),
    [
        (OPEN + 3600, MINUTE, "15 Feb 2019 09:30–10:30"),
        (OPEN + 4 * 86_400, MINUTE, "15 Feb – 19 Feb 2019"),
        (OPEN + 400 * 86_400, DAILY, "15 Feb 2019 – 21 Mar 2020"),
    ],
)
def test_what_a_chart_reaches_over_is_said_with_its_year(last: float, step: Step, text: str) -> None:
    assert times.extent(OPEN, last, step, NEW_YORK) == text


def test_a_zone_is_called_by_its_city() -> None:
    assert times.city(NEW_YORK) == "New York"
