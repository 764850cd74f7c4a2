"""Recorded bars in CSV files, newest or oldest first, under the headers that vendors write."""

import math
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from pipeline.model.messages import Bar, DeadLetter, Interval
from pipeline.model.splits import SplitDay, splits_to_adjust
from pipeline.model.times import microseconds, moment
from pipeline.sources.base import SourceError
from pipeline.sources.replay.columns import HEADER, PRICES, ColumnsError, CsvColumns, columns_of
from pipeline.sources.replay.times import (
    DayMonthError,
    Instants,
    day_of,
    instants_of,
    is_day_first,
    is_newest_first,
    read_time,
    settled,
)

Row = Bar | DeadLetter

UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a row whose own cannot be read and that has no dated neighbour."""
_UNDATED: Final = microseconds(UNDATED)
_PREAMBLE: Final = 10
"""Lines within which the header is looked for: some publishers put an address or a title before it."""
_BATCH: Final = 1000
_SCATTERED: Final = 4
"""Times as many lines as are wanted: what is between them is not read."""
_MINUTES: Final = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "60min": 60, "daily": 1440}
_UTC: Final = ZoneInfo("UTC")
_MIDNIGHT: Final = time_of_day()
_MARKUP: Final = re.compile(r"<(?:!|\?|html|head|body|div|script|title|meta)", re.IGNORECASE)


class BarFile:
    """A CSV file of one ticker's bars, indexed by line so that it is read in parts, oldest first, and never held whole.

    Columns are found by the header's names, see `columns_of`. Times without an offset are local to `zone`; in an hour
    that occurs twice the rows around it show which is meant. A daily bar is the exchange's day, whatever the hour in
    its row, and has the start of that day as its time; where the file has splits, prices and volume are adjusted for
    later ones. Of several rows of one bar the last counts, which in a file written newest first is the uppermost: it
    has the highest `revision`. Keeps 24 bytes a line and no open handle.
    """

    def __init__(self, path: Path, ticker: str, interval: Interval, zone: ZoneInfo) -> None:
        """Index the file, which reads all of it once.

        Raises:
            SourceError: if it cannot be read, its header does not name the columns, or its dates can be read in two
                ways.
        """
        self.path = path
        self._ticker = ticker
        self._interval: Interval = interval
        self._zone = zone
        self._starts = array("Q")
        self._undated: dict[int, str] = {}
        """Why a row has no time of its own, by line."""
        self._times = array("q")
        self._repeats: dict[int, int] = {}
        """How many rows of the same bar come before this one."""
        self._splits: dict[datetime, float] = {}
        try:
            self._columns = self._index()
            self._order = self._in_order()
            if interval == "daily" and self._columns.knows_splits:
                self._splits = splits_to_adjust(self._days(), as_traded=self._columns.as_traded)
        except OSError as error:
            raise _unreadable(path, error) from error
        except DayMonthError as error:
            raise SourceError(f"{path} cannot be read: {error}") from error

    def __len__(self) -> int:
        """Rows, those that do not parse included."""
        return len(self._order)

    @property
    def splits(self) -> dict[date, float]:
        """The splits that prices are adjusted for, by day: new shares for one old."""
        return {ts.astimezone(self._zone).date(): split for ts, split in self._splits.items()}

    def read(self, start: int, count: int) -> list[Row]:
        """`count` rows from `start` (0 is the oldest), oldest first.

        A row that does not parse comes as a dead letter of topic ``replay:<file>``, its line number as the offset. It
        has its own time where that is readable, else that of its neighbour.

        Raises:
            SourceError: if the file cannot be read any more.
        """
        stop = min(start + count, len(self))
        try:
            lines = self._lines(self._order[start:stop])
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return [self._parse(position, line) for position, line in enumerate(lines, start)]

    def _index(self) -> CsvColumns:
        """Find the header and where each line after it begins."""
        columns = None
        first, refusal = "", "it is empty"
        with self.path.open("rb") as file:
            position = 0
            for number, line in enumerate(file, 1):
                if columns is not None:
                    self._starts.append(position)
                elif number <= _PREAMBLE and (text := line.decode("utf-8-sig", "replace").strip()):
                    try:
                        columns = columns_of(text)
                        self._first_line = number + 1
                    except ColumnsError as error:
                        if not first:
                            first, refusal = text, str(error)
                position += len(line)
        self._starts.append(position)
        if columns is None:
            raise SourceError(f"{self.path} must begin with the header {HEADER}; {_what_it_is(first) or refusal}")
        return columns

    def _in_order(self) -> array[int]:
        """The lines that hold a row, oldest first; their instants are noted on the way."""
        lines = []
        read = []
        for line, text in self._all_lines():
            if text.strip():
                lines.append(line)
                read.append(self._instants(line, text))
        if is_newest_first(read):
            lines.reverse()
            read.reverse()
        instants = settled(read, timedelta(minutes=_MINUTES[self._interval]))
        for line, instant, possible in zip(lines, instants, read, strict=True):
            if instant is None and possible is not None:
                self._undated[line] = (
                    f"datetime {moment(possible.first).astimezone(self._zone):%Y-%m-%d %H:%M} occurs twice in "
                    f"{self._zone.key}, and the rows around it do not tell which is meant; write its offset from UTC"
                )
        last = next((instant for instant in instants if instant is not None), _UNDATED)
        rows: dict[int, int] = {}
        for position, instant in enumerate(instants):
            if instant is not None:
                last = instant
                before = rows[instant] = rows.get(instant, -1) + 1
                if before:
                    self._repeats[position] = before
            self._times.append(last)
        return array("Q", lines)

    def _instants(self, line: int, text: str) -> Instants | None:
        """What the row's time means; None, and the reason kept, where that is nothing."""
        try:
            time = self._read_time(self._columns.time(self._columns.fields(text)))
            if self._interval == "daily":
                start = microseconds(datetime.combine(day_of(time, self._zone), _MIDNIGHT, self._zone))
                return Instants(start, start)
            return instants_of(time, _UTC if self._columns.utc else self._zone)
        except DayMonthError:
            raise
        except ValueError as error:
            self._undated[line] = str(error)
            return None

    def _read_time(self, label: str) -> datetime:
        try:
            return read_time(label)
        except DayMonthError:
            return read_time(label, self._day_first)

    @cached_property
    def _day_first(self) -> bool | None:
        """Whether ``03/04/2024`` is in April: what all rows say together, else the vendor's custom."""

        def labels() -> Iterator[tuple[int, str]]:
            for line, text in self._all_lines():
                with suppress(ValueError):
                    yield self._first_line + line, self._columns.time(self._columns.fields(text))

        told = is_day_first(labels())
        return False if told is None and self._columns.month_first else told

    def _days(self) -> dict[datetime, SplitDay]:
        """What the rows of daily bars say of splits, by the bar's time."""
        days = {}
        for start in range(0, len(self), _BATCH):
            for position, line in enumerate(self._lines(self._order[start : start + _BATCH]), start):
                if self._order[position] in self._undated:
                    continue
                with suppress(ValueError):
                    fields = self._columns.fields(line)
                    split, adjusted = self._columns.adjustments(fields)
                    close = self._columns.values(fields)["close"]
                    if close is not None:
                        days[moment(self._times[position])] = SplitDay(close, split, adjusted)
        return days

    def _all_lines(self) -> Iterator[tuple[int, str]]:
        """The lines after the header, by number from 0."""
        with self.path.open("rb") as file:
            file.seek(self._starts[0])
            for line, data in zip(range(len(self._starts) - 1), file, strict=False):  # it may have grown
                yield line, data.decode("utf-8", "replace").rstrip("\r\n")

    def _lines(self, lines: Sequence[int]) -> list[str]:
        """Lines by number, in the order given."""
        first, last = min(lines, default=0), max(lines, default=-1)
        starts = self._starts
        if last - first >= _SCATTERED * len(lines):
            return [text for line in lines for text in self._lines([line])]
        with self.path.open("rb") as file:  # at once, for mostly they are neighbours
            file.seek(starts[first])
            data = file.read(starts[last + 1] - starts[first])
        parts = (data[starts[line] - starts[first] : starts[line + 1] - starts[first]] for line in lines)
        return [part.decode("utf-8", "replace").rstrip("\r\n") for part in parts]

    def _parse(self, position: int, text: str) -> Row:
        try:
            return self._bar(position, text)
        except ValueError as error:
            line = self._first_line + self._order[position]
            return DeadLetter(
                ts=moment(self._times[position]),
                topic=f"replay:{self.path.name}",
                partition=0,
                offset=line,
                reason=f"line {line}: {error}",
                payload=text,
            )

    def _bar(self, position: int, text: str) -> Bar:
        if reason := self._undated.get(self._order[position]):
            raise ValueError(reason)
        ts = moment(self._times[position])
        values: dict[str, Any] = self._columns.values(self._columns.fields(text))
        split, last = self._adjustment(ts)
        if split != 1:
            values |= {name: values[name] / split for name in PRICES}
            values["volume"] = None if values["volume"] is None else values["volume"] * split
        values["revision"] = last + self._repeats.get(position, 0)
        values.update(type="bar", ts=ts, ticker=self._ticker, interval=self._interval, source="replay")
        return msgspec.convert(values, Bar)  # not constructed: only that checks the ranges

    def _adjustment(self, ts: datetime) -> tuple[float, int]:
        """What prices before `ts` are divided by, and the time of the last split in it, ms since the epoch.

        The latter is part of the revision: bars read again after the next split supersede these.
        """
        later = [split for split in self._splits.items() if split[0] > ts]
        if not later:
            return 1.0, 0
        return math.prod(split for _, split in later), max(0, int(max(later)[0].timestamp() * 1000))


def _what_it_is(line: str) -> str:
    """What a file is that begins with this line and is not CSV, as far as one can see."""
    if _MARKUP.match(line):
        return "it is HTML, not CSV; the download gave a web page"
    if line.startswith(("{", "[")):  # not quoted: such answers may hold the key they were asked with
        return "it is JSON, not CSV; the download gave a message or another format"
    if line.startswith(("PK", "\x1f")):
        return "it is compressed; unpack it"
    if "\x00" in line or line.startswith("\ufffd"):
        return "it is not text in UTF-8"
    return ""


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{path} cannot be read: {error.strerror}")
