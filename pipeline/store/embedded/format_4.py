"""Upgrades a store file from format 3, which had each key in the row and in an index, and bodies of JSON."""

import logging
import sqlite3
from typing import Final

from pipeline.model.documents import COLLECTIONS
from pipeline.store.embedded.bodies import PLAIN, by_shape, compact, from_plain
from pipeline.store.embedded.catalog import Catalog
from pipeline.store.embedded.keys import prefix_in
from pipeline.store.embedded.tables import SHARED, schema_of
from pipeline.store.embedded.versions import packed
from pipeline.store.embedded.writing import Row, write

log = logging.getLogger(__name__)

_AT_ONCE: Final = 5_000
_TOLD_AFTER: Final = 100_000
"""Documents between two lines of the log."""

_Old = tuple[str, str, str | None, str | None, str | None, int, bytes]
"""Key, version, ticker, interval, source, time and body."""


def key_by_series(connection: sqlite3.Connection) -> None:
    """Format 4 has what is alike of many documents in tables of its own. A few thousand are in memory at once; what is
    written meanwhile lies in the write-ahead log."""
    for statement in SHARED.split(";"):
        connection.execute(statement)
    catalog = Catalog()
    catalog.begin(connection)
    for name in COLLECTIONS:
        connection.execute(f"ALTER TABLE {name} RENAME TO {name}_3")
        for statement in schema_of(name).split(";"):
            connection.execute(statement)
        (total,) = connection.execute(f"SELECT count(*) FROM {name}_3").fetchone()  # noqa: S608 - constants
        done = told = 0
        old = connection.execute(f"SELECT _id, version, ticker, interval, source, ts, body FROM {name}_3 ORDER BY seq")  # noqa: S608
        while part := old.fetchmany(_AT_ONCE):
            done += write(name, [_row(name, row, catalog, connection) for row in part], connection)
            if done - told >= _TOLD_AFTER:
                told = done
                log.info("%d of %d documents of %s are in the new format", done, total, name)
        if done != total:
            raise sqlite3.DataError(f"only {done} of {total} documents of {name} have a place in the new format")
        connection.execute(f"DROP TABLE {name}_3")


def _row(collection: str, old: _Old, catalog: Catalog, connection: sqlite3.Connection) -> Row:
    key, version, ticker, interval, source, ts, body = old
    try:
        prefix = prefix_in(collection, key, ts)
        series = catalog.series(connection, collection, prefix, ticker, interval, source)
    except ValueError:  # others put it there, under a key that does not say what it is of
        prefix = None
        series = catalog.series(connection, collection, None, ticker, interval, source)
    shape, new = PLAIN, body
    try:
        found = by_shape(collection, from_plain(body))
        if found is not None:
            shape, new = catalog.shape(connection, found[0]), compact(found[1])
    except (ValueError, OverflowError, RecursionError):  # no JSON, or an integer that only JSON can hold
        shape, new = PLAIN, body
    return series, ts, key if prefix is None else "", packed(version), shape, new
