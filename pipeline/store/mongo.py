"""The store on MongoDB 4.2 or later, through motor; nothing else imports that or pymongo."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from pipeline.documents import COLLECTIONS, Document
from pipeline.store.base import Query, StoreError, UpsertResult

DEFAULT_DATABASE: Final = "fintrends"
POOL_SIZE: Final = 8
MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024

_CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(tz_aware=True, tzinfo=UTC)
_WITH_INTERVAL: Final = frozenset({"stock_data", "indicators"})
_ORDER: Final = (("ts", ASCENDING), ("_id", ASCENDING))

_DUPLICATE_KEY: Final = 11000
_REFUSED: Final = frozenset(
    {
        2,  # BadValue
        9,  # FailedToParse
        14,  # TypeMismatch
        52,  # DollarPrefixedFieldName
        55,  # InvalidDBRef
        121,  # DocumentValidationFailure
        171,  # CannotIndexParallelArrays
        10334,  # BSONObjectTooLarge
        17280,  # KeyTooLong
        17419,  # too large after the update
        17420,  # too large for an upsert
    }
)
"""Errors that are about the document itself, so that no second try would go better. All others are the server's."""
_ADVICE: Final[Mapping[int, str]] = {
    8000: "it refuses the user name or password; check the URI and its authSource",  # Atlas
    13: "this user may not do that; grant it the role readWrite on the database",
    18: "it refuses the user name or password; check the URI and its authSource",
    14031: "its disk is full; make room there",
}

_Collection = AsyncIOMotorCollection[dict[str, Any]]


class MongoStore:
    """Collections in the database that the URI names, else in `fintrends`.

    Writes are acknowledged when a majority has them in its journal. Reads and writes that fail for a lost connection
    are tried once more by the driver. BSON dates have milliseconds, to which `ts` is rounded down.

    `timeout` bounds every call, in seconds. Opened `read_only` it creates no collections and no indexes, so that a
    user with the role read is enough for look-ups.
    """

    def __init__(self, uri: str, *, timeout: float = 10.0, read_only: bool = False) -> None:
        self._uri = uri
        self._timeout = timeout
        self._read_only = read_only
        self._client: AsyncIOMotorClient[dict[str, Any]] | None = None

    @property
    def description(self) -> str:
        hosts = self._uri.rpartition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
        return f"mongodb {hosts}"

    async def open(self) -> None:
        milliseconds = round(self._timeout * 1000)
        try:
            client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
                self._uri,
                appname="fintrends-tui",
                timeoutMS=milliseconds,
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                maxPoolSize=POOL_SIZE,
                retryReads=True,
                retryWrites=True,
                w="majority",
                journal=True,
            )
        except (InvalidURI, ValueError) as error:  # whose text may hold a part of a misplaced password
            form = "mongodb://[USER:PASSWORD@]HOST[:PORT][/DATABASE], user and password percent-encoded"
            raise StoreError(f"the MongoDB URI cannot be read; it has the form {form}") from error
        except ConfigurationError as error:
            raise StoreError(f"the MongoDB URI cannot be used: {error}") from error
        self._client = client
        try:
            async with self._errors("open"):
                await self._database.command("ping")
                for name in () if self._read_only else COLLECTIONS:
                    await self._database[name].create_indexes(_indexes(name))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def upsert(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        target = self._collection(collection)
        rejected: list[tuple[Document, str]] = []
        encoded: list[tuple[Document, RawBSONDocument]] = []
        for document in documents:
            try:
                encoded.append((document, _encode(document)))
            except (BSONError, TypeError, ValueError, OverflowError, RecursionError) as error:
                rejected.append((document, f"it cannot be stored: {error}"))
        written, refused = await self._replace(target, encoded, upsert=True)
        # Kept out by a document of the same key: one as new or newer, or an older one that another writer put there
        # in between. The document is there now, so that a plain replacement tells the two apart.
        contested = [encoded[index] for index, code, _ in refused if code == _DUPLICATE_KEY]
        rejected += [(encoded[index][0], reason) for index, code, reason in refused if code != _DUPLICATE_KEY]
        overtaken, refused = await self._replace(target, contested, upsert=False)
        rejected += [(contested[index][0], reason) for index, _, reason in refused]
        written += overtaken
        return UpsertResult(written, len(documents) - written - len(rejected), rejected)

    async def find(self, query: Query) -> list[dict[str, Any]]:
        wanted: dict[str, Any] = {}
        if query.ticker is not None:
            wanted["ticker"] = query.ticker
        if query.interval is not None:
            wanted["interval"] = query.interval
        span = {"$gte": query.since, "$lt": query.until}
        if bounds := {operator: ts for operator, ts in span.items() if ts is not None}:
            wanted["ts"] = bounds
        if query.last == 0:
            return []
        async with self._errors("read from"):
            cursor = self._collection(query.collection).find(wanted, {"version": 0})
            cursor = cursor.sort([("ts", DESCENDING), ("_id", DESCENDING)]).limit(query.last or 0)
            found: list[dict[str, Any]] = await cursor.to_list(None)
        found.reverse()
        return found

    async def counts(self) -> dict[str, int]:
        async with self._errors("count"):
            return {name: await self._database[name].estimated_document_count() for name in COLLECTIONS}

    async def server_time(self) -> datetime:
        """What the server's clock says."""
        async with self._errors("ask"):
            answer = await self._database.command("hello", codec_options=_CODEC)
        time: datetime = answer["localTime"]
        return time

    @property
    def _name(self) -> str:
        return self.description.replace("mongodb ", "MongoDB at ", 1)

    @property
    def _database(self) -> AsyncIOMotorDatabase[dict[str, Any]]:
        if self._client is None:
            raise StoreError(f"{self._name} is not open")
        return self._client.get_default_database(DEFAULT_DATABASE, codec_options=_CODEC)

    def _collection(self, name: str) -> _Collection:
        if name not in COLLECTIONS:
            raise StoreError(f"there is no collection {name!r}; there are {', '.join(COLLECTIONS)}")
        return self._database[name]

    async def _replace(
        self, target: _Collection, encoded: Sequence[tuple[Document, RawBSONDocument]], *, upsert: bool
    ) -> tuple[int, list[tuple[int, int, str]]]:
        """Replace what is older; return how many were written, and for those refused their index, code and reason."""
        if not encoded:
            return 0, []
        requests: list[ReplaceOne[Any]] = [
            ReplaceOne({"_id": document.id, "version": {"$lt": document.version}}, raw, upsert=upsert)
            for document, raw in encoded
        ]
        async with self._errors("write to"):
            try:
                result = (await target.bulk_write(requests, ordered=False)).bulk_api_result
            except BulkWriteError as error:
                result = dict(error.details)
                if result.get("writeConcernErrors"):
                    raise
                if any(failure["code"] not in {*_REFUSED, _DUPLICATE_KEY} for failure in result["writeErrors"]):
                    raise
        refused = [(failure["index"], failure["code"], failure["errmsg"]) for failure in result["writeErrors"]]
        return result["nModified"] + result["nUpserted"], refused

    @asynccontextmanager
    async def _errors(self, doing: str) -> AsyncIterator[None]:
        """Turn the driver's errors into `StoreError`."""
        try:
            yield
        except PyMongoError as error:
            raise StoreError(f"cannot {doing} {self._name}: {_advice(error)}") from error


def _encode(document: Document) -> RawBSONDocument:
    """The document as BSON.

    Raises:
        ValueError: if it is too large (and what `bson.encode` raises).
    """
    flat = {"_id": document.id, "version": document.version, "ticker": document.ticker, "interval": document.interval}
    raw = bson.encode({k: v for k, v in flat.items() if v is not None} | {"ts": document.ts} | document.body)
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"it has {len(raw):,} bytes, and MongoDB takes {MAX_DOCUMENT_BYTES:,}")
    return RawBSONDocument(raw)


def _indexes(collection: str) -> list[IndexModel]:
    """For the latest of a ticker (and interval) and for ranges of time; each ends as results are ordered."""
    keys = [[*_ORDER], [("ticker", ASCENDING), *_ORDER]]
    if collection in _WITH_INTERVAL:
        keys.append([("ticker", ASCENDING), ("interval", ASCENDING), *_ORDER])
    return [IndexModel(key) for key in keys]


def _advice(error: PyMongoError) -> str:
    """What to do about it. Never the whole text of an error, which repeats documents."""
    if isinstance(error, BulkWriteError):
        failures = [*error.details.get("writeErrors", ()), *error.details.get("writeConcernErrors", ())]
        first = next((f for f in failures if f["code"] not in {*_REFUSED, _DUPLICATE_KEY}), failures[0])
        return _ADVICE.get(first["code"], f"{first['errmsg']} (code {first['code']})")
    if isinstance(error, OperationFailure) and error.code is not None:
        reason = (error.details or {}).get("errmsg", "it refuses")
        return _ADVICE.get(error.code, f"{reason} (code {error.code})")
    if isinstance(error, ServerSelectionTimeoutError):
        return "there is no connection; is it running, and are address and TLS settings right?"
    if error.timeout:
        return "it did not answer in time; is it running and reachable?"
    return f"{type(error).__name__}; is it running and reachable?"
