"""The times of recorded bars: how they are written, and which instants they mean. Pure."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.model.times import microseconds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOURS: Final = 24
_DAY: Final = timedelta(days=1) // _MICROSECOND
_YEARS: Final = range(1800, 2200)
"""No bars were recorded before them; a year beyond them stands for "never"."""

_MONTHS: Final = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)  # noqa: SIM905
}
_YEAR_FIRST: Final = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)|(\d{4})(\d{2})(\d{2})(?!\d)")
_YEAR_LAST: Final = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)")
_TWO_DIGITS: Final = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}(?!\d)")
_DAY_NAMED: Final = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[A-Za-z]*\.?[-, ]+(\d{4})(?!\d)")
_MONTH_NAMED: Final = re.compile(r"([A-Za-z]{3})[A-Za-z]*\.?[- ](\d{1,2})[-, ]+(\d{4})(?!\d)")
_TIME: Final = re.compile(
    r"[T ,]+(?:(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?|(\d{2})(\d{2})(\d{2})?)"
    r"(?:\s*([AaPp])\.?[Mm]\.?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
_COMPACT: Final = re.compile(r"((?:19|20)\d{6})(\d{4}|\d{6})")
_NUMBER: Final = re.compile(r"(-?)(\d{9,19})(?:\.(\d*))?")
_PER_SECOND: Final = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 15: 10**6, 16: 10**6, 18: 10**9, 19: 10**9}
"""Of an epoch time, by its digits; between 1973 and 2286 it has no other number of them."""


class DayMonthError(ValueError):
    """Whether the day or the month comes first is not known."""


def read_time(text: str, day_first: bool | None = None) -> datetime:
    """What the text says, with an offset only where it says one: ISO 8601 and its kin, or time since the epoch.

    Epoch times are seconds, milli-, micro- or nanoseconds, distinguished by their size. `day_first` is how
    ``03/04/2024`` is meant.

    Raises:
        DayMonthError: if that is needed and None.
        ValueError: if it is not a time, or none that a bar can have; the message says why.
    """
    text = text.strip()
    time = _read_quickly(text) or _read_number(text) or _read_date(text, day_first)
    if time.year not in _YEARS:
        raise ValueError(f"datetime {text!r}: there are no bars of the year {time.year}")
    if time.date() == _EPOCH.date():
        raise ValueError(f"datetime {text!r} stands for a missing time")
    return time


def _read_quickly(text: str) -> datetime | None:
    """By far most are written like this."""
    if len(text) >= 10 and text[4] == text[7] == "-":  # not weeks, nor years beyond four digits
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
    return None


def _read_number(text: str) -> datetime | None:
    if compact := _COMPACT.fullmatch(text):
        with suppress(ValueError):  # milliseconds, then
            return datetime.fromisoformat(f"{compact[1]}T{compact[2]}")
    if (number := _NUMBER.fullmatch(text)) is None or (per_second := _PER_SECOND.get(len(number[2]))) is None:
        return None
    ticks = int(number[2] + (number[3] or "")) * (-1 if number[1] else 1)
    try:
        return _EPOCH + timedelta(microseconds=ticks * 10**6 // (per_second * 10 ** len(number[3] or "")))
    except OverflowError:
        return None


def _read_date(text: str, day_first: bool | None) -> datetime:
    if found := _YEAR_FIRST.match(text):
        year, month, day = (found[1], found[3], found[4]) if found[1] else (found[5], found[6], found[7])
    elif found := _YEAR_LAST.match(text):
        first, second, year = found[1], found[3], found[4]
        if found[2] == ".":  # is written in countries only that put the day first
            day_first = True
        if day_first is None and first != second:
            raise DayMonthError(
                f"datetime {text!r}: it is not known whether the day or the month comes first; write YYYY-MM-DD"
            )
        day, month = (first, second) if day_first else (second, first)
    elif found := _DAY_NAMED.match(text):
        day, month, year = found[1], _month(found[2], text), found[3]
    elif found := _MONTH_NAMED.match(text):
        day, month, year = found[2], _month(found[1], text), found[3]
    elif _TWO_DIGITS.match(text):
        raise ValueError(f"datetime {text!r}: its year needs four digits")
    else:
        raise ValueError(f"datetime {text!r} is none" if text else "the datetime is missing")
    rest = text[found.end() :]
    time = _TIME.fullmatch(rest) if rest else None
    if rest and time is None:
        raise ValueError(f"datetime {text!r} is none")
    try:
        at = datetime(int(year), int(month), int(day))  # noqa: DTZ001 - as written
        return at if time is None else _with_time(at, time)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"datetime {text!r} is none: {error}") from error


def _with_time(day: datetime, time: re.Match[str]) -> datetime:
    hour, minute, second = int(time[1] or time[5]), int(time[2] or time[6]), int(time[3] or time[7] or 0)
    if half := time[8]:
        if not 1 <= hour <= 12:
            raise ValueError("hour must be in 1..12")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    zone = time[9]
    if zone is None:
        offset = None
    elif zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        east = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        offset = timezone(east if zone[0] == "+" else -east)
    else:
        offset = UTC
    microsecond = int((time[4] or "0")[:6].ljust(6, "0"))
    return day.replace(hour=hour, minute=minute, second=second, microsecond=microsecond, tzinfo=offset)


def _month(name: str, text: str) -> str:
    number = _MONTHS.get(name.lower())
    if number is None:
        raise ValueError(f"datetime {text!r} is none")
    return str(number)


def is_day_first(texts: Iterable[tuple[int, str]]) -> bool | None:
    """What all the times of a file, each with its line, say together: None where each of them can be read both ways.

    Raises:
        DayMonthError: if they contradict each other.
    """
    day_first = month_first = None
    for line, text in texts:
        if (found := _YEAR_LAST.match(text.strip())) is None or found[2] == ".":
            continue
        first, second = int(found[1]), int(found[3])
        if 12 < first <= 31 and 1 <= second <= 12:
            day_first = day_first or (line, text)
        elif 12 < second <= 31 and 1 <= first <= 12:
            month_first = month_first or (line, text)
    if day_first and month_first:
        raise DayMonthError(
            f"the day comes first on line {day_first[0]} ({day_first[1].strip()}) and the month on line "
            f"{month_first[0]} ({month_first[1].strip()}); write YYYY-MM-DD"
        )
    return None if day_first is None and month_first is None else day_first is not None


def day_of(time: datetime, zone: ZoneInfo) -> date:
    """The exchange's day that a daily bar's time means, at whatever hour of it.

    The date is the day as written, be it midnight in whatever zone; any other instant is in the exchange's zone.
    """
    is_date = time.tzinfo is None or (time.hour, time.minute, time.second, time.microsecond) == (0, 0, 0, 0)
    return time.date() if is_date else time.astimezone(zone).date()


class Instants(NamedTuple):
    """The instants that a time may mean, in microseconds since the epoch: in an hour that occurs twice they differ."""

    first: int
    second: int


def instants_of(time: datetime, zone: ZoneInfo) -> Instants:
    """The instants that a time means; one without an offset is of the zone.

    Raises:
        ValueError: if the clocks skip it.
    """
    if time.tzinfo is not None:
        instant = microseconds(time)
        return Instants(instant, instant)
    if (offset := _offset_on(time.date(), zone)) is not None:
        instant = microseconds(time.replace(tzinfo=UTC)) - offset
        return Instants(instant, instant)
    before = zone.utcoffset(time) or timedelta()
    after = zone.utcoffset(time.replace(fold=1)) or timedelta()
    if before < after:
        raise ValueError(f"datetime '{time}' does not exist in {zone.key}: the clocks skip it")
    first = microseconds(time.replace(tzinfo=UTC) - before)
    return Instants(first, first if before == after else first + (before - after) // _MICROSECOND)


@lru_cache(maxsize=1 << 10)  # most rows are of the day of the row before
def _offset_on(day: date, zone: ZoneInfo) -> int | None:
    """The zone's offset from UTC in microseconds; None on a day when it changes."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - of the zone
    hours = [midnight + timedelta(hours=hour) for hour in range(_HOURS + 1)]
    offsets = {zone.utcoffset(at.replace(fold=fold)) for at in hours for fold in (0, 1)}
    return None if len(offsets) > 1 else (offsets.pop() or timedelta()) // _MICROSECOND


def is_newest_first(rows: Iterable[Instants | None]) -> bool:
    """Whether the rows of a file, None where one has no time, go back in time, but for some that stray."""
    dated = [row.first for row in rows if row is not None]
    forward = sum(other > one for one, other in pairwise(dated))
    back = sum(other < one for one, other in pairwise(dated))
    return back > 3 * forward


def settled(rows: Sequence[Instants | None], step: timedelta) -> list[int | None]:
    """Which of its instants each row means, oldest first; None where that cannot be determined. `step` is a bar's
    length.

    Rows of an hour that occurs twice: where the clock goes back among them once, the second hour begins. Else a row
    that follows within a step on what came before is of the first, and one that is so followed of the second; where
    both hold, one hour is missing and it is not known which.
    """
    length = step // _MICROSECOND
    instants = [row.first if row is not None and row.first == row.second else None for row in rows]
    dated = [(index, row) for index, row in enumerate(rows) if row is not None]
    start = 0
    for day, group in groupby(dated, lambda row: row[1].first // _DAY if row[1].first != row[1].second else None):
        hour = list(group)
        stop = start + len(hour)
        if day is not None:
            before = instants[dated[start - 1][0]] if start else None
            after = instants[dated[stop][0]] if stop < len(dated) else None
            told = _told_apart([row for _, row in hour], length, before, after)
            for (index, _), instant in zip(hour, told, strict=True):
                instants[index] = instant
        start = stop
    return instants


def _told_apart(times: Sequence[Instants], step: int, before: int | None, after: int | None) -> list[int | None]:
    backs = [index for index, (one, other) in enumerate(pairwise(times), 1) if other.first < one.first]
    if not backs and len(times) == 2 and times[0] == times[1] and times[0].second - times[0].first <= step:
        backs = [1]  # an hour that has no room for two bars
    if backs:
        [back, *more] = backs
        return [None if more else time.first if index < back else time.second for index, time in enumerate(times)]
    firsts = _run([time.first for time in times], before, step)
    seconds = _run([-time.second for time in reversed(times)], None if after is None else -after, step)
    return [
        None if (index < firsts) == (index >= len(times) - seconds) else time.first if index < firsts else time.second
        for index, time in enumerate(times)
    ]


def _run(instants: Sequence[int], before: int | None, step: int) -> int:
    """How many of them follow within a step on each other and on `before`."""
    for count, instant in enumerate(instants):
        if before is None or not 0 <= instant - before <= step:
            return count
        before = instant
    return len(instants)
