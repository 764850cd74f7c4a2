"""A file of an earlier format is brought up to date, whatever is in it and whatever interrupts that."""

import multiprocessing
import os
import signal
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from pipeline.model.documents import COLLECTIONS, Document, document_of
from pipeline.store.base import Query, StoreError
from pipeline.store.embedded.store import EmbeddedStore
from testkit.examples import DEAR
from tests.contract.helpers import keys
from tests.store.old_formats import as_found, first_format, third_format
from tests.store.samples import documents
from tools.docs.examples import EXAMPLES


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


async def contents(path: Path) -> dict[str, list[dict[str, Any]]]:
    """All documents by collection, in order; they are as many as are counted."""
    store = EmbeddedStore(path)
    await store.open()
    try:
        found = {name: await store.find(Query(name)) for name in COLLECTIONS}
        assert await store.counts() == {name: len(of_it) for name, of_it in found.items()}
        return found
    finally:
        await store.close()


def expected(stored: Sequence[Document]) -> dict[str, list[dict[str, Any]]]:
    by_collection = {name: [as_found(d) for d in stored if d.collection == name] for name in COLLECTIONS}
    return {name: sorted(found, key=lambda d: (d["ts"], d["_id"])) for name, found in by_collection.items()}


class TestThirdFormat:
    @settings(max_examples=DEAR)
    @given(documents())
    async def test_all_is_found_as_it_was(self, stored: list[Document]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "store.sqlite"
            third_format(path, stored)
            for _ in range(2):  # the second time there is nothing to do
                assert await contents(path) == expected(stored)

    async def test_a_replay_changes_nothing_and_a_newer_version_does(self, path: Path) -> None:
        stored = [document_of(message) for message in EXAMPLES.values()]
        third_format(path, stored)
        store = EmbeddedStore(path)
        await store.open()
        for document in stored:
            result = await store.upsert(document.collection, [document])
            assert (result.written, result.unchanged) == (0, 1), document
            newer = Document(
                document.collection,
                document.id,
                "z",
                document.ts,
                {"n": 1},
                document.ticker,
                document.interval,
                document.source,
            )
            result = await store.upsert(document.collection, [newer, document])
            assert (result.written, result.unchanged) == (1, 1), document
        await store.close()
        assert {name: len(found) for name, found in (await contents(path)).items()} == {
            name: len(found) for name, found in expected(stored).items()
        }

    @pytest.mark.parametrize(
        ("statement", "count"), [("INSERT", 0), ("INSERT", 20), ("DROP", 0), ("DROP", 7), ("COMMIT", 0), ("VACUUM", 0)]
    )
    async def test_a_kill_in_the_middle_loses_nothing(self, path: Path, statement: str, count: int) -> None:
        bar = EXAMPLES["bar"]
        many = [msgspec.structs.replace(bar, ts=bar.ts + timedelta(minutes=n), volume=n) for n in range(1, 3000)]
        stored = [document_of(message) for message in (*many, *EXAMPLES.values())]
        third_format(path, stored)
        process = multiprocessing.get_context("fork").Process(target=_killed_at, args=(path, statement, count))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert await contents(path) == expected(stored)

    async def test_it_tells_how_far_it_is_and_leaves_the_disk_what_it_freed(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("pipeline.store.embedded.format_4._AT_ONCE", 100)
        monkeypatch.setattr("pipeline.store.embedded.format_4._TOLD_AFTER", 1000)
        caplog.set_level("INFO")
        bar = EXAMPLES["bar"]
        many = [msgspec.structs.replace(bar, ts=bar.ts + timedelta(minutes=n)) for n in range(3000)]
        third_format(path, map(document_of, many))
        before = _size(path)
        await contents(path)
        assert "2000 of 3000 documents of stock_data are in the new format" in caplog.text
        assert _size(path) < before / 2


def _size(path: Path) -> int:
    return path.stat().st_size


def _killed_at(path: Path, beginning: str, count: int) -> None:
    """Bring the file up to date, and be killed where another statement with that beginning would come."""
    import asyncio

    left = [count]

    class Dying(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            if statement.startswith(beginning):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
            return super().execute(statement, *values)

    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **more: connect(*args, factory=Dying, **more)  # type: ignore[assignment]
    asyncio.run(EmbeddedStore(path).open())
    os._exit(0)
