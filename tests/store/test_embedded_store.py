"""What only the embedded store promises; the rest is in tests/contract."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model.documents import COLLECTIONS, Document, document_of, message_in
from pipeline.model.messages import AnyMessage, Bar, DeadLetter, bar_rank
from pipeline.store.base import Query, StoreError, UpsertResult
from pipeline.store.embedded import writing
from pipeline.store.embedded.bodies import NESTED, WITH_TIMES
from pipeline.store.embedded.store import EmbeddedStore
from testkit.examples import DEAR
from tests.contract.helpers import at, document, keys
from tests.storage.test_sqlite import listing
from tools.docs.examples import EXAMPLES


@pytest.fixture
async def store(path: Path) -> AsyncIterator[EmbeddedStore]:
    opened = EmbeddedStore(path)
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    "query",
    [
        Query("stock_data", "AAPL", "1min", last=20),
        Query("stock_data", "AAPL", "1min", "yahoo"),
        Query("stock_data", "AAPL", "1min", since=at(1), until=at(2)),
        Query("forecasts", "AAPL", since=at(1), last=5),
        Query("news", "AAPL", last=20),
        Query("news", since=at(1)),
        Query("economic", since=at(1), until=at(2)),
        Query("dead_letter"),
        Query("stock_data", interval="1min", since=at(1)),
    ],
)
async def test_looking_up_uses_indexes_and_sorts_nothing(
    store: EmbeddedStore, path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.embedded.store.SCANNED_AT_ONCE", 1)
    monkeypatch.setattr("pipeline.store.embedded.reading._FEWEST", 1)
    for stored in map(document_of, EXAMPLES.values()):
        await store.upsert(stored.collection, [stored])
    statements: list[str] = []
    await store._database.read(lambda connection: connection.set_trace_callback(statements.append))
    await store.find(query)
    await store.count(query)
    _ = [part async for part in store.scan(query)]
    assert any(f"FROM {query.collection}" in statement for statement in statements)
    with closing(sqlite3.connect(path)) as connection:
        plans = {
            detail
            for statement in statements
            for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
            if "shapes" not in statement
        }
    assert all((detail.startswith("SEARCH") and "INDEX" in detail) or "PRIMARY KEY" in detail for detail in plans), (
        plans
    )


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


async def test_a_batch_is_written_by_few_statements(store: EmbeddedStore) -> None:
    """Each step gives the interpreter's lock away: beside a busy thread that takes far longer than a row."""
    batch = [document(f"k{n}", minute=n, n=n) for n in range(500)]
    statements: list[str] = []
    await store._database.write(lambda connection: connection.set_trace_callback(statements.append))
    for result in (UpsertResult(written=500), UpsertResult(unchanged=500)):
        statements.clear()
        assert await store.upsert("news", batch) == result
        assert len(statements) < 20


async def test_a_batch_that_fails_leaves_no_series_behind(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that were given in a transaction that failed are given again, to others."""
    bars = [EXAMPLES["bar"], msgspec.structs.replace(EXAMPLES["bar"], ticker="MSFT", source="b")]
    monkeypatch.setattr("pipeline.store.embedded.writing.write", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await store.upsert("stock_data", [document_of(bars[0])])
    monkeypatch.undo()
    for one in (bars[1], bars[0]):
        assert await store.upsert("stock_data", [document_of(one)]) == UpsertResult(written=1)
    for one in bars:
        (found,) = await store.find(Query("stock_data", one.ticker))
        assert message_in(found, Bar) == one


async def test_a_key_that_says_something_else_than_the_document_is_rejected(store: EmbeddedStore) -> None:
    """Or one key could have two documents."""
    ours = document_of(EXAMPLES["bar"])
    await store.upsert("stock_data", [ours])
    bodies: tuple[str, datetime, dict[str, object]] = ("~", ours.ts, {})
    others = [
        Document("stock_data", ours.id, *bodies, "MSFT", ours.interval, ours.source),
        Document("stock_data", ours.id, "~", ours.ts + timedelta(1), {}, ours.ticker, ours.interval, ours.source),
    ]
    result = await store.upsert("stock_data", others)
    assert [document for document, _ in result.rejected] == others
    assert len(await store.find(Query("stock_data"))) == 1


async def test_an_integer_that_only_json_can_hold_is_kept(store: EmbeddedStore) -> None:
    letter = DeadLetter(ts=at(0), topic="t", partition=0, offset=10**30, reason="r", payload="p")
    assert await store.upsert("dead_letter", [document_of(letter)]) == UpsertResult(written=1)
    (found,) = await store.find(Query("dead_letter"))
    assert message_in(found, DeadLetter) == letter


async def test_fields_of_an_earlier_version_stay_what_they_were(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """A field that is added to a message makes a new shape; what is stored has the old one."""
    bar = EXAMPLES["bar"]
    assert isinstance(bar, Bar)
    kind = writing._KINDS[Bar]
    fewer = [name for name in kind.shape if name not in {"currency", "revision"}]
    monkeypatch.setitem(writing._KINDS, Bar, replace(kind, shape=tuple(fewer), values=attrgetter(*fewer)))
    await store.upsert("stock_data", [document_of(bar)])
    monkeypatch.undo()
    later = msgspec.structs.replace(bar, ts=bar.ts + timedelta(minutes=1))
    today = EmbeddedStore(path, read_only=True)
    await today.open()
    await store.close()
    store = EmbeddedStore(path)
    await store.open()
    await store.upsert("stock_data", [document_of(later)])
    first, second = await today.find(Query("stock_data"))
    assert message_in(first, Bar) == msgspec.structs.replace(bar, currency=None, revision=0)
    assert "currency" not in first and message_in(second, Bar) == later
    query = Query("stock_data", bar.ticker, bar.interval)
    tables = [table async for table in today.bars(query, simulated=bar.simulated)]
    assert [rank for table in tables for rank in map(table.rank, range(len(table)))] == [bar_rank(bar), bar_rank(later)]
    await today.close()
    await store.close()


def test_what_is_a_struct_or_a_time_in_a_message_is_known() -> None:
    """To whoever adds a field that is one: `pipeline.store.embedded.bodies` has to know it."""
    for type_ in (*AnyMessage.__args__, *(held for of_it in NESTED.values() for held in of_it.values())):
        info = msgspec.inspect.type_info(type_)
        assert isinstance(info, msgspec.inspect.StructType)
        for field in info.fields:
            if field.name != "ts" or type_ not in AnyMessage.__args__:
                inside = set(_inside(field.type))
                assert (msgspec.inspect.StructType in inside) == (field.name in NESTED.get(type_, {})), field
                assert msgspec.inspect.DateTimeType not in inside or type_ in WITH_TIMES, field


def _inside(type_: msgspec.inspect.Type) -> Iterator[type]:
    """The kinds of types that a type is made of, down to structs."""
    yield type(type_)
    parts = [getattr(type_, name, None) for name in ("type", "types", "item_type", "item_types", "value_type")]
    for part in parts:
        for one in part if isinstance(part, tuple) else (part,):
            if isinstance(one, msgspec.inspect.Type):
                yield from _inside(one)


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
