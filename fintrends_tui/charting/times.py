"""The time axis: round times of the exchange's clock and calendar, and dates in words."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from fintrends_tui.charting.buckets import Candle, Step, offset

_MINUTE: Final = 60
_DAY: Final = 86_400
_BETWEEN: Final = 3
"""Columns between two labels."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TimeLabel(NamedTuple):
    """A text of the axis and the slot that it names."""

    slot: int
    text: str


class _Unit(NamedTuple):
    """A part of the clock or the calendar, about so many seconds long: `key` numbers those of a local time, `widest` is
    the columns that a label takes."""

    seconds: int
    key: Callable[[float], int]
    label: Callable[[datetime], str]
    widest: int


def local(ts: float, zone: tzinfo) -> datetime:
    """The time on the clocks of `zone`, as if it were UTC."""
    return _EPOCH + timedelta(seconds=ts + offset(zone, ts))


def day_and_year(ts: float, zone: tzinfo) -> str:
    """A date: ``15 Feb 2019``."""
    at = local(ts, zone)
    return f"{at.day} {at:%b %Y}"


def moment(ts: float, step: Step, zone: tzinfo) -> str:
    """When a candle begins: ``15 Feb 2019 10:40``; of a day or more the date, of a month ``Feb 2019``."""
    at = local(ts, zone)
    if step.is_intraday:
        return f"{at.day} {at:%b %Y %H:%M}"
    return f"{at:%b %Y}" if step.name == "monthly" else f"{at.day} {at:%b %Y}"


def extent(first: float, last: float, step: Step, zone: tzinfo) -> str:
    """From when to when: what both have in common is said once, as in ``15 Feb 2019 10:40–15:55``."""
    begin, end = local(first, zone), local(last, zone)
    if not step.is_intraday:
        return f"{moment(first, step, zone)} – {moment(last, step, zone)}"
    if begin.date() == end.date():
        return f"{moment(first, step, zone)}–{end:%H:%M}"
    year = "" if begin.year == end.year else f" {begin.year}"
    return f"{begin.day} {begin:%b}{year} – {end.day} {end:%b %Y}"


def city(zone: tzinfo) -> str:
    """What people call the zone: ``New York``."""
    return str(zone).rpartition("/")[2].replace("_", " ")


def labels(candles: Sequence[Candle], step: Step, zone: tzinfo, columns_a_slot: float) -> list[TimeLabel]:
    """Where round times begin, as many as have room; the first of a day bears the date, that of a year the year.

    The first candle has a label only where a round time begins with it.
    """
    stamps = [candle.ts + offset(zone, candle.ts) for candle in candles]
    width = (candles[-1].slot + 1) * columns_a_slot
    units = _OF_DAYS if not step.is_intraday else _OF_HOURS
    unit, at = units[-1], list[int]()
    shown = (candles[-1].slot + 1) * step.seconds
    for unit in units:
        if unit is not units[-1] and shown / unit.seconds * (unit.widest + _BETWEEN) > 2 * width:
            continue  # far too many, as can be told without counting
        keys = [unit.key(stamp) for stamp in stamps]
        at = [index for index in range(1, len(keys)) if keys[index] != keys[index - 1]]
        if step.is_intraday and stamps[0] % _MINUTE == 0 and unit.key(stamps[0] - 1) != keys[0]:
            at.insert(0, 0)
        if len(at) * (unit.widest + _BETWEEN) <= width:
            break
    found = []
    for index in at:
        moment = _EPOCH + timedelta(seconds=stamps[index])
        new_day = step.is_intraday and index > 0 and stamps[index] // _DAY != stamps[index - 1] // _DAY
        found.append(TimeLabel(candles[index].slot, _date(moment) if new_day else unit.label(moment)))
    return found


def _clock(minutes: int) -> _Unit:
    return _Unit(60 * minutes, lambda stamp: int(stamp // (60 * minutes)), lambda at: f"{at:%H:%M}", 6)


def _days(count: int) -> _Unit:
    return _Unit(count * _DAY, lambda stamp: int(stamp // _DAY) // count, _date, 6)


def _months(count: int) -> _Unit:
    def key(stamp: float) -> int:
        at = _EPOCH + timedelta(seconds=stamp)
        return (at.year * 12 + at.month - 1) // count

    def label(at: datetime) -> str:
        return str(at.year) if at.month <= count or at.month == 1 else f"{at:%b}"

    return _Unit(count * 30 * _DAY, key, label, 4)


def _date(at: datetime) -> str:
    return f"{at.day} {at:%b}"


_WEEK: Final = _Unit(7 * _DAY, lambda stamp: (int(stamp // _DAY) + 3) // 7, _date, 6)
_OF_HOURS: Final = (*(_clock(minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)), _days(1), _WEEK)
_OF_DAYS: Final = (_days(1), _WEEK, *(_months(count) for count in (1, 2, 3, 6, 12, 24, 60, 120, 240)))
