"""The store on a real server: what it refuses, what it survives, who wins."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from bson import Decimal128
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

from pipeline.model.documents import Document
from pipeline.ops.query import write
from pipeline.store.base import Query, StoreError, UpsertResult
from pipeline.store.mongo.documents import MAX_DOCUMENT_BYTES
from pipeline.store.mongo.store import MongoStore
from testkit.data import NEW_YORK
from testkit.engines.mongo import MongoServer
from testkit.engines.process import free_port
from tests.integration.support import PATIENCE

START = datetime(2019, 2, 15, 14, 30, tzinfo=UTC)


@pytest.fixture
def database(mongo_uri: str) -> str:
    """The URI of a database of the test's own."""
    return f"{mongo_uri}/test_{uuid4().hex[:12]}"


@asynccontextmanager
async def opened(uri: str, *, timeout: float = 5.0) -> AsyncIterator[MongoStore]:  # noqa: ASYNC109
    store = MongoStore(uri, timeout=timeout)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def bar(number: int, version: str = "1", **body: object) -> Document:
    ts = START + timedelta(minutes=number)
    return Document("stock_data", f"AAPL|1min|{number:05}", version, ts, {"n": number, **body}, "AAPL", "1min")


async def values(store: MongoStore) -> dict[int, object]:
    return {found["n"]: found.get("value") for found in await store.find(Query("stock_data", "AAPL"))}


class TestFirstFormat:
    """Keys had no source; documents are renamed at the first start."""

    @pytest.fixture
    async def old(self, database: str) -> AsyncIterator[AsyncIOMotorDatabase[dict[str, Any]]]:
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(database)
        db = client.get_default_database()
        yield db
        client.close()

    @staticmethod
    def stored(key: str, ticker: str, minute: int, source: str | None = None, **body: object) -> dict[str, Any]:
        ts = START + timedelta(minutes=minute)
        beside = {} if source is None else {"source": source}
        return {"_id": key, "version": "1", "ticker": ticker, "interval": "1min", "ts": ts} | beside | body

    async def test_keys_get_their_source(self, database: str, old: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        bars = [self.stored(f"AAPL|1min|{n:05}", "AAPL", n, "replay", close=n) for n in range(1200)]
        mixed = [self.stored(f"MSFT|1min|{n}", "MSFT", n, source) for n, source in enumerate(("a", "b"))]
        await old.stock_data.insert_many(bars + mixed)
        rows = [self.stored(f"{t}|1min|{n}", t, n, close=1) for t in ("AAPL", "MSFT", "TSLA") for n in range(2)]
        await old.indicators.insert_many(rows)
        await old.economic.insert_one(
            {"_id": "CPI|monthly|x", "version": "1", "series": "CPI", "interval": "monthly", "ts": START, "source": "s"}
        )
        for _ in range(2):  # the second start finds nothing to do
            async with opened(database) as store:
                found = await store.find(Query("stock_data", "AAPL"))
                assert [d["_id"] for d in found] == [f"AAPL|1min|replay|{n:05}" for n in range(1200)]
                assert [d["close"] for d in found] == [*range(1200)]
                assert len(await store.find(Query("stock_data", "MSFT", source="b"))) == 1
                # What may have been computed over bars of two sources is gone, to be computed anew.
                assert [d["_id"] for d in await store.find(Query("indicators"))] == [
                    "AAPL|1min|replay|0", "TSLA|1min|unknown|0", "AAPL|1min|replay|1", "TSLA|1min|unknown|1",
                ]  # fmt: skip
                (point,) = await store.find(Query("economic"))
                assert (point["_id"], point["series"]) == ("CPI|monthly|s|x", "CPI")

    async def test_stopped_half_way_it_goes_on(self, database: str, old: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        """One document renamed and not yet deleted, one only of the old key, one only of the new."""
        keys = ["AAPL|1min|0", "AAPL|1min|replay|0", "AAPL|1min|1", "AAPL|1min|replay|2"]
        await old.stock_data.insert_many([self.stored(key, "AAPL", int(key[-1]), "replay") for key in keys])
        async with opened(database) as store:
            found = await store.find(Query("stock_data"))
        assert [d["_id"] for d in found] == [f"AAPL|1min|replay|{n}" for n in range(3)]


async def test_a_server_killed_and_restarted_keeps_what_it_acknowledged(
    mongo_server: MongoServer, database: str
) -> None:
    async with opened(database, timeout=2) as store:
        await store.upsert("stock_data", [bar(n) for n in range(50)])
        mongo_server.kill()
        with pytest.raises(StoreError, match=r"MongoDB at 127\.0\.0\.1:\d+: .*(connection|running)"):
            await store.upsert("stock_data", [bar(50)])
        with pytest.raises(StoreError):
            await store.counts()
        await asyncio.to_thread(mongo_server.start)
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    result = await store.upsert("stock_data", [bar(n) for n in range(60)])
                    break
                except StoreError:
                    continue
        # Fewer than ten are new if an attempt before was made and its answer lost.
        assert result == UpsertResult(result.written, 60 - result.written) and result.written <= 10
        assert sorted(await values(store)) == list(range(60))


async def test_a_server_that_hangs_is_given_up_in_time(mongo_server: MongoServer, database: str) -> None:
    async with opened(database, timeout=2) as store:
        mongo_server.freeze()
        try:
            started = time.monotonic()
            with pytest.raises(StoreError, match="is it running"):
                await store.upsert("stock_data", [bar(1)])
            assert time.monotonic() - started < 20  # the driver would wait for 30
        finally:
            mongo_server.thaw()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await store.upsert("stock_data", [bar(1)])
                    assert 1 in await values(store)
                    break
                except StoreError:
                    continue  # the server is still waking up


async def test_a_server_that_is_down_is_told_in_time() -> None:
    store = MongoStore(f"mongodb://127.0.0.1:{free_port()}", timeout=1)
    started = time.monotonic()
    with pytest.raises(StoreError, match=r"cannot open MongoDB at 127\.0\.0\.1:.*is it running"):
        await store.open()
    assert time.monotonic() - started < 20
    await store.close()


async def test_documents_that_cannot_be_stored_are_refused_and_the_others_written(database: str) -> None:
    async with opened(database) as store:
        large, wide, good = bar(1, text="x" * MAX_DOCUMENT_BYTES), bar(2, volume=1 << 70), bar(3)
        result = await store.upsert("stock_data", [large, wide, good])
        assert (result.written, result.unchanged) == (1, 0)
        assert [document for document, _ in result.rejected] == [large, wide]
        assert "MongoDB takes 16,777,216" in result.rejected[0][1]
        assert all(reason.startswith("it cannot be stored") for _, reason in result.rejected)
        assert list(await values(store)) == [3]


async def test_wrong_credentials_are_named_but_not_repeated(mongo_uri: str) -> None:
    store = MongoStore(mongo_uri.replace("mongodb://", "mongodb://analyst:hunter2@"), timeout=5)
    with pytest.raises(StoreError, match="refuses the user name or password") as caught:
        await store.open()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in store.description


@pytest.mark.parametrize(
    ("uri", "description"),
    [
        ("mongodb://localhost:27017", "mongodb localhost:27017"),
        ("mongodb://u:p%40ss@a:1,b:2/db?replicaSet=r", "mongodb a:1,b:2"),
        ("mongodb+srv://u:p@cluster0.example.net/?w=1", "mongodb cluster0.example.net"),
        ("localhost:27017", "mongodb localhost:27017"),
    ],
)
def test_the_description_holds_no_credentials(uri: str, description: str) -> None:
    assert MongoStore(uri).description == description


@pytest.mark.parametrize("uri", ["mongodb://user:pa@ss@host:hunter2", "mongodb://user:hunter2", "http://hunter2"])
async def test_a_uri_that_cannot_be_read_says_what_one_looks_like(uri: str) -> None:
    with pytest.raises(StoreError, match="has the form mongodb://") as caught:
        await MongoStore(uri).open()
    assert "hunter2" not in str(caught.value)


async def test_of_writers_at_the_same_moment_the_greatest_version_wins(database: str) -> None:
    async with opened(database) as one, opened(database) as other:
        batches = [[bar(n, f"{(n * 7 + v * 3) % 10}{v}", value=v) for n in range(60)] for v in range(6)]
        results = await asyncio.gather(
            *((one if v % 2 else other).upsert("stock_data", batch) for v, batch in enumerate(batches))
        )
        greatest = {n: max(range(6), key=lambda v: f"{(n * 7 + v * 3) % 10}{v}") for n in range(60)}
        assert await values(one) == greatest
        assert all(result.written + result.unchanged == 60 and not result.rejected for result in results)
        repeated = await asyncio.gather(*(one.upsert("stock_data", batch) for batch in batches))
        assert repeated == [UpsertResult(0, 60)] * 6


async def test_opening_twice_finds_everything_in_place(database: str) -> None:
    async with opened(database) as store:
        await store.upsert("stock_data", [bar(1, value=None)])
    async with opened(database) as store:
        (found,) = await store.find(Query("stock_data", "AAPL", "1min", last=1))
        assert found == {
            "_id": "AAPL|1min|00001",
            "ticker": "AAPL",
            "interval": "1min",
            "ts": START + timedelta(minutes=1),
            "n": 1,
            "value": None,
        }
        assert found["ts"].tzinfo is UTC


@pytest.fixture
async def raw(database: str) -> AsyncIterator[AsyncIOMotorDatabase[dict[str, Any]]]:
    """The database as its owner sees it."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(database)
    yield client.get_default_database()
    client.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "by_time"}, "one of the same keys has another name"),
        ({"unique": True}, "look-ups may be slow"),
        ({"sparse": True}, "look-ups may be slow"),
    ],
)
async def test_an_index_of_the_owner_is_no_hindrance(
    database: str,
    raw: "AsyncIOMotorDatabase[dict[str, Any]]",
    options: dict[str, Any],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await raw.stock_data.create_index([("ts", 1), ("_id", 1)], **options)
    async with opened(database) as store:
        await store.upsert("stock_data", [bar(1)])
        assert list(await values(store)) == [1]
    assert said in caplog.text and "the index ts_1__id_1 of stock_data is not made" in caplog.text
    made = await raw.stock_data.index_information()
    assert "ticker_1_ts_1__id_1" in made, "the others are"


async def test_what_the_owner_s_rules_refuse_is_told_from_an_upsert_of_the_same_key(
    database: str, raw: "AsyncIOMotorDatabase[dict[str, Any]]"
) -> None:
    await raw.stock_data.create_index([("serial", 1)], unique=True, sparse=True, name="one_serial")
    async with opened(database) as store:
        first = await store.upsert("stock_data", [bar(1, serial=7), bar(2, serial=8), bar(3)])
        assert (first.written, first.rejected) == (3, [])
        # New under another's serial; changed to another's serial; as it was; newer.
        batch = [bar(4, serial=7), bar(2, "2", serial=7), bar(3), bar(1, "2", serial=7)]
        result = await store.upsert("stock_data", batch)
        assert (result.written, result.unchanged) == (1, 1)
        assert [document for document, _ in result.rejected] == batch[:2]
        assert {reason for _, reason in result.rejected} == {
            "another document has the same values in the unique index one_serial (serial)"
        }


async def test_what_a_validator_refuses_says_why(database: str, raw: "AsyncIOMotorDatabase[dict[str, Any]]") -> None:
    await raw.create_collection("stock_data", validator={"$jsonSchema": {"required": ["exchange"]}})
    async with opened(database) as store:
        result = await store.upsert("stock_data", [bar(1), bar(2, exchange="NYSE")])
        ((refused, reason),) = result.rejected
        assert (refused, result.written) == (bar(1), 1)
        assert "failed validation (code 121)" in reason and "exchange" in reason


async def test_documents_of_others_hide_nothing(
    database: str, raw: "AsyncIOMotorDatabase[dict[str, Any]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.mongo.store.SCANNED_AT_ONCE", 1)
    foreign: list[dict[str, Any]] = [
        {"ticker": "AAPL"},
        {"ticker": "AAPL", "interval": "1min", "ts": "2019-02-15", "close": "1"},
        {"_id": "AAPL|1min|old", "ticker": "AAPL", "ts": START, "version": 3},
        {"_id": 7, "ticker": "AAPL", "ts": START + timedelta(minutes=1), "n": 5, "price": Decimal128("1")},
    ]
    await raw.stock_data.insert_many(foreign)
    async with opened(database) as store:
        assert (await store.upsert("stock_data", [bar(1), bar(2)])).written == 2
        found = await store.find(Query("stock_data", "AAPL"))
        assert len(found) == 6
        assert (await store.counts())["stock_data"] == 6
        scanned = [document["_id"] async for part in store.scan(Query("stock_data", "AAPL")) for document in part]
        assert scanned == ["AAPL|1min|old", bar(1).id, bar(2).id]
        out = io.StringIO()
        for form in ("json", "csv", "table"):
            write(found, form, NEW_YORK, out)  # type: ignore[arg-type]
        assert out.getvalue().count("AAPL|1min|00002") == 2  # tables show no keys


async def test_a_document_of_another_under_our_key_is_left_alone_and_told(
    database: str, raw: "AsyncIOMotorDatabase[dict[str, Any]]"
) -> None:
    theirs: list[dict[str, Any]] = [
        {"_id": bar(1).id, "mine": True},
        {"_id": bar(2).id, "version": 99},
        {"_id": bar(3).id, "version": None},
    ]
    await raw.stock_data.insert_many(theirs)
    async with opened(database) as store:
        result = await store.upsert("stock_data", [bar(n) for n in range(5)])
        assert (result.written, result.unchanged) == (2, 0)
        assert [document for document, _ in result.rejected] == [bar(1), bar(2), bar(3)]
        assert all("did not write" in reason for _, reason in result.rejected)
        assert await store.upsert("stock_data", [bar(0)]) == UpsertResult(0, 1)
    assert [document async for document in raw.stock_data.find({"_id": {"$in": [d["_id"] for d in theirs]}})] == theirs


async def test_documents_of_others_do_not_hinder_a_change_of_keys(
    database: str, raw: "AsyncIOMotorDatabase[dict[str, Any]]"
) -> None:
    ours = {"_id": "AAPL|1min|2019-02-15T14:30:00Z", "version": "1", "ts": START, "ticker": "AAPL", "interval": "1min"}
    theirs = [{"_id": "a|b|c"}, {"_id": "b|c|d", "ts": "now", "version": "1"}, {"_id": "c|d|e", "ts": START}]
    await raw.stock_data.insert_many([ours | {"source": "replay"}, *theirs])
    for _ in range(2):
        async with opened(database):
            pass
    assert {document["_id"] async for document in raw.stock_data.find()} == {
        "AAPL|1min|replay|2019-02-15T14:30:00Z", "a|b|c", "b|c|d", "c|d|e",
    }  # fmt: skip
