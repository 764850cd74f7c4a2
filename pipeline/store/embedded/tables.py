"""The tables of the embedded store, and the statements that write to them.

A document is one row of its collection. What very many share stands elsewhere, once: `series` has the texts that the
documents of one ticker, interval and source have in common, and `shapes` the names of the fields of a body. A document
whose key follows from its series and time, as that of a bar does, has no other key: `key` is "". The others are of a
series without a `prefix`, and have theirs in `key`.
"""

from typing import Final

from pipeline.model.documents import COLLECTIONS

VERSION: Final = 4
"""Of the format of the file."""
SERIES: Final = frozenset({"stock_data", "indicators", "forecasts", "economic"})
"""The collections of points of series, whose keys follow from series and time."""

_COLUMNS: Final = """
    series INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    key TEXT NOT NULL,
    version BLOB NOT NULL,
    shape INTEGER NOT NULL,
    body BLOB NOT NULL"""
"""`ts` is in microseconds since the epoch; of `version` see `pipeline.store.embedded.versions`, of `shape` and `body`
`pipeline.store.embedded.bodies`."""

# Small rows are kept in the order of a series, without a second copy of the key. Of large ones (an article, a forecast)
# SQLite would put most into pages of their own, a quarter filled.
_SMALL: Final = """
CREATE TABLE {0} (
    {columns},
    PRIMARY KEY (series, ts, key)
) WITHOUT ROWID;
CREATE UNIQUE INDEX {0}_by_key ON {0} (key) WHERE key <> ''
"""
_LARGE: Final = """
CREATE TABLE {0} (
    {columns}
);
CREATE UNIQUE INDEX {0}_by_series ON {0} (series, ts, key);
CREATE UNIQUE INDEX {0}_by_key ON {0} (key) WHERE key <> ''
"""
_SMALL_ONES: Final = frozenset({"stock_data", "indicators", "economic"})

_SHARED: Final = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    collection TEXT NOT NULL,
    prefix TEXT,
    ticker TEXT,
    interval TEXT,
    source TEXT
);
CREATE INDEX series_by_ticker ON series (collection, ticker, interval, source);
CREATE TABLE shapes (id INTEGER PRIMARY KEY, fields TEXT NOT NULL UNIQUE);
CREATE TABLE counts (collection TEXT PRIMARY KEY, documents INTEGER NOT NULL) WITHOUT ROWID;
"""
_COUNTED: Final = "INSERT INTO counts VALUES " + ", ".join(f"('{name}', 0)" for name in COLLECTIONS)  # noqa: S608


def schema_of(collection: str) -> str:
    """The statements that make its table and indexes."""
    return (_SMALL if collection in _SMALL_ONES else _LARGE).format(collection, columns=_COLUMNS.strip())


SHARED: Final = _SHARED + _COUNTED
SCHEMA: Final = ";".join((SHARED, *map(schema_of, COLLECTIONS)))

MOST_ROWS: Final = 128
"""In one statement. Between two of them the interpreter's lock is given away and asked for again, which beside a busy
thread takes many times longer than the row."""
_SIZES: Final = tuple(1 << power for power in range(MOST_ROWS.bit_length()))

# The order of versions is that of their texts.
_AS_TEXT: Final = """CASE typeof({0}) WHEN 'text' THEN {0} ELSE CASE length({0})
    WHEN 20 THEN lower(hex(substr({0}, 1, 4))) || '-' || lower(hex(substr({0}, 5))) ELSE lower(hex({0})) END END"""
_IS_NEWER: Final = (
    f"excluded.version <> version AND {_AS_TEXT.format('excluded.version')} > {_AS_TEXT.format('version')}"
)


def _values(size: int) -> str:
    return ", ".join(["(?, ?, ?, ?, ?, ?)"] * size)


# IGNORE stands for "a document with that key is there". Not as ON CONFLICT DO NOTHING: SQLite would then prepare for
# undoing half of the statement, for the sake of NOT NULL, and copy each page before it writes to it.
INSERT: Final = {
    (name, size): f"INSERT OR IGNORE INTO {name} VALUES {_values(size)}"  # noqa: S608 - the names are constants
    for name in COLLECTIONS
    for size in _SIZES
}
"""By collection and number of rows: write those whose keys are new."""
REPLACE: Final = {
    (name, size): f"""
        INSERT INTO {name} VALUES {_values(size)} ON CONFLICT DO UPDATE SET
            series = excluded.series, ts = excluded.ts, version = excluded.version,
            shape = excluded.shape, body = excluded.body
        WHERE {_IS_NEWER}
    """  # noqa: S608 - the names are constants
    for name in COLLECTIONS
    for size in _SIZES
}
"""By collection and number of rows: write those that are newer than what has their key."""

DELETE_KEYS: Final = {
    name: f"DELETE FROM {name} WHERE key <> '' AND key IN (SELECT value FROM json_each(?))"  # noqa: S608
    for name in COLLECTIONS
}
"""By collection: delete the documents with these keys of their own."""
DELETE_PLACES: Final = {
    name: f"""
        DELETE FROM {name} WHERE key = '' AND (series, ts) IN
            (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
    """  # noqa: S608 - the names are constants
    for name in COLLECTIONS
}
"""By collection: delete the documents of these series and times that have no other key."""
