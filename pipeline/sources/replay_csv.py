"""Recorded bars in CSV files: ``datetime,open,high,low,close,volume``, newest or oldest first."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
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
"""The time of an unreadable row that has no readable neighbour."""


@dataclass(frozen=True, slots=True)
class BarFile:
    """One file, indexed by line so that a part of it can be read in either direction. Holds no open handle."""

    path: Path
    ticker: str
    interval: Interval
    zone: ZoneInfo
    columns: Sequence[str]
    starts: Sequence[int]
    newest_first: bool

    @classmethod
    def open(cls, path: Path, ticker: str, interval: Interval, zone: ZoneInfo) -> "BarFile":
        """Index the file. Reads all of it once, and keeps eight bytes a line.

        Raises:
            SourceError: if it cannot be read, or its header does not name the columns.
        """
        starts = array("Q")
        try:
            with path.open("rb") as file:
                header = file.readline()
                position = len(header)
                for line in file:
                    starts.append(position)
                    position += len(line)
                starts.append(position)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from error
        columns = [name.strip().lower() for name in header.decode("utf-8-sig", "replace").split(",")]
        if not set(COLUMNS) <= set(columns):
            raise SourceError(f"{path} must begin with the header {','.join(COLUMNS)}")
        file_ = cls(path, ticker, interval, zone, columns, starts, newest_first=False)
        return msgspec.structs.replace(file_) if False else file_
