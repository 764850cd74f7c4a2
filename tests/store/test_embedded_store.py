"""What only the embedded store promises; the rest is in tests/contract."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model.documents import COLLECTIONS, Document
from pipeline.store.base import Query, StoreError, UpsertResult
from pipeline.store.embedded.store import EmbeddedStore, _select, _select_from
from testkit.examples import DEAR
from tests.contract.helpers import at, document, keys
from tests.storage.test_sqlite import listing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[EmbeddedStore]:
    opened = EmbeddedStore(path)
    await opened.open()
    yield opened
    await opened.close()


_FIRST_FORMAT = """
CREATE TABLE {0} (
    seq INTEGER PRIMARY KEY, _id TEXT NOT NULL UNIQUE, version TEXT NOT NULL, ticker TEXT, interval TEXT,
    ts INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX {0}_by_interval ON {0} (ticker, interval, ts) WHERE interval IS NOT NULL;
CREATE INDEX {0}_by_ticker ON {0} (ticker, ts);
CREATE INDEX {0}_by_ts ON {0} (ts);
"""


def first_format(path: Path, *documents: tuple[str, str, str | None, str | None, int, dict[str, object]]) -> None:
    """A file as version 0.1.0 left it: collection, key, ticker, interval, ts and body of each document."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("".join(_FIRST_FORMAT.format(name) for name in COLLECTIONS if name != "forecasts"))
        for name, key, ticker, interval, ts, body in documents:
            connection.execute(
                f"INSERT INTO {name} (_id, version, ticker, interval, ts, body) VALUES (?, '1', ?, ?, ?, ?)",  # noqa: S608
                (key, ticker, interval, ts, msgspec.json.encode(body)),
            )
        connection.execute("PRAGMA user_version = 1")
        connection.commit()


class TestFirstFormat:
    async def test_keys_get_their_source(self, path: Path) -> None:
        first_format(
            path,
            ("stock_data", "AAPL|1min|t0", "AAPL", "1min", 0, {"close": 1.5, "source": "replay"}),
            ("stock_data", "AAPL|quote|t0", "AAPL", "quote", 0, {"price": 1.5, "source": "alpha_vantage"}),
            ("indicators", "AAPL|1min|t0", "AAPL", "1min", 0, {"rsi_14": 50.25}),
            ("economic", "CPI|monthly|t0", None, "monthly", 0, {"series": "CPI", "value": 3, "source": "s"}),
            ("news", "AAPL|s|id", "AAPL", None, 0, {"title": "a | b", "source": "s"}),
            ("dead_letter", "stock_data_aapl|0|7", None, None, 0, {"reason": "r"}),
        )
        for _ in range(2):  # the second time there is nothing to do
            store = EmbeddedStore(path)
            await store.open()
            found = {name: await store.find(Query(name)) for name in COLLECTIONS}
            of_replay = await store.find(Query("stock_data", "AAPL", source="replay"))
            await store.close()
            assert keys(found["stock_data"]) == ["AAPL|1min|replay|t0", "AAPL|quote|alpha_vantage|t0"]
            assert keys(of_replay) == ["AAPL|1min|replay|t0"]
            (row,) = found["indicators"]
            assert (row["_id"], row["source"], row["rsi_14"]) == ("AAPL|1min|replay|t0", "replay", 50.25)
            assert keys(found["economic"]) == ["CPI|monthly|s|t0"]
            assert (found["news"][0]["_id"], found["news"][0]["source"]) == ("AAPL|s|id", "s")
            assert keys(found["dead_letter"]) == ["stock_data_aapl|0|7"]
            assert found["forecasts"] == []

    async def test_rows_that_may_mix_sources_are_left_to_be_computed_anew(self, path: Path) -> None:
        bars = [("stock_data", f"AAPL|1min|t{n}", "AAPL", "1min", n, {"source": s}) for n, s in enumerate("ab")]
        others = [("stock_data", "AAPL|daily|t", "AAPL", "daily", 0, {"source": "b"})]
        rows = [("indicators", f"AAPL|{i}|t", "AAPL", i, 0, {"rsi_14": 1}) for i in ("1min", "daily", "5min")]
        first_format(path, *bars, *others, *rows)
        store = EmbeddedStore(path)
        await store.open()
        assert keys(await store.find(Query("indicators"))) == ["AAPL|5min|unknown|t", "AAPL|daily|b|t"]
        assert len(await store.find(Query("stock_data"))) == 3
        await store.close()

    async def test_who_only_reads_is_told_to_start_a_pipeline(self, path: Path) -> None:
        first_format(path)
        with pytest.raises(StoreError, match="the format of an earlier version; start a pipeline on it"):
            await EmbeddedStore(path, read_only=True).open()


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
    plan = _plan(path, *_select(query))
    assert plan[0].endswith(f"USING INDEX {index}")
    assert plan[1:] in _SORTS_WHAT_IS_OF_ONE_TIME


async def test_a_scan_goes_on_where_it_was_by_an_index(store: EmbeddedStore, path: Path) -> None:
    query = Query("stock_data", "AAPL", "1min", "alpha_vantage")
    plan = _plan(path, *_select_from(query, ">", (1_700_000_000_000_000, "AAPL|1min|alpha_vantage|x"), 100))
    assert plan[0].endswith("USING INDEX stock_data_by_interval (ticker=? AND interval=? AND ts>?)")
    assert plan[1:] in _SORTS_WHAT_IS_OF_ONE_TIME


_SORTS_WHAT_IS_OF_ONE_TIME = (
    [],
    ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"],
    ["USE TEMP B-TREE FOR LAST TERM OF ORDER BY"],
)


def _plan(path: Path, statement: str, bound: list[object]) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}", bound)]


@settings(max_examples=DEAR, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    with pytest.raises(StoreError, match="there is no collection 'quotes'; the collections are stock_data"):
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
