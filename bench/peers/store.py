"""An SQLite file with a table of bars and one of rows, each under its natural key."""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import starmap
from typing import Any, Final

from msgspec.structs import astuple

from bench.peers.messages import BarMessage, RowMessage

Series = tuple[str, str, str]
"""Ticker, interval and source."""

_KEY: Final = ("ticker", "interval", "source", "ts")
_NUMBERS: Final = ("open", "high", "low", "close", "volume")
_INDICATORS: Final = RowMessage.__struct_fields__[4:]


def _table(name: str, numbers: Iterable[str]) -> str:
    columns = ", ".join(f"{number} REAL" for number in numbers)
    return (
        f"CREATE TABLE IF NOT EXISTS {name} (ticker TEXT NOT NULL, interval TEXT NOT NULL, source TEXT NOT NULL, "
        f"ts INTEGER NOT NULL, {columns}, PRIMARY KEY ({', '.join(_KEY)})) WITHOUT ROWID"
    )


def _replace(name: str, numbers: Iterable[str]) -> str:
    columns = (*_KEY, *numbers)
    return f"INSERT OR REPLACE INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - constants


_REPLACE_BARS: Final = _replace("bars", _NUMBERS)
_REPLACE_ROWS: Final = _replace("indicators", _INDICATORS)


class PeerStore:
    """One connection, which may be used from any thread, but by one at a time."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        # As the pipeline's: the offset is committed afterwards, and must not outlive what it stands for.
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(_table("bars", _NUMBERS))
        self._connection.execute(_table("indicators", _INDICATORS))
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()

    def write(self, done: Iterable[tuple[BarMessage, RowMessage]]) -> None:
        """Keep bars and rows, in one transaction."""
        bars, rows = zip(*starmap(_values, done), strict=True)
        with self._connection:
            self._connection.executemany(_REPLACE_BARS, bars)
            self._connection.executemany(_REPLACE_ROWS, rows)

    def last(self, series: Series, count: int) -> Iterator[BarMessage]:
        """The newest bars of a series, oldest first."""
        found = self._connection.execute(
            "SELECT ts, ticker, interval, source, open, high, low, close, volume FROM bars "
            "WHERE ticker = ? AND interval = ? AND source = ? ORDER BY ts DESC LIMIT ?",
            (*series, count),
        ).fetchall()
        for ts, *rest in reversed(found):
            yield BarMessage(datetime.fromtimestamp(ts, UTC), *rest)


def _values(bar: BarMessage, row: RowMessage) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    key = (bar.ticker, bar.interval, bar.source, int(bar.ts.timestamp()))
    return (*key, bar.open, bar.high, bar.low, bar.close, bar.volume), (*key, *astuple(row)[4:])
