"""The store on MongoDB 4.2 or later, through motor; nothing outside this room imports that or pymongo."""

import logging
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from bson.codec_options import CodecOptions, DatetimeConversion
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
)
from pymongo.uri_parser import parse_uri

from pipeline.model.bar_table import BarTable
from pipeline.model.documents import COLLECTIONS, Document, series_key
from pipeline.store.bars import scanned_bars
from pipeline.store.base import SCANNED_AT_ONCE, Query, StoreError, UpsertResult
from pipeline.store.mongo.documents import (
    BESIDE_THE_BODY,
    after,
    document_of,
    encode,
    filter_of,
    indexes_of,
    is_ours,
)
from pipeline.store.mongo.failures import (
    DUPLICATE_KEY,
    REFUSALS,
    REFUSED,
    advice,
    code_of,
    is_of_key,
    reason_of,
    refused_by_tls,
)
from pipeline.system.addresses import mongodb_options
from pipeline.system.tls import check_files

log = logging.getLogger(__name__)

DEFAULT_DATABASE: Final = "fintrends"
POOL_SIZE: Final = 8

_CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    tz_aware=True,
    tzinfo=UTC,
    # Of the documents that others put there, one that cannot be read as it is must not hide the rest.
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)

_FORMAT: Final = 2
_FORMATS: Final = "fintrends_formats"
"""The collection that says which format the others have; where it says nothing, they may be of the first."""
_KEYED_WITHOUT_SOURCE: Final = r"^[^|]*\|[^|]*\|[^|]*$"
_RENAMED_AT_ONCE: Final = 100
_SIMULATED: Final = {"simulated": True}
_FORM: Final = "mongodb://[USER:PASSWORD@]HOST[:PORT][/DATABASE], user and password percent-encoded"

_SAME_INDEX: Final = 85
"""There is an index of these keys already, under another name."""
_IN_ORDER: Final = {"ts": {"$type": "date"}, "_id": {"$type": "string"}}
"""What a scan can be gone on with from: of other types, which only others write, nothing is greater or less."""
_NOT_OURS: Final = {"version": {"$not": {"$type": "string"}}}

_Collection = AsyncIOMotorCollection[dict[str, Any]]


def check_uri(uri: str) -> None:
    """Whether the driver takes the URI, and the files it names can be used. No name is looked up.

    What the driver only warns of, and then goes on without, is refused: a mistyped `tls` would be no TLS.

    Raises:
        ValueError: with what is wrong, and no part of a password.
    """
    options = {name.lower(): value for name, value in mongodb_options(uri)}
    names = ("tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile")
    ca, pair, _ = (f"mongodb.uri: {name}" for name in names)
    given = [options.get(name.lower(), "") for name in names]
    if "tlscertificatekeyfilepassword" not in options:
        check_files(given[0], given[1], "", (ca, pair, pair))
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            parse_uri(uri.replace("mongodb+srv://", "mongodb://", 1))
    except InvalidURI as error:  # whose text may hold a part of a misplaced password
        raise ValueError(f"mongodb.uri cannot be read; it has the form {_FORM}") from error
    except (OSError, ConfigurationError, ValueError) as error:
        raise ValueError(f"mongodb.uri cannot be used: {error}") from error
    if found := [str(w.message) for w in warned if not str(w.message).startswith("Wire protocol compression")]:
        raise ValueError(f"mongodb.uri cannot be used: {found[0]}")


class MongoStore:
    """Collections in the database that the URI names, else in `fintrends`; those of a namespace in one beside it, which
    has its name as well (`fintrends_simulated`).

    Documents of the other origin, which versions before namespaces may have left there, are not found: simulated ones
    unless `only_simulated`, else real ones.

    Writes are acknowledged when a majority has them in its journal. Reads and writes that fail for a lost connection
    are tried once more by the driver. BSON dates have milliseconds, to which `ts` is rounded down.

    `timeout` bounds every call, in seconds. Opened `read_only` it creates no collections and no indexes, so that a
    user with the role read is enough for look-ups.
    """

    def __init__(
        self,
        uri: str,
        *,
        namespace: str = "",
        only_simulated: bool = False,
        timeout: float = 10.0,
        read_only: bool = False,
    ) -> None:
        self._uri = uri
        self._namespace = namespace
        self._only_simulated = only_simulated
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
        except OSError as error:
            raise StoreError(f"a TLS file of the MongoDB URI cannot be used: {error}", permanent=True) from error
        except (InvalidURI, ValueError) as error:  # whose text may hold a part of a misplaced password
            raise StoreError(f"the MongoDB URI cannot be read; it has the form {_FORM}", permanent=True) from error
        except ConfigurationError as error:
            # Of a mongodb+srv URI whose name cannot be looked up just now; the cause is an error of the resolver.
            away = error.__cause__ is not None
            raise StoreError(f"the MongoDB URI cannot be used: {error}", permanent=not away) from error
        self._client = client
        try:
            async with self._errors("open"):
                await self._database.command("ping")
                for name in () if self._read_only else COLLECTIONS:
                    for index in indexes_of(name):
                        await self._make_index(name, index)
                if not self._read_only:
                    await self._bring_up_to_date()
        except BaseException:
            await self.close()
            raise

    async def _make_index(self, collection: str, index: IndexModel) -> None:
        """An index makes look-ups fast, and is no condition for anything."""
        try:
            await self._database[collection].create_indexes([index])
        except OperationFailure as error:
            if error.code == _SAME_INDEX:
                why = "one of the same keys has another name, and serves as well"
            else:
                why = f"{advice(error)}; look-ups may be slow"
            log.warning("%s: the index %s of %s is not made: %s", self._name, index.document["name"], collection, why)

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
                encoded.append((document, encode(document)))
            except (BSONError, TypeError, ValueError, OverflowError, RecursionError) as error:
                rejected.append((document, f"it cannot be stored: {error}"))
        written, refused = await self._replace(target, encoded, upsert=True)
        # Kept out by a document of the same key: one as new or newer, or an older one that another writer put there in
        # between. The document is there now, so that a plain replacement distinguishes the two.
        contested = [encoded[index] for index, failure in refused if is_of_key(failure)]
        rejected += [(encoded[index][0], reason_of(failure)) for index, failure in refused if not is_of_key(failure)]
        overtaken, refused = await self._replace(target, contested, upsert=False)
        rejected += [(contested[index][0], reason_of(failure)) for index, failure in refused]
        written += overtaken
        if overtaken + len(refused) < len(contested):
            foreign = await self._foreign(target, [document.id for document, _ in contested])
            reason = "a document that this pipeline did not write has the same key"
            rejected += [(document, reason) for document, _ in contested if document.id in foreign]
        return UpsertResult(written, len(documents) - written - len(rejected), rejected)

    async def delete(self, collection: str, keys: Sequence[str]) -> int:
        async with self._errors("delete from"):
            result = await self._collection(collection).delete_many({"_id": {"$in": list(keys)}})
        return int(result.deleted_count)

    async def find(self, query: Query) -> list[dict[str, Any]]:
        if query.last == 0:
            return []
        found = await self._found(query.collection, self._wanted(query), DESCENDING, query.last or 0)
        found.reverse()
        return found

    async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
        # Each part is a query of its own: a cursor would be given up by the server where its reader takes its time.
        wanted = {"$and": [self._wanted(query), _IN_ORDER]}
        left = query.last
        start: list[dict[str, Any]] = []
        if left:
            start = await self._found(query.collection, wanted, DESCENDING, 1, skip=left - 1)
        place = after(start[0], "$gte") if start else {}
        while left is None or left > 0:
            size = SCANNED_AT_ONCE if left is None else min(left, SCANNED_AT_ONCE)
            part = await self._found(query.collection, {"$and": [wanted, place]}, ASCENDING, size)
            if part:
                yield part
            if len(part) < size:
                return
            left = None if left is None else left - size
            place = after(part[-1], "$gt")

    def _wanted(self, query: Query) -> dict[str, Any]:
        """The filter that finds the query's documents: of this store's origin, whatever an earlier version mixed."""
        return {"simulated": True if self._only_simulated else {"$ne": True}} | filter_of(query)

    async def _found(
        self, collection: str, wanted: Mapping[str, Any], order: int, limit: int, *, skip: int = 0
    ) -> list[dict[str, Any]]:
        """In that order of time; a limit of 0 is none."""
        async with self._errors("read from"):
            cursor = self._collection(collection).find(wanted, {"version": 0})
            cursor = cursor.sort([("ts", order), ("_id", order)]).skip(skip).limit(limit)
            found: list[dict[str, Any]] = await cursor.to_list(None)
        return found

    def bars(self, query: Query, *, simulated: bool) -> AsyncIterator[BarTable]:
        return scanned_bars(self, query, simulated=simulated)

    async def count(self, query: Query) -> int:
        async with self._errors("count"):
            found: int = await self._collection(query.collection).count_documents(self._wanted(query))
        return found if query.last is None else min(found, query.last)

    async def counts(self) -> dict[str, int]:
        async with self._errors("count"):
            return {name: await self._database[name].estimated_document_count() for name in COLLECTIONS}

    async def count_simulated(self) -> int:
        """How many documents are simulated, in all collections; each is looked at."""
        async with self._errors("count"):
            counts = [await self._database[name].count_documents(_SIMULATED) for name in COLLECTIONS]
        return sum(counts)

    async def take_simulated(self) -> AsyncIterator[tuple[str, list[Document]]]:
        """Hand out what is simulated, by collection, and delete it once it was taken care of: after each step."""
        for name in COLLECTIONS:
            while True:
                async with self._errors("read from"):
                    found = await self._database[name].find(_SIMULATED).limit(_RENAMED_AT_ONCE).to_list(None)
                if not found:
                    break
                yield name, [document_of(name, document) for document in found]
                async with self._errors("write to"):
                    await self._database[name].delete_many({"_id": {"$in": [document["_id"] for document in found]}})

    async def server_time(self) -> datetime:
        """What the server's clock says."""
        async with self._errors("ask"):
            answer = await self._database.command("hello", codec_options=_CODEC)
        time: datetime = answer["localTime"]
        return time

    async def _bring_up_to_date(self) -> None:
        """Put the source into the keys that lack it, as `pipeline.store.embedded.formats` does. If it is stopped
        half-way, it goes on at the next start; two that do it at once do no harm."""
        formats = self._database[_FORMATS]
        if await formats.find_one({"_id": "format", "number": {"$gte": _FORMAT}}):
            return
        for name in ("stock_data", "indicators", "economic"):
            last = ""
            while found := await self._keyed_without_source(name, last):
                last = found[-1]["_id"]
                old = [document for document in found if is_ours(document)]
                log.info("%s: putting the source into the keys of %d documents of %s", self._name, len(old), name)
                renamed = {document["_id"]: await self._renamed(name, document) for document in old}
                result = await self.upsert(name, [new for new in renamed.values() if new is not None])
                for document, reason in result.rejected:
                    log.warning("%s: %s of %s stays as it is: %s", self._name, document.id, name, reason)
                refused = {document.id for document, _ in result.rejected}
                done = [key for key, new in renamed.items() if new is None or new.id not in refused]
                await self._database[name].delete_many({"_id": {"$in": done}})
        await formats.update_one({"_id": "format"}, {"$set": {"number": _FORMAT}}, upsert=True)

    async def _keyed_without_source(self, collection: str, after: str) -> list[dict[str, Any]]:
        """Some of the documents whose keys lack it, in the order of their keys."""
        wanted = {"_id": {"$regex": _KEYED_WITHOUT_SOURCE, "$gt": after}}
        cursor = self._database[collection].find(wanted).sort("_id", ASCENDING).limit(_RENAMED_AT_ONCE)
        found: list[dict[str, Any]] = await cursor.to_list(None)
        return found

    async def _renamed(self, collection: str, old: dict[str, Any]) -> Document | None:
        """The document under its key of today; None for a row of indicators that may mix bars of several sources."""
        body = {key: value for key, value in old.items() if key not in BESIDE_THE_BODY}
        ticker, interval, source = old.get("ticker"), old.get("interval"), old.get("source")
        if collection == "indicators":
            sources = await self._database["stock_data"].distinct("source", {"ticker": ticker, "interval": interval})
            if len(sources) > 1:
                return None
            source = sources[0] if sources else "unknown"
        name, interval_in_key, stamped = old["_id"].split("|")
        key = series_key(name, interval_in_key, source or "unknown", stamped)
        return Document(collection, key, old.get("version", ""), old["ts"], body, ticker, interval, source)

    @property
    def _name(self) -> str:
        return self.description.replace("mongodb ", "MongoDB at ", 1)

    @property
    def database(self) -> str:
        """The name of the database; that of the URI stands after the hosts."""
        path = self._uri.rpartition("://")[2].partition("/")[2].partition("?")[0]
        name = unquote(path).partition(".")[0] or DEFAULT_DATABASE
        return f"{name}_{self._namespace}" if self._namespace else name

    @property
    def _database(self) -> AsyncIOMotorDatabase[dict[str, Any]]:
        if self._client is None:
            raise StoreError(f"{self._name} is not open")
        return self._client.get_database(self.database, codec_options=_CODEC)

    def _collection(self, name: str) -> _Collection:
        if name not in COLLECTIONS:
            raise StoreError(f"there is no collection {name!r}; the collections are {', '.join(COLLECTIONS)}")
        return self._database[name]

    async def _foreign(self, target: _Collection, keys: Sequence[str]) -> set[str]:
        """Those of the keys that a foreign document has."""
        async with self._errors("read from"):
            found = await target.find({"_id": {"$in": list(keys)}, **_NOT_OURS}, {"_id": 1}).to_list(None)
        return {document["_id"] for document in found}

    async def _replace(
        self, target: _Collection, encoded: Sequence[tuple[Document, RawBSONDocument]], *, upsert: bool
    ) -> tuple[int, list[tuple[int, Mapping[str, Any]]]]:
        """Replace what is older; return how many were written, and for those refused their index and the answer."""
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
                if any(failure["code"] not in {*REFUSED, DUPLICATE_KEY} for failure in result["writeErrors"]):
                    raise
        refused = [(failure["index"], failure) for failure in result["writeErrors"]]
        return result["nModified"] + result["nUpserted"], refused

    @asynccontextmanager
    async def _errors(self, doing: str) -> AsyncIterator[None]:
        """Turn the driver's errors into `StoreError`."""
        try:
            yield
        except PyMongoError as error:
            what = f"cannot {doing} {self._name}: {advice(error)}"
            permanent = code_of(error) in REFUSALS or refused_by_tls(error) is not None
            raise StoreError(what, permanent=permanent) from error
