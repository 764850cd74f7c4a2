"""What only the embedded store promises; the rest is in tests/contract."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.documents import COLLECTIONS, Document
from pipeline.store.base import Query, StoreError, UpsertResult
from pipeline.store.embedded import EmbeddedStore, _select
from tests.contract.helpers import at, document, keys
from tests.unit.test_embedded_sqlite import listing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[EmbeddedStore]:
    opened = EmbeddedStore(path)
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query("stock_data", "AAPL", "1min", last=20), "stock_data_by_interval (ticker=? AND interval=?)"),
        (Query("stock_data", "AAPL", "1min"), "stock_data_by_interval (ticker=? AND interval=?)"),
        (
            Query("stock_data", "AAPL", "1min", since=at(1), until=at(2)),
            "stock_data_by_interval (ticker=? AND interval=? AND ts>? AND ts<?)",
        ),
        (Query("news", "AAPL", last=20), "news_by_ticker (ticker=?)"),
        (Query("news", "AAPL", since=at(1)), "news_by_ticker (ticker=? AND ts>?)"),
        (Query("economic", since=at(1), until=at(2)), "economic_by_ts (ts>? AND ts<?)"),
        (Query("economic", last=20), "economic_by_ts"),
        (Query("stock_data", interval="1min", since=at(1)), "stock_data_by_ts (ts>?)"),
    ],
)
async def test_finding_uses_an_index_and_sorts_only_what_is_of_one_time(
    store: EmbeddedStore, path: Path, query: Query, index: str
) -> None:
    statement, bound = _select(query)
    with closing(sqlite3.connect(path)) as connection:
        plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}", bound)]
    assert plan[0].endswith(f"USING INDEX {index}")
    assert plan[1:] in (
        [],
        ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"],
        ["USE TEMP B-TREE FOR LAST TERM OF ORDER BY"],
    )


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("123"))), max_size=5))
async def test_counts_are_those_of_the_rows(
    store: EmbeddedStore, path: Path, batches: list[list[tuple[int, str]]]
) -> None:
    for batch in batches:
        await store.upsert("news", [document(f"k{key}", version) for key, version in batch])
    with closing(sqlite3.connect(path)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM news").fetchone()
    assert (await store.counts())["news"] == rows


async def test_times_are_exact_to_the_microsecond_before_the_epoch_too(store: EmbeddedStore) -> None:
    times = [datetime(1962, 1, 2, 3, 4, 5, 678_901, UTC), datetime(2024, 1, 2, 3, 4, 5, 1, UTC)]
    await store.upsert("economic", [Document("economic", str(ts), "1", ts, {}) for ts in times])
    assert [d["ts"] for d in await store.find(Query("economic"))] == times
    assert len(await store.find(Query("economic", until=times[0]))) == 0
    assert len(await store.find(Query("economic", since=times[0], until=times[1]))) == 1


@pytest.mark.parametrize(
    "bad",
    [
        document("object", payload=object()),
        document("surrogate in the body", text="\ud800"),
        document("surrogate \ud800 in the key"),
        document("surrogate in the ticker", ticker="\ud800"),
        Document("news", "naive", "1", datetime(2024, 1, 2), {}, "AAPL"),  # noqa: DTZ001 - the point of it
    ],
    ids=["object", "text", "key", "ticker", "time"],
)
async def test_what_cannot_be_stored_is_rejected_with_a_reason(store: EmbeddedStore, bad: Document) -> None:
    result = await store.upsert("news", [document("a"), bad, document("b")])
    ((rejected, reason),) = result.rejected
    assert rejected is bad
    assert reason.startswith("it cannot be stored: ")
    assert result.written == 2
    assert keys(await store.find(Query("news"))) == ["a", "b"]


async def test_an_unknown_collection_is_refused(store: EmbeddedStore) -> None:
    with pytest.raises(StoreError, match="there is no collection 'quotes'; there are stock_data"):
        await store.upsert("quotes", [document("k")])
    with pytest.raises(StoreError, match="there is no collection"):
        await store.find(Query("news; DROP TABLE news"))


async def test_a_full_disk_stops_writing_until_there_is_space(store: EmbeddedStore) -> None:
    await store.upsert("news", [document("kept")])
    await store._database.write(lambda connection: connection.execute("PRAGMA max_page_count = 60").fetchone())
    batch = [document(f"k{i}", text="x" * 10_000) for i in range(100)]
    with pytest.raises(StoreError, match=r"store\.sqlite: the disk is full; free some space"):
        await store.upsert("news", batch)
    assert keys(await store.find(Query("news"))) == ["kept"]
    await store._database.write(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchone())
    assert await store.upsert("news", batch) == UpsertResult(written=100)


class TestReadOnly:
    async def test_it_looks_on_while_another_writes(self, store: EmbeddedStore, path: Path) -> None:
        onlooker = EmbeddedStore(path, read_only=True)
        await onlooker.open()
        await store.upsert("news", [document("k", n=1)])
        assert keys(await onlooker.find(Query("news"))) == ["k"]
        assert await onlooker.counts() == dict.fromkeys(COLLECTIONS, 0) | {"news": 1}
        with pytest.raises(StoreError, match="reading only"):
            await onlooker.upsert("news", [document("other")])
        await onlooker.close()

    async def test_a_missing_store_is_said(self, path: Path) -> None:
        with pytest.raises(StoreError, match=r"there is no .*store\.sqlite yet"):
            await EmbeddedStore(path, read_only=True).open()
        assert listing(path.parent) == []
