"""Documents become rows. All of this runs in the thread that writes, within its transactions."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched, chain
from operator import attrgetter
from typing import Any, Final

import msgspec

from pipeline.model.documents import Document, version_of
from pipeline.model.messages import Bar, DeadLetter, EconomicPoint, Forecast, IndicatorRow
from pipeline.model.times import microseconds
from pipeline.store.base import UpsertResult
from pipeline.store.embedded.bodies import PLAIN, SHAPES, VALUES, Shape, Values, compact, plain
from pipeline.store.embedded.catalog import Catalog
from pipeline.store.embedded.keys import place_in, prefix_in
from pipeline.store.embedded.tables import DELETE_KEYS, DELETE_PLACES, INSERT, MOST_ROWS, REPLACE
from pipeline.store.embedded.versions import packed, packed_rank

Row = tuple[int, int, str, bytes | str, int, bytes]
"""Series, time, key, version, shape and body."""

_FAULTS: Final = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)

_OF_SERIES: Final = attrgetter("ticker", "interval", "source")
_PARTS: Final[Mapping[type, Callable[[Any], object]]] = {
    Bar: _OF_SERIES,
    IndicatorRow: _OF_SERIES,
    Forecast: _OF_SERIES,
    EconomicPoint: attrgetter("series", "interval", "source"),
    DeadLetter: lambda _: None,
}
_VERSIONS: Final[Mapping[type, Callable[[Any], bytes | str]]] = {
    Bar: packed_rank,
    IndicatorRow: lambda row: packed(row.lineage),
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """How messages of a type become rows. `parts` tells those of one series from those of another."""

    parts: Callable[[Any], object]
    version: Callable[[Any], bytes | str]
    values: Values
    shape: Shape


_KINDS: Final = {
    type_: _Kind(
        _PARTS.get(type_, attrgetter("ticker", "source")),
        _VERSIONS.get(type_, lambda message: packed(version_of(message))),
        VALUES[type_],
        SHAPES[type_],
    )
    for type_ in SHAPES
}


class Writer:
    """Upserts and deletes."""

    def __init__(self) -> None:
        self._catalog = Catalog()

    def upsert(self, collection: str, documents: Sequence[Document], connection: sqlite3.Connection) -> UpsertResult:
        self._catalog.begin(connection)
        rows: list[Row] = []
        rejected: list[tuple[Document, str]] = []
        for document in documents:
            try:
                rows.append(self._row(collection, document, connection))
            except _FAULTS as error:
                rejected.append((document, f"it cannot be stored: {error}"))
        written = write(collection, rows, connection)
        return UpsertResult(written, len(rows) - written, rejected)

    def delete(self, collection: str, keys: Sequence[str], connection: sqlite3.Connection) -> int:
        self._catalog.begin(connection)
        places = [place for place in (self._place_of(collection, key) for key in keys) if place is not None]
        deleted = connection.execute(DELETE_KEYS[collection], (_listed(keys),)).rowcount
        deleted += connection.execute(DELETE_PLACES[collection], (_listed(places),)).rowcount
        _count(collection, -deleted, connection)
        return deleted

    def _place_of(self, collection: str, key: str) -> tuple[int, int] | None:
        """Series and time of the document with this key, if it follows from them."""
        prefix, ts = place_in(key)
        series = self._catalog.of_prefix(collection, prefix)
        return None if series is None or ts is None else (series, ts)

    def _row(self, collection: str, document: Document, connection: sqlite3.Connection) -> Row:
        message = document.message
        if message is None or document.collection != collection:
            series, ts, key = self._place(collection, document, connection)
            document.version.encode()  # SQLite takes no lone surrogates, and would refuse the whole batch for one
            return series, ts, key, packed(document.version), PLAIN, plain(document.body)
        type_ = type(message)
        kind = _KINDS[type_]
        known = self._catalog.known[type_]
        parts = kind.parts(message)
        found = known.get(parts)
        if found is None:  # the first of its series
            series, _, key = self._place(collection, document, connection)
            found = known[parts] = series, self._catalog.shape(connection, kind.shape), bool(key)
        series, shape, has_key = found
        key = document.id if has_key else ""
        version = kind.version(message)
        try:
            body = compact(kind.values(message))
        except OverflowError:  # an integer that only JSON can hold
            shape, body = PLAIN, plain(document.body)
        return series, microseconds(message.ts), key, version, shape, body

    def _place(self, collection: str, document: Document, connection: sqlite3.Connection) -> tuple[int, int, str]:
        """Series, time and key of a document.

        Raises:
            ValueError: if its key is that of another document, or a text has no UTF-8.
        """
        f"{document.id}{document.ticker}{document.interval}{document.source}".encode()
        ts = microseconds(document.ts)
        prefix = prefix_in(collection, document.id, ts)
        of_it = document.ticker, document.interval, document.source
        series = self._catalog.series(connection, collection, prefix, *of_it)
        return series, ts, document.id if prefix is None else ""


def write(collection: str, rows: list[Row], connection: sqlite3.Connection) -> int:
    """Write the rows that are new, or newer than what is there; how many these are."""
    inserted = _execute(INSERT, collection, rows, connection)
    _count(collection, inserted, connection)
    replaced = _execute(REPLACE, collection, rows, connection) if inserted < len(rows) else 0
    return inserted + replaced


def _execute(
    statements: Mapping[tuple[str, int], str], collection: str, rows: Iterable[Row], connection: sqlite3.Connection
) -> int:
    """How many rows the statement has written. The last one is repeated up to a size that there is a statement for, for
    what is there in the same version is left as it is."""
    written = 0
    for part in batched(rows, MOST_ROWS):
        size = 1 << (len(part) - 1).bit_length()
        values = [*chain.from_iterable(part), *(part[-1] * (size - len(part)))]
        written += connection.execute(statements[collection, size], values).rowcount
    return written


def _listed(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()


def _count(collection: str, more: int, connection: sqlite3.Connection) -> None:
    if more:
        connection.execute("UPDATE counts SET documents = documents + ? WHERE collection = ?", (more, collection))
