"""The embedded store: collections of documents in one SQLite file."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.documents import COLLECTIONS, Document
from pipeline.sqlite import Database
from pipeline.store.base import Query, StoreError, UpsertResult

_VERSION: Final = 1

# A table per collection writes a little faster than one for all (2 to 4 % less CPU a document), and its `seq` counts:
# rows are never deleted, and an upsert that updates takes no number. Documents in the order of their keys (WITHOUT
# ROWID) would cost 7 to 15 % more CPU and a fifth more disk. `ts` is in microseconds since the epoch, `body` is JSON.
_TABLE: Final = """
CREATE TABLE {0} (
    seq INTEGER PRIMARY KEY,
    _id TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    ticker TEXT,
    interval TEXT,
    ts INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX {0}_by_interval ON {0} (ticker, interval, ts) WHERE interval IS NOT NULL;
CREATE INDEX {0}_by_ticker ON {0} (ticker, ts);
CREATE INDEX {0}_by_ts ON {0} (ts)
"""
_SCHEMA: Final = ";".join(_TABLE.format(collection) for collection in COLLECTIONS)

_UPSERT: Final = {
    collection: f"""
        INSERT INTO {collection} (_id, version, ticker, interval, ts, body) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (_id) DO UPDATE SET
            version = excluded.version, ticker = excluded.ticker, interval = excluded.interval,
            ts = excluded.ts, body = excluded.body
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

_Row = tuple[str, str, str | None, str | None, int, bytes]


class EmbeddedStore:
    """Fills the port `Store`.

    Every write reaches the disk before it is acknowledged (synchronous FULL), while the bus leaves the moment to the
    operating system (NORMAL): after a power cut the bus may have forgotten what the store has, and delivers or
    fetches it again; it never remembers a commit whose documents are lost. A process that is killed loses nothing.

    Bodies are JSON: a datetime in a body comes back as ISO text, a number that is not finite as None.
    """

    description = "embedded"

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._database = Database(
            path, schema=_SCHEMA, version=_VERSION, synchronous="FULL", error=StoreError, read_only=read_only
        )

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def upsert(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        statement = _UPSERT[_known(collection)]
        return await self._database.write(partial(_upsert, statement, documents))

    async def find(self, query: Query) -> list[dict[str, Any]]:
        statement, values = _select(query)
        return await self._database.read(partial(_find, statement, values))

    async def counts(self) -> dict[str, int]:
        return await self._database.read(lambda connection: dict(connection.execute(_COUNT).fetchall()))


def _known(collection: str) -> str:
    if collection not in COLLECTIONS:
        raise StoreError(f"there is no collection {collection!r}; there are {', '.join(COLLECTIONS)}")
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


def _row(document: Document) -> _Row:
    # SQLite takes no lone surrogates, and would refuse the whole batch for one.
    f"{document.id}{document.version}{document.ticker}{document.interval}".encode()
    return (
        document.id,
        document.version,
        document.ticker,
        document.interval,
        _microseconds(document.ts),
        _ENCODER.encode(document.body),
    )


def _microseconds(ts: datetime) -> int:
    return (ts - _EPOCH) // _MICROSECOND


def _select(query: Query) -> tuple[str, list[Any]]:
    """The statement that finds the newest first, and its values."""
    conditions: list[tuple[str, Any]] = []
    if query.ticker is not None:
        conditions.append(("ticker = ?", query.ticker))
    if query.interval is not None:
        conditions.append(("interval = ?", query.interval))
    if query.since is not None:
        conditions.append(("ts >= ?", _microseconds(query.since)))
    if query.until is not None:
        conditions.append(("ts < ?", _microseconds(query.until)))
    where = f"WHERE {' AND '.join(text for text, _ in conditions)}" if conditions else ""
    statement = (
        f"SELECT _id, ticker, interval, ts, body FROM {_known(query.collection)} {where} "  # noqa: S608 - constants
        "ORDER BY ts DESC, _id DESC LIMIT ?"
    )
    return statement, [*(value for _, value in conditions), -1 if query.last is None else query.last]


def _find(statement: str, values: Sequence[Any], connection: sqlite3.Connection) -> list[dict[str, Any]]:
    found = [_document(row) for row in connection.execute(statement, values)]
    found.reverse()
    return found


def _document(row: tuple[str, str | None, str | None, int, bytes]) -> dict[str, Any]:
    key, ticker, interval, ts, body = row
    document: dict[str, Any] = {"_id": key}
    if ticker is not None:
        document["ticker"] = ticker
    if interval is not None:
        document["interval"] = interval
    document["ts"] = _EPOCH + timedelta(microseconds=ts)
    document.update(_DECODER.decode(body))
    return document
