"""Recorded bars in CSV files: ``datetime,open,high,low,close,volume``, newest or oldest first."""

from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from pipeline.messages import Bar, DeadLetter, Interval
from pipeline.sources.base import SourceError

Row = Bar | DeadLetter

COLUMNS: Final = ("datetime", "open", "high", "low", "close", "volume")
UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a row whose own cannot be read and that has no dated neighbour."""
_PROBE: Final = 100


class BarFile:
    """A CSV file of one ticker's bars, indexed by line so that it is read in parts, oldest first, and never held whole.

    Times without an offset are local to `zone`: of an hour that occurs twice the first is meant, and one that the
    clocks skip is read with the offset before the change. A date alone is the start of that day. Columns are found
    by the header's names, in any order; others are ignored. Keeps eight bytes a line and no open handle.
    """

    def __init__(self, path: Path, ticker: str, interval: Interval, zone: ZoneInfo) -> None:
        """Index the file, which reads all of it once.

        Raises:
            SourceError: if it cannot be read, or its header does not name the columns.
        """
        self.path = path
        self._ticker = ticker
        self._interval = interval
        self._zone = zone
        self._starts = array("Q")
        try:
            with path.open("rb") as file:
                header = file.readline()
                position = len(header)
                for line in file:
                    self._starts.append(position)
                    position += len(line)
            self._starts.append(position)
            names = [name.strip().lower() for name in header.decode("utf-8-sig", "replace").split(",")]
            if not set(COLUMNS) <= set(names):
                raise SourceError(f"{path} must begin with the header {','.join(COLUMNS)}")
            self._width = len(names)
            self._columns = [names.index(name) for name in COLUMNS]
            self._newest_first = self._is_newest_first()
        except OSError as error:
            raise _unreadable(path, error) from error

    def __len__(self) -> int:
        """Lines after the header, blank ones included."""
        return len(self._starts) - 1

    def read(self, start: int, count: int) -> list[Row]:
        """The rows on `count` lines from `start` (0 is the oldest), oldest first; fewer where lines are blank.

        A row that does not parse comes as a dead letter of topic ``replay:<file>``, its line number as the offset.
        It bears its own time where that is readable, else that of its neighbour within the part read.

        Raises:
            SourceError: if the file cannot be read any more.
        """
        stop = min(start + count, len(self))
        if start >= stop:
            return []
        if self._newest_first:
            first, last = len(self) - stop, len(self) - start
        else:
            first, last = start, stop
        try:
            lines = self._lines(first, last)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        numbered = [(number, line.strip()) for number, line in enumerate(lines, first + 2) if line.strip()]
        if self._newest_first:
            numbered.reverse()
        time = self._first_time(line for _, line in numbered) or UNDATED
        rows = []
        for number, line in numbered:
            time = self._time(line) or time
            rows.append(self._parse(number, line, time))
        return rows

    def _lines(self, first: int, last: int) -> list[str]:
        with self.path.open("rb") as file:
            file.seek(self._starts[first])
            data = file.read(self._starts[last] - self._starts[first])
        # Split as the index was: str.splitlines knows more line ends than a file has.
        return data.removesuffix(b"\n").decode("utf-8", "replace").split("\n")

    def _is_newest_first(self) -> bool:
        size = len(self)
        top = self._first_time(self._lines(0, min(_PROBE, size)))
        bottom = self._first_time(reversed(self._lines(max(0, size - _PROBE), size)))
        return top is not None and bottom is not None and top > bottom

    def _first_time(self, lines: Iterable[str]) -> datetime | None:
        return next((time for line in lines if (time := self._time(line))), None)

    def _time(self, line: str) -> datetime | None:
        fields = line.split(",")
        try:
            time = datetime.fromisoformat(fields[self._columns[0]].strip())
            time = (time if time.tzinfo else time.replace(tzinfo=self._zone)).astimezone(UTC)
            return time if 1 < time.year < 9999 else None
        except (ValueError, OverflowError, IndexError):
            return None

    def _parse(self, number: int, line: str, time: datetime) -> Row:
        try:
            return self._bar(line.split(","), line)
        except ValueError as error:
            topic = f"replay:{self.path.name}"
            return DeadLetter(ts=time, topic=topic, partition=0, offset=number, reason=str(error), payload=line)

    def _bar(self, fields: Sequence[str], line: str) -> Bar:
        if len(fields) != self._width:
            raise ValueError(f"{len(fields)} fields instead of {self._width}")
        time = self._time(line)
        if time is None:
            raise ValueError(f"datetime {fields[self._columns[0]]!r} is none")
        # Converted, not constructed: only that checks the ranges.
        values = {name: float(fields[column]) for name, column in zip(COLUMNS[1:], self._columns[1:], strict=True)}
        identity = {"ticker": self._ticker, "interval": self._interval, "source": "replay"}
        return msgspec.convert({"type": "bar", "ts": time} | identity | values, Bar)


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{path} cannot be read: {error.strerror}")
