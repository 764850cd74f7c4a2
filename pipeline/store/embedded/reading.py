"""Rows become documents again. All of this runs in the thread that reads."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any, Final

import msgspec

from pipeline.model.times import microseconds, moment
from pipeline.store.base import Query
from pipeline.store.embedded.bodies import PLAIN, Shape, body_of, flat, from_compact, from_plain
from pipeline.store.embedded.keys import key_at

_FEWEST: Final = 16
"""Rows to read of a series at once, however many series there are."""
_BEGINNING: Final = -(1 << 63)
_END: Final = (1 << 63) - 1
_TO_SHAPE: Final = msgspec.json.Decoder(tuple[Any, ...])

_TEXTS: Final = ("ticker", "interval", "source")

Place = tuple[int, str]
"""Of a document in the order of results: time and key."""


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """What the documents of a series have in common: the `texts` are those of ticker, interval and source that there
    are. Without a `prefix` each has a key of its own."""

    id: int
    prefix: str | None
    texts: dict[str, str]


Found = tuple[int, str, StoredSeries, int, bytes]
"""Time, key unless that follows from series and time, series, shape and body."""


def place_of(row: Found) -> Place:
    """Where the row is in the order of results."""
    ts, key, series, *_ = row
    return ts, key if series.prefix is None else key_at(series.prefix, moment(ts))


class Reader:
    """Finds rows, and makes documents of them."""

    def __init__(self) -> None:
        self._shapes: dict[int, Shape] = {}
        self._flat: dict[int, Shape] = {}

    def rows(
        self, query: Query, at_once: int, connection: sqlite3.Connection, *, backwards: bool = False
    ) -> Iterator[Found]:
        """What matches, but for `last`, in order. It is read when it is asked for, about `at_once` rows at a time:
        whoever goes on later may find what was written meanwhile, and no transaction waits for that."""
        found = series_of(query, connection)
        size = max(_FEWEST, at_once // max(1, len(found)))
        parts = [_rows(query, one, size, connection, backwards=backwards) for one in found]
        return parts[0] if len(parts) == 1 else merge(*parts, key=place_of, reverse=backwards)

    def count(self, query: Query, connection: sqlite3.Connection) -> int:
        statement = f"SELECT count(*) FROM {query.collection} WHERE series = ? AND ts >= ? AND ts < ?"  # noqa: S608
        span = _span(query)
        return sum(connection.execute(statement, (one.id, *span)).fetchone()[0] for one in series_of(query, connection))

    def documents(self, rows: Iterable[Found], connection: sqlite3.Connection) -> list[dict[str, Any]]:
        """As `Store.find` gives them."""
        found = []
        for ts, key, series, shape, body in rows:
            at = moment(ts)
            key = key if series.prefix is None else key_at(series.prefix, at)
            document: dict[str, Any] = {"_id": key, **series.texts, "ts": at}
            if shape == PLAIN:
                document.update(from_plain(body))
            elif names := self._names(shape, connection):
                document.update(zip(names, from_compact(body), strict=True))
            else:
                document.update(body_of(from_compact(body), self._shapes[shape]))
            found.append(document)
        return found

    def _names(self, shape: int, connection: sqlite3.Connection) -> Shape:
        """The names of a body in which nothing has a shape of its own; of another nothing."""
        if shape not in self._flat:
            self._flat[shape] = flat(self.shape(shape, connection))
        return self._flat[shape]

    def shape(self, id_: int, connection: sqlite3.Connection) -> Shape:
        if id_ not in self._shapes:
            found = connection.execute("SELECT id, fields FROM shapes").fetchall()
            self._shapes = {known: _TO_SHAPE.decode(fields) for known, fields in found}
        return self._shapes[id_]


def series_of(query: Query, connection: sqlite3.Connection) -> list[StoredSeries]:
    """Those that have what the query asks for."""
    wanted = {
        "collection = ?": query.collection,
        "ticker = ?": query.ticker,
        "interval = ?": query.interval,
        "source = ?": query.source,
    }
    conditions = [text for text, value in wanted.items() if value is not None]
    statement = f"SELECT id, prefix, ticker, interval, source FROM series WHERE {' AND '.join(conditions)}"  # noqa: S608
    values = [value for value in wanted.values() if value is not None]
    found = connection.execute(statement, values).fetchall()
    return [StoredSeries(id_, prefix, _named(texts)) for id_, prefix, *texts in found]


def _named(texts: Sequence[str | None]) -> dict[str, str]:
    return {name: text for name, text in zip(_TEXTS, texts, strict=True) if text is not None}


def _span(query: Query) -> tuple[int, int]:
    """The first time that is wanted, and the first that is not."""
    since = _BEGINNING if query.since is None else microseconds(query.since)
    return since, _END if query.until is None else microseconds(query.until)


def _rows(
    query: Query, series: StoredSeries, size: int, connection: sqlite3.Connection, *, backwards: bool
) -> Iterator[Found]:
    """Those of one series."""
    for part in parts_of(query, series, size, connection, backwards=backwards):
        for ts, key, shape, body in part:
            yield ts, key, series, shape, body


def parts_of(
    query: Query,
    series: StoredSeries,
    size: int,
    connection: sqlite3.Connection,
    *,
    backwards: bool = False,
    columns: str = "ts, key, shape, body",
) -> Iterator[list[Any]]:
    """The rows of a series that the query asks for, in parts of at most so many. Each is read when it is asked for."""
    since, until = _span(query)
    comparison, bound, other, order = ("<", until, "ts >= ?", "DESC") if backwards else (">=", since, "ts < ?", "ASC")
    place: Place = bound, ""
    while True:
        part = connection.execute(
            f"SELECT {columns} FROM {query.collection} "  # noqa: S608 - constants
            f"WHERE series = ? AND (ts, key) {comparison} (?, ?) AND {other} "
            f"ORDER BY ts {order}, key {order} LIMIT ?",
            (series.id, *place, since if backwards else until, size),
        ).fetchall()
        if part:
            yield part
        if len(part) < size:
            return
        place, comparison = part[-1][:2], "<" if backwards else ">"
