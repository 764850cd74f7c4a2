"""The embedded store: collections of documents in one SQLite file."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from pipeline.model.documents import COLLECTIONS, Document
from pipeline.storage.sqlite import Database
from pipeline.store.base import SCANNED_AT_ONCE, Query, StoreError, UpsertResult
from pipeline.store.embedded.formats import MIGRATIONS

_VERSION: Final = 3

# A table per collection writes a little faster than one for all (2 to 4 % less CPU a document), and its `seq` counts:
# an upsert that updates takes no number, and a deletion leaves no gap. Documents in the order of their keys (WITHOUT
# ROWID) would cost 7 to 15 % more CPU and a fifth more disk. `ts` is in microseconds since the epoch, `body` is JSON.
_TABLE: Final = """
CREATE TABLE {0} (
    seq INTEGER PRIMARY KEY,
    _id TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    ticker TEXT,
    interval TEXT,
    source TEXT,
    ts INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX {0}_by_interval ON {0} (ticker, interval, ts, source) WHERE interval IS NOT NULL;
CREATE INDEX {0}_by_ticker ON {0} (ticker, ts);
CREATE INDEX {0}_by_ts ON {0} (ts)
"""
_SCHEMA: Final = ";".join(_TABLE.format(collection) for collection in COLLECTIONS)

_UPSERT: Final = {
    collection: f"""
        INSERT INTO {collection} (_id, version, ticker, interval, source, ts, body) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (_id) DO UPDATE SET
            version = excluded.version, ticker = excluded.ticker, interval = excluded.interval,
            source = excluded.source, ts = excluded.ts, body = excluded.body
        WHERE excluded.version > version
    """  # noqa: S608 - the names are constants
    for collection in COLLECTIONS
}
_COUNT: Final = " UNION ALL ".join(
    f"SELECT '{collection}', coalesce(max(seq), 0) FROM {collection}"  # noqa: S608 - the names are constants
    for collection in COLLECTIONS
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(dict[str, Any])

_Row = tuple[str, str, str | None, str | None, str | None, int, bytes]
_Found = tuple[str, str | None, str | None, str | None, int, bytes]
_Place = tuple[int, str]
"""Of a document in the order of results: `ts` and `_id`."""


class EmbeddedStore:
    """Implements the port `Store`.

    Every write reaches the disk before it is acknowledged (synchronous FULL), while the bus leaves the moment to the
    operating system (NORMAL): after a power cut the bus may have forgotten what the store has, and delivers or
    fetches it again; it never remembers a commit whose documents are lost. A process that is killed loses nothing.

    Bodies are JSON: a datetime in a body comes back as ISO text, a number that is not finite as None.
    """

    description = "embedded"

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._database = Database(
            path,
            schema=_SCHEMA,
            version=_VERSION,
            migrations=MIGRATIONS,
            synchronous="FULL",
            error=StoreError,
            read_only=read_only,
        )

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def upsert(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        statement = _UPSERT[_known(collection)]
        return await self._database.write(partial(_upsert, statement, documents))

    async def delete(self, collection: str, keys: Sequence[str]) -> int:
        return await self._database.write(partial(_delete, _known(collection), keys))

    async def find(self, query: Query) -> list[dict[str, Any]]:
        return await self._database.read(partial(_find, *_select(query)))

    async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
        read = self._database.read
        left = query.last
        start = None if left is None else await read(partial(_place, query, left))
        comparison = ">="
        while left is None or left > 0:
            size = SCANNED_AT_ONCE if left is None else min(left, SCANNED_AT_ONCE)
            part = await read(partial(_rows, *_select_from(query, comparison, start, size)))
            if part:
                yield [_document(row) for row in part]
            if len(part) < size:
                return
            left = None if left is None else left - size
            start, comparison = (part[-1][4], part[-1][0]), ">"

    async def count(self, query: Query) -> int:
        return await self._database.read(partial(_number, query))

    async def counts(self) -> dict[str, int]:
        return await self._database.read(lambda connection: dict(connection.execute(_COUNT).fetchall()))


def _known(collection: str) -> str:
    if collection not in COLLECTIONS:
        raise StoreError(f"there is no collection {collection!r}; the collections are {', '.join(COLLECTIONS)}")
    return collection


def _upsert(statement: str, documents: Sequence[Document], connection: sqlite3.Connection) -> UpsertResult:
    rows: list[_Row] = []
    rejected: list[tuple[Document, str]] = []
    for document in documents:
        try:
            rows.append(_row(document))
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            rejected.append((document, f"it cannot be stored: {error}"))
    written = connection.executemany(statement, rows).rowcount if rows else 0
    return UpsertResult(written, len(rows) - written, rejected)


def _delete(table: str, keys: Sequence[str], connection: sqlite3.Connection) -> int:
    placed = f"SELECT seq FROM {table} WHERE _id IN (SELECT value FROM json_each(?))"  # noqa: S608 - constants
    gaps = [seq for (seq,) in connection.execute(placed, (_ENCODER.encode(list(keys)).decode(),))]
    (last,) = connection.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()  # noqa: S608
    connection.executemany(f"DELETE FROM {table} WHERE seq = ?", [(seq,) for seq in gaps])  # noqa: S608
    left = last - len(gaps)
    beyond = connection.execute(f"SELECT seq FROM {table} WHERE seq > ?", (left,)).fetchall()  # noqa: S608
    moves = zip([gap for gap in gaps if gap <= left], beyond, strict=False)
    connection.executemany(f"UPDATE {table} SET seq = ? WHERE seq = ?", [(gap, seq) for gap, (seq,) in moves])  # noqa: S608
    return len(gaps)


def _row(document: Document) -> _Row:
    # SQLite takes no lone surrogates, and would refuse the whole batch for one.
    f"{document.id}{document.version}{document.ticker}{document.interval}{document.source}".encode()
    return (
        document.id,
        document.version,
        document.ticker,
        document.interval,
        document.source,
        _microseconds(document.ts),
        _ENCODER.encode(document.body),
    )


def _microseconds(ts: datetime) -> int:
    return (ts - _EPOCH) // _MICROSECOND


def _conditions(query: Query) -> tuple[list[str], list[Any]]:
    """What a row must fulfil, and the values for that."""
    wanted = {
        "ticker = ?": query.ticker,
        "interval = ?": query.interval,
        "source = ?": query.source,
        "ts >= ?": None if query.since is None else _microseconds(query.since),
        "ts < ?": None if query.until is None else _microseconds(query.until),
    }
    return [text for text, value in wanted.items() if value is not None], [v for v in wanted.values() if v is not None]


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _statement(query: Query, conditions: Sequence[str], order: Literal["ASC", "DESC"]) -> str:
    table, where = _known(query.collection), _where(conditions)
    return (
        f"SELECT _id, ticker, interval, source, ts, body FROM {table} {where} "  # noqa: S608 - constants
        f"ORDER BY ts {order}, _id {order} LIMIT ?"
    )


def _select(query: Query) -> tuple[str, list[Any]]:
    """The statement that finds the newest first, and its values."""
    conditions, values = _conditions(query)
    return _statement(query, conditions, "DESC"), [*values, -1 if query.last is None else query.last]


def _select_from(query: Query, comparison: str, start: _Place | None, size: int) -> tuple[str, list[Any]]:
    """The statement that finds the oldest from that place on, and its values."""
    conditions, values = _conditions(query)
    if start is not None:
        conditions.append(f"(ts, _id) {comparison} (?, ?)")
    return _statement(query, conditions, "ASC"), [*values, *(start or ()), size]


def _rows(statement: str, values: Sequence[Any], connection: sqlite3.Connection) -> list[_Found]:
    return connection.execute(statement, values).fetchall()


def _number(query: Query, connection: sqlite3.Connection) -> int:
    conditions, values = _conditions(query)
    statement = f"SELECT count(*) FROM {_known(query.collection)} {_where(conditions)}"  # noqa: S608 - constants
    found: int = connection.execute(statement, values).fetchone()[0]
    return found if query.last is None else min(found, query.last)


def _find(statement: str, values: Sequence[Any], connection: sqlite3.Connection) -> list[dict[str, Any]]:
    found = [_document(row) for row in connection.execute(statement, values)]
    found.reverse()
    return found


def _place(query: Query, last: int, connection: sqlite3.Connection) -> _Place | None:
    """Where the newest `last` begin; None where there are no more than that."""
    statement, values = _select(query)
    row = connection.execute(f"{statement} OFFSET ?", [*values, max(0, last - 1)]).fetchone()
    return None if row is None else (row[4], row[0])


def _document(row: _Found) -> dict[str, Any]:
    key, ticker, interval, source, ts, body = row
    document: dict[str, Any] = {"_id": key}
    if ticker is not None:
        document["ticker"] = ticker
    if interval is not None:
        document["interval"] = interval
    if source is not None:
        document["source"] = source
    document["ts"] = _EPOCH + timedelta(microseconds=ts)
    document.update(_DECODER.decode(body))
    return document
