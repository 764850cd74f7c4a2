"""The store on a real server: what it refuses, what it survives, who wins."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pipeline.documents import Document
from pipeline.store.base import Query, StoreError, UpsertResult
from pipeline.store.mongo import MAX_DOCUMENT_BYTES, MongoStore
from tests.engines.mongo import MongoServer
from tests.engines.process import free_port
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


async def test_a_server_killed_and_restarted_keeps_what_it_acknowledged(
    mongo_server: MongoServer, database: str
) -> None:
    async with opened(database, timeout=4) as store:
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
    async with opened(database, timeout=3) as store:
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
