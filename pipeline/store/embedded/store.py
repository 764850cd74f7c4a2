"""The embedded store: collections of documents in one SQLite file."""

import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import dropwhile, islice
from pathlib import Path
from typing import Any, Final

from pipeline.model.bar_table import BarTable
from pipeline.model.documents import COLLECTIONS, Document
from pipeline.model.times import moment
from pipeline.storage.sqlite import Database
from pipeline.store.base import SCANNED_AT_ONCE, Query, StoreError, UpsertResult
from pipeline.store.embedded.bars import tables
from pipeline.store.embedded.formats import MIGRATIONS
from pipeline.store.embedded.reading import Found, Reader, place_of, series_of
from pipeline.store.embedded.tables import SCHEMA, VERSION
from pipeline.store.embedded.writing import Writer

_COUNTS: Final = "SELECT collection, documents FROM counts"


class EmbeddedStore:
    """Implements the port `Store`.

    Every write reaches the disk before it is acknowledged (synchronous FULL), while the bus leaves the moment to the
    operating system (NORMAL): after a power cut the bus may have forgotten what the store has, and delivers or
    fetches it again; it never remembers a commit whose documents are lost. A process that is killed loses nothing.

    A datetime in a body comes back as ISO text. A number that is not finite comes back as None, unless it is a field of
    a message.
    """

    description = "embedded"

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._database = Database(
            path,
            schema=SCHEMA,
            version=VERSION,
            migrations=MIGRATIONS,
            synchronous="FULL",
            error=StoreError,
            read_only=read_only,
        )
        self._writer = Writer()
        self._reader = Reader()

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def upsert(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        return await self._database.write(partial(self._writer.upsert, _known(collection), documents))

    async def delete(self, collection: str, keys: Sequence[str]) -> int:
        return await self._database.write(partial(self._writer.delete, _known(collection), keys))

    async def find(self, query: Query) -> list[dict[str, Any]]:
        return await self._database.read(partial(self._find, query))

    async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
        read, left = self._database.read, query.last
        rows = await read(partial(self._rows, query))
        while left is None or left > 0:
            size = SCANNED_AT_ONCE if left is None else min(left, SCANNED_AT_ONCE)
            part = await read(partial(self._part, rows, size))
            if part:
                yield part
            if len(part) < size:
                return
            left = None if left is None else left - size

    async def bars(self, query: Query, *, simulated: bool) -> AsyncIterator[BarTable]:
        read = self._database.read
        for series in await read(partial(series_of, query)):
            parts = await read(partial(tables, self._reader, query, series, simulated=simulated))
            while part := await read(partial(_next, parts)):
                for table in part:
                    yield table

    async def count(self, query: Query) -> int:
        found = await self._database.read(partial(self._reader.count, _checked(query)))
        return found if query.last is None else min(found, query.last)

    async def counts(self) -> dict[str, int]:
        found = await self._database.read(lambda connection: dict(connection.execute(_COUNTS).fetchall()))
        return {name: found[name] for name in COLLECTIONS}

    def _find(self, query: Query, connection: sqlite3.Connection) -> list[dict[str, Any]]:
        if query.last is None:
            return self._reader.documents(self._rows(query, connection), connection)
        at_once = min(query.last, SCANNED_AT_ONCE)
        rows = self._reader.rows(_checked(query), at_once, connection, backwards=True)
        found = self._reader.documents(islice(rows, query.last), connection)
        found.reverse()
        return found

    def _rows(self, query: Query, connection: sqlite3.Connection) -> Iterator[Found]:
        """What the query finds, and with `last` what is written after it too."""
        if query.last is None:
            return self._reader.rows(_checked(query), SCANNED_AT_ONCE, connection)
        backwards = self._reader.rows(_checked(query), SCANNED_AT_ONCE, connection, backwards=True)
        first = deque(islice(backwards, query.last), maxlen=1)
        if not first:
            return iter(())
        start = place_of(first[0])
        rows = self._reader.rows(replace(query, since=moment(start[0])), SCANNED_AT_ONCE, connection)
        return dropwhile(lambda row: place_of(row) < start, rows)

    def _part(self, rows: Iterator[Found], size: int, connection: sqlite3.Connection) -> list[dict[str, Any]]:
        return self._reader.documents(islice(rows, size), connection)


def _next(parts: Iterator[list[BarTable]], _: sqlite3.Connection) -> list[BarTable] | None:
    return next(parts, None)


def _known(collection: str) -> str:
    if collection not in COLLECTIONS:
        raise StoreError(f"there is no collection {collection!r}; the collections are {', '.join(COLLECTIONS)}")
    return collection


def _checked(query: Query) -> Query:
    _known(query.collection)
    return query
