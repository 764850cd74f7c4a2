"""What every store must do; runs on each of the engines."""

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model.bar_table import BarTable, tables_of
from pipeline.model.documents import COLLECTIONS, Document, document_of, message_in
from pipeline.model.messages import Bar, Quote
from pipeline.model.times import microseconds
from pipeline.store.base import Query, Store, StoreError, UpsertResult
from testkit.examples import DEAR
from tests.contract.engines import StoreEngine
from tests.contract.helpers import at, document, keys
from tools.docs.examples import EXAMPLES


class TestUpsert:
    async def test_a_document_comes_back_as_it_was_written(self, store: Store) -> None:
        body: dict[str, Any] = {
            "open": 187.25,
            "closed": True,
            "revision": 1_700_000_000_000,
            "source": "naïve 📈 данные",
            "nothing": None,
            "tags": ["a", 1, {"b": 2.5}],
        }
        result = await store.upsert("stock_data", [document("AAPL|1min|x", interval="1min", minute=3, **body)])
        assert result == UpsertResult(written=1)
        assert await store.find(Query("stock_data")) == [
            {"_id": "AAPL|1min|x", "ticker": "AAPL", "interval": "1min", "ts": at(3), **body}
        ]

    async def test_fields_without_a_value_are_left_out(self, store: Store) -> None:
        await store.upsert("economic", [document("CPI", ticker=None, collection="economic", value=3.1)])
        assert await store.find(Query("economic")) == [{"_id": "CPI", "ts": at(0), "value": 3.1}]

    async def test_a_replay_changes_nothing(self, store: Store) -> None:
        batch = [document(f"k{i}", minute=i, n=i) for i in range(20)]
        assert await store.upsert("news", batch) == UpsertResult(written=20)
        before = await store.find(Query("news"))
        assert await store.upsert("news", batch) == UpsertResult(unchanged=20)
        assert await store.find(Query("news")) == before

    async def test_written_and_unchanged_are_counted(self, store: Store) -> None:
        await store.upsert("news", [document("same", "5"), document("older", "5"), document("newer", "5")])
        result = await store.upsert(
            "news", [document("same", "5"), document("older", "4"), document("newer", "6"), document("new", "1")]
        )
        assert result == UpsertResult(written=2, unchanged=2)

    async def test_a_newer_version_replaces_the_whole_document(self, store: Store) -> None:
        await store.upsert("stock_data", [document("k", "1", 0, interval="1min", old=1)])
        await store.upsert("stock_data", [document("k", "2", 7, ticker="MSFT", interval="5min", new=2)])
        assert await store.find(Query("stock_data")) == [
            {"_id": "k", "ticker": "MSFT", "interval": "5min", "ts": at(7), "new": 2}
        ]
        assert await store.find(Query("stock_data", ticker="AAPL")) == []

    @settings(max_examples=DEAR, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    async def test_the_greatest_version_stays_whatever_comes_first(
        self, store: Store, examples: "count[int]", data: st.DataObject
    ) -> None:
        ticker = f"T{next(examples)}"
        observations = data.draw(
            st.lists(st.tuples(st.integers(0, 3), st.text("09af-", min_size=1, max_size=3)), min_size=1, max_size=12)
        )
        replayed = data.draw(st.permutations([*observations, *data.draw(st.lists(st.sampled_from(observations)))]))
        while replayed:
            size = data.draw(st.integers(1, len(replayed)))
            batch = [document(f"{ticker}|{k}", version, k, ticker=ticker, v=version) for k, version in replayed[:size]]
            result = await store.upsert("indicators", batch)
            assert result.written + result.unchanged == size
            replayed = replayed[size:]
        greatest = {key: max(version for k, version in observations if k == key) for key, _ in observations}
        found = {d["_id"]: d["v"] for d in await store.find(Query("indicators", ticker=ticker))}
        assert found == {f"{ticker}|{key}": version for key, version in greatest.items()}

    async def test_a_bad_document_does_not_hinder_the_others(self, store: Store) -> None:
        bad = document("bad", payload=object())
        result = await store.upsert("social", [document("before"), bad, document("after", minute=1)])
        ((rejected, reason),) = result.rejected
        assert (result.written, result.unchanged) == (2, 0)
        assert rejected is bad
        assert reason
        assert keys(await store.find(Query("social"))) == ["before", "after"]

    async def test_a_batch_of_bad_documents_or_none_writes_nothing(self, store: Store) -> None:
        bad = [document(f"bad{i}", payload=object()) for i in range(2)]
        result = await store.upsert("social", bad)
        assert [rejected for rejected, _ in result.rejected] == bad
        assert await store.upsert("social", []) == UpsertResult()
        assert await store.find(Query("social")) == []


@pytest.fixture(scope="module")
def examples() -> "count[int]":
    return count()


@pytest.fixture
async def filled(store: Store) -> Store:
    """Ten minutes of two tickers in two intervals, written in no order."""
    documents = [
        document(f"{ticker}|{interval}|{minute}", minute=minute, ticker=ticker, interval=interval, m=minute)
        for ticker in ("MSFT", "AAPL")
        for interval in ("5min", "1min")
        for minute in (7, 2, 9, 4, 0, 5, 1, 8, 3, 6)
    ]
    await store.upsert("stock_data", documents)
    return store


class TestFind:
    @staticmethod
    async def minutes(store: Store, **query: Any) -> list[int]:
        return [d["m"] for d in await store.find(Query("stock_data", ticker="AAPL", interval="1min", **query))]

    async def test_all_of_a_ticker_and_interval_oldest_first(self, filled: Store) -> None:
        found = await filled.find(Query("stock_data", ticker="AAPL", interval="1min"))
        assert keys(found) == [f"AAPL|1min|{minute}" for minute in range(10)]

    async def test_the_last_are_the_newest(self, filled: Store) -> None:
        assert await self.minutes(filled, last=3) == [7, 8, 9]
        assert await self.minutes(filled, last=1) == [9]
        assert await self.minutes(filled, last=100) == list(range(10))

    async def test_since_is_inclusive_and_until_exclusive(self, filled: Store) -> None:
        assert await self.minutes(filled, since=at(6)) == [6, 7, 8, 9]
        assert await self.minutes(filled, until=at(3)) == [0, 1, 2]
        assert await self.minutes(filled, since=at(2), until=at(5)) == [2, 3, 4]
        assert await self.minutes(filled, since=at(2), until=at(8), last=2) == [6, 7]
        assert await self.minutes(filled, since=at(5), until=at(5)) == []

    async def test_as_many_are_counted_as_are_found(self, filled: Store) -> None:
        of_a_series = {"ticker": "AAPL", "interval": "1min"}
        queries: list[dict[str, Any]] = [
            {},
            {"ticker": "AAPL"},
            of_a_series,
            {**of_a_series, "since": at(2), "until": at(8)},
            {**of_a_series, "last": 3},
            {**of_a_series, "last": 0},
            {**of_a_series, "last": 100},
            {"ticker": "TSLA"},
            {"source": "nobody"},
        ]
        for query in (Query("stock_data", **fields) for fields in queries):
            assert await filled.count(query) == len(await filled.find(query)), query

    async def test_filters_are_optional(self, filled: Store) -> None:
        assert len(await filled.find(Query("stock_data"))) == 40
        assert {d["ticker"] for d in await filled.find(Query("stock_data", interval="1min"))} == {"AAPL", "MSFT"}
        of_both_intervals = await filled.find(Query("stock_data", ticker="MSFT", last=4))
        assert keys(of_both_intervals) == ["MSFT|1min|8", "MSFT|5min|8", "MSFT|1min|9", "MSFT|5min|9"]

    async def test_what_matches_nothing_is_empty(self, filled: Store) -> None:
        assert await filled.find(Query("stock_data", ticker="TSLA")) == []
        assert await filled.find(Query("stock_data", ticker="AAPL", interval="daily")) == []
        assert await filled.find(Query("news")) == []

    async def test_equal_times_are_in_the_order_of_their_keys(self, store: Store) -> None:
        await store.upsert("news", [document(key) for key in ("b", "é", "a", "📈", "Z", "c")])
        assert keys(await store.find(Query("news"))) == ["Z", "a", "b", "c", "é", "📈"]
        assert keys(await store.find(Query("news", last=2))) == ["é", "📈"]

    async def test_times_are_aware_and_exact_to_the_millisecond(self, store: Store) -> None:
        ts = at(0).replace(microsecond=123_000)
        await store.upsert("news", [Document("news", "k", "1", ts, {}, "AAPL")])
        (found,) = await store.find(Query("news", since=ts))
        assert found["ts"] == ts
        assert found["ts"].utcoffset().total_seconds() == 0


class TestScan:
    @staticmethod
    async def parts(store: Store, query: Query) -> list[list[str]]:
        return [keys(part) async for part in store.scan(query)]

    @pytest.mark.parametrize(
        "wanted",
        [
            {},
            {"ticker": "AAPL", "interval": "1min"},
            {"ticker": "AAPL", "interval": "1min", "since": at(2), "until": at(8)},
            {"ticker": "MSFT", "last": 7},
            {"since": at(2), "until": at(8), "last": 5},
            {"ticker": "AAPL", "last": 0},
            {"last": 1000},
            {"ticker": "TSLA"},
            {"ticker": "TSLA", "last": 3},
        ],
    )
    @pytest.mark.parametrize("size", [1, 3, 10, 1000])
    async def test_it_finds_the_same_in_parts(
        self, filled: Store, wanted: dict[str, Any], size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(f"{type(filled).__module__}.SCANNED_AT_ONCE", size)
        query = Query("stock_data", **wanted)
        parts = [part async for part in filled.scan(query)]
        assert [document for part in parts for document in part] == await filled.find(query)
        assert all(0 < len(part) <= size for part in parts)

    async def test_the_parts_of_one_source(self, store: Store) -> None:
        for minute in range(5):
            pair = [Document("stock_data", f"{s}|{minute}", "1", at(minute), {}, "AAPL", "1min", s) for s in ("a", "b")]
            await store.upsert("stock_data", pair)
        wanted = Query("stock_data", "AAPL", "1min", "b", last=3)
        assert await self.parts(store, wanted) == [["b|2", "b|3", "b|4"]]

    async def test_equal_times_are_split_between_parts(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(f"{type(store).__module__}.SCANNED_AT_ONCE", 2)
        await store.upsert("news", [document(key) for key in ("b", "é", "a", "📈", "Z", "c")])
        assert await self.parts(store, Query("news")) == [["Z", "a"], ["b", "c"], ["é", "📈"]]
        assert await self.parts(store, Query("news", last=3)) == [["c", "é"], ["📈"]]

    async def test_what_is_written_meanwhile_makes_it_no_longer_than_asked_for(
        self, filled: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(f"{type(filled).__module__}.SCANNED_AT_ONCE", 2)
        found: list[str] = []
        async for part in filled.scan(Query("stock_data", "AAPL", "1min", last=6)):
            found += keys(part)
            await filled.upsert("stock_data", [document("AAPL|1min|late", minute=30, interval="1min")])
        assert found == [f"AAPL|1min|{minute}" for minute in range(4, 10)]

    async def test_an_unknown_collection_is_an_error(self, store: Store) -> None:
        with pytest.raises(StoreError, match="there is no collection"):
            await self.parts(store, Query("nonsense"))


class TestBars:
    @staticmethod
    async def tables(store: Store, **span: Any) -> list[BarTable]:
        query = Query("stock_data", "AAPL", "1min", **span)
        return [table async for table in store.bars(query, simulated=False)]

    async def test_they_come_in_columns_by_source(self, store: Store) -> None:
        wanted = [
            bar(minute, source=source, volume=None if minute == 3 else 1.5, closed=minute < 5, revision=minute)
            for source in ("a", "b|c")
            for minute in range(6)
        ]
        others = [
            bar(1, interval="5min"),
            bar(1, ticker="MSFT"),
            bar(7, simulated=True),
            Quote(ticker="AAPL", ts=at(2), price=3, source="a"),
        ]
        await store.upsert("stock_data", [document_of(message) for message in (*reversed(wanted), *others)])
        tables = await self.tables(store)
        for source in ("a", "b|c"):
            (expected,) = tables_of(one for one in wanted if one.source == source)
            assert joined([table for table in tables if table.source == source]) == joined([expected])
        assert sum(map(len, tables)) == len(wanted)

    async def test_of_a_span(self, store: Store) -> None:
        await store.upsert("stock_data", [document_of(bar(minute)) for minute in range(10)])
        tables = await self.tables(store, since=at(2), until=at(5))
        assert [ts for table in tables for ts in table.ts] == [microseconds(at(minute)) for minute in (2, 3, 4)]
        assert await self.tables(store, since=at(50)) == []

    async def test_what_others_put_among_them_is_passed_over(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        good = [document_of(bar(minute)) for minute in (1, 3)]
        theirs = [
            Document("stock_data", "theirs", "0" * 24, at(2), good[0].body | {"open": "x"}, "AAPL", "1min", "s"),
            Document("stock_data", "theirs too", "1", at(0), {}, "AAPL", "1min"),
        ]
        await store.upsert("stock_data", [*good, *theirs])
        assert sorted(ts for table in await self.tables(store) for ts in table.ts) == [
            microseconds(at(minute)) for minute in (1, 3)
        ]
        assert "not a valid Bar" in caplog.text


def bar(minute: int, **fields: Any) -> Bar:
    return Bar(**{"ticker": "AAPL", "interval": "1min", "ts": at(minute), "source": "s"} | PRICES | fields)


PRICES = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.25}


def joined(tables: list[BarTable]) -> list[tuple[object, ...]]:
    """Row by row."""
    columns = ("ts", "open", "high", "low", "close", "volume", "simulated")
    rows = [row for table in tables for row in zip(*(getattr(table, name) for name in columns), strict=True)]
    ranks = [table.rank(index) for table in tables for index in range(len(table))]
    return list(zip(rows, ranks, strict=True))


class TestDelete:
    async def test_documents_go_by_their_keys(self, store: Store) -> None:
        documents = [document_of(bar(minute)) for minute in range(4)]
        await store.upsert("stock_data", [*documents, document("another")])
        gone = [documents[1].id, documents[2].id, "another", "nobody", "AAPL|1min|s|2024-01-02T14:30:00.5Z"]
        assert await store.delete("stock_data", gone) == 3
        assert keys(await store.find(Query("stock_data"))) == [documents[0].id, documents[3].id]
        assert await store.delete("stock_data", gone) == 0
        assert (await store.counts())["stock_data"] == 2
        assert await store.upsert("stock_data", documents) == UpsertResult(written=2, unchanged=2)


class TestMessages:
    @pytest.mark.parametrize("name", EXAMPLES)
    async def test_every_message_comes_back(self, store: Store, name: str) -> None:
        message = EXAMPLES[name]
        stored = document_of(message)
        assert await store.upsert(stored.collection, [stored, document_of(message)]) == UpsertResult(1, 1)
        (found,) = await store.find(Query(stored.collection))
        assert found["_id"] == stored.id
        assert message_in(found, type(message)) == message
        assert await store.count(Query(stored.collection, stored.ticker, stored.interval, stored.source)) == 1
        assert (await store.counts())[stored.collection] == 1


class TestCounts:
    async def test_every_collection_is_counted(self, store: Store) -> None:
        assert await store.counts() == dict.fromkeys(COLLECTIONS, 0)

    async def test_a_document_counts_once(self, filled: Store) -> None:
        await filled.upsert("stock_data", [document("AAPL|1min|0", "2"), document("another")])
        await filled.upsert("news", [document("a"), document("b")])
        assert await filled.counts() == dict.fromkeys(COLLECTIONS, 0) | {"stock_data": 41, "news": 2}


class TestReopening:
    async def test_documents_are_still_there(self, filled: Store, store_engine: StoreEngine) -> None:
        before = await filled.find(Query("stock_data"))
        store = await store_engine.connect()
        assert await store.find(Query("stock_data")) == before
        assert (await store.counts())["stock_data"] == 40
        assert await store.upsert("stock_data", [document("AAPL|1min|0")]) == UpsertResult(unchanged=1)

    async def test_closing_twice_is_closing(self, store: Store) -> None:
        await store.close()
        await store.close()
        with pytest.raises(StoreError):
            await store.upsert("news", [document("late")])
