"""What a recording's usual lines are read by is what the long way gives."""

import csv
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.model.times import microseconds
from pipeline.sources.replay.columns import PRICES, _fields, columns_of
from pipeline.sources.replay.times import instants_of

# Half an hour of summer time, a day that was left out, the clocks back during Ramadan, and none at all.
ZONES = [
    ZoneInfo(name)
    for name in (
        "America/New_York",
        "Europe/London",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "America/Caracas",
        "UTC",
    )
]
CHANGES = [
    datetime.fromisoformat(day) for day in ("2024-03-10", "2024-11-03", "2011-12-30", "2024-04-07", "1986-01-01")
]
AROUND_THEM = st.builds(lambda day, m: day + timedelta(minutes=m), st.sampled_from(CHANGES), st.integers(-1500, 3000))


@given(st.datetimes(datetime.fromisoformat("1800-01-01"), CHANGES[0]) | AROUND_THEM, st.sampled_from(ZONES))
def test_an_instant_is_that_of_the_zone(time: datetime, zone: ZoneInfo) -> None:
    found = [time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    exists = [at.astimezone(zone).replace(tzinfo=None) == time for at in found]
    if not all(exists):
        with pytest.raises(ValueError, match="does not exist"):
            instants_of(time, zone)
        return
    assert instants_of(time, zone) == tuple(map(microseconds, found))


def test_a_day_is_looked_at_for_each_zone() -> None:
    noon = datetime.combine(date(2024, 1, 2), datetime.min.time()) + timedelta(hours=12)
    assert len({instants_of(noon, zone) for zone in ZONES}) > 4


FIELD = st.text(st.sampled_from("0123456789.-: \"'T"), max_size=6)


@given(st.lists(FIELD, min_size=1, max_size=6), st.sampled_from(",;\t|"))
@example(["2024-01-02 10:00", "1", "2"], ",")
@example([" 2024-01-02", "1"], ",")
@example(["1", " 2"], ",")
def test_a_line_falls_into_the_fields_of_its_csv(fields: list[str], delimiter: str) -> None:
    line = delimiter.join(fields)
    try:
        expected = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error:
        with pytest.raises(ValueError, match="not a line of CSV"):
            _fields(line, delimiter)
        return
    assert _fields(line, delimiter) == expected


NUMBERS = ("1", "2.5", "1,5", "1e3", "+4", ".5", "5.", "", "-", "nan", "inf", "1_000", " 7", "1 2", "٣", "9" * 19)


@given(st.lists(st.sampled_from(NUMBERS), min_size=5, max_size=5))
def test_numbers_are_what_each_of_them_is(texts: list[str]) -> None:
    columns = columns_of("date,open,high,low,close,volume")
    fields = ["2024-01-02", *texts]
    try:
        prices = [columns._price(name, text) for name, text in zip(PRICES, texts, strict=False)]
        expected = [*prices, columns._volume(texts[4])]
    except ValueError:
        with pytest.raises(ValueError, match="is"):
            columns.values(fields)
        return
    assert list(columns.values(fields).values()) == expected
