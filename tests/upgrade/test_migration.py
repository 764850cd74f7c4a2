"""A data directory from before namespaces: what is simulated goes into its own, and nothing else changes."""

import json
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.bus.base import Record, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import record_of
from pipeline.doctor.engines import embedded_store
from pipeline.model.documents import COLLECTIONS
from pipeline.model.messages import Article, Bar, DeadLetter, encode
from pipeline.model.namespace import SIMULATED
from pipeline.model.topics import INDICATOR_GROUP, SINK_GROUP
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.storage.layout import Layout
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.upgrade.migration import migrate
from tests.bus.first_format import write_first_format
from tests.store.old_formats import first_format

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
_MICROSECONDS = 1_000_000


def bar(ticker: str, minute: int, *, simulated: bool, interval: str = "1min") -> Bar:
    source = "simulator" if simulated else "alpha_vantage"
    ts = START + timedelta(minutes=minute)
    close = 100.0 + minute
    return Bar(
        ticker=ticker, ts=ts, interval=interval, source=source, simulated=simulated,  # type: ignore[arg-type]
        open=close, high=close, low=close, close=close, volume=1,
    )  # fmt: skip


def stored_before(path: Path, bars: Sequence[Bar]) -> None:
    """A store as version 0.1.0 wrote it: bars, and a row of indicators for each, computed over all of them."""
    documents = []
    for one in bars:
        stamp = f"{one.ts:%Y-%m-%dT%H:%M:%SZ}"
        body: dict[str, object] = {"simulated": one.simulated, "close": one.close}
        extra: dict[str, object] = {
            "open": one.open,
            "high": one.high,
            "low": one.low,
            "volume": one.volume,
            "source": one.source,
        }
        at = int(one.ts.timestamp()) * _MICROSECONDS
        key = f"{one.ticker}|{one.interval}|{stamp}"
        documents.append(("stock_data", key, one.ticker, one.interval, at, body | extra))
        documents.append(
            ("indicators", key, one.ticker, one.interval, at, body | {"lineage": "0" * 8 + "-" + "0" * 32})
        )
    first_format(path, *documents)


def published_before(path: Path, records: Sequence[Record], committed: dict[str, dict[str, int]]) -> None:
    """A bus with these records as version 0.1.0 wrote it; `committed` is by group and topic."""
    appended = int(datetime.now(UTC).timestamp() * 1000)
    write_first_format(path, records, committed, appended)


class _bus:  # noqa: N801 - used as a function
    def __init__(self, path: Path) -> None:
        self._opened = EmbeddedBus(path)

    async def __aenter__(self) -> EmbeddedBus:
        await self._opened.open()
        return self._opened

    async def __aexit__(self, *_: object) -> None:
        await self._opened.close()


async def documents(path: Path, collection: str) -> list[dict[str, Any]]:
    store = EmbeddedStore(path)
    await store.open()
    try:
        found = await store.find(Query(collection))
        assert (await store.counts())[collection] == len(found), "the count has no gaps"
        return found
    finally:
        await store.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.create()
    return made


def minutes(found: Sequence[dict[str, Any]]) -> list[int]:
    return [(document["ts"] - START) // timedelta(minutes=1) for document in found]


class TestMixed:
    """Simulated first, then real ones: what happened to whoever set a key."""

    bars = (
        *(bar("AAPL", n, simulated=True) for n in range(10)),
        *(bar("AAPL", n, simulated=False) for n in range(20, 25)),
        *(bar("MSFT", n, simulated=False) for n in range(3)),
        *(bar("NVDA", n, simulated=True) for n in range(4)),
    )

    async def fill(self, data_dir: DataDir) -> None:
        stored_before(data_dir.store, self.bars)
        rows = [Record("indicators_aapl", "AAPL", b"{}", 0), Record("indicators_msft", "MSFT", b"{}", 0)]
        poison = Record("stock_data_msft", "MSFT", b"\xff no JSON", 0)
        published_before(
            data_dir.bus,
            [*map(record_of, self.bars), poison, *rows],
            {
                SINK_GROUP: {"stock_data_aapl": 12, "stock_data_msft": 3, "stock_data_nvda": 1},
                INDICATOR_GROUP: {"stock_data_aapl": 15, "stock_data_msft": 3, "stock_data_nvda": 4},
            },
        )

    async def check(self, data_dir: DataDir) -> None:
        simulated = data_dir.within(SIMULATED)
        for space, which in ((data_dir, False), (simulated, True)):
            found = await documents(space.store, "stock_data")
            assert {document["simulated"] for document in found} == {which}
            assert len(found) == sum(one.simulated == which for one in self.bars)
        # Rows that were computed over bars of both are gone from both; those of other tickers are as they were.
        assert [row["ticker"] for row in await documents(data_dir.store, "indicators")] == ["MSFT"] * 3
        assert [row["ticker"] for row in await documents(simulated.store, "indicators")] == ["NVDA"] * 4
        async with _bus(data_dir.bus) as bus:
            offsets = await bus.offsets(["stock_data_aapl", "stock_data_msft", "stock_data_nvda", "indicators_aapl"])
            assert offsets[TopicPartition("stock_data_aapl", 0)] == (10, 15), "offsets are what they were"
            assert offsets[TopicPartition("stock_data_msft", 0)] == (0, 4)
            assert offsets[TopicPartition("stock_data_nvda", 0)] == (4, 4)
            assert offsets[TopicPartition("indicators_aapl", 0)] == (1, 1)
            left = [r.value async for batch in bus.read(TopicPartition("stock_data_aapl", 0), 0, 99) for r in batch]
            assert left == [encode(one) for one in self.bars[10:15]]
            sink = await bus.committed(SINK_GROUP, ["stock_data_aapl", "stock_data_msft", "stock_data_nvda"])
            assert sink == {
                TopicPartition("stock_data_aapl", 0): 12,  # three real bars are still to be stored
                TopicPartition("stock_data_msft", 0): 3,
                TopicPartition("stock_data_nvda", 0): 4,  # what it had yet to read is not here any longer
            }
            processor = await bus.committed(INDICATOR_GROUP, ["stock_data_aapl", "stock_data_msft"])
            assert processor[TopicPartition("stock_data_aapl", 0)] == 0, "its rows are to be computed anew"
            assert processor[TopicPartition("stock_data_msft", 0)] == 3
        async with _bus(simulated.bus) as bus:
            assert (await bus.offsets(["stock_data_aapl"])) == {TopicPartition("stock_data_aapl", 0): (0, 15)}
            here = [r.value async for batch in bus.read(TopicPartition("stock_data_aapl", 0), 0, 99) for r in batch]
            assert here == [encode(one) for one in self.bars[:10]]
            assert await bus.committed(SINK_GROUP, ["stock_data_nvda"]) == {TopicPartition("stock_data_nvda", 0): 1}

    async def test_each_goes_where_it_belongs(self, data_dir: DataDir, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")
        await self.fill(data_dir)
        await migrate(data_dir)
        await self.check(data_dir)
        assert "simulated data of earlier runs were moved to" in caplog.text
        assert Layout.of(data_dir.path).is_current

    async def test_again_it_changes_nothing(self, data_dir: DataDir) -> None:
        await self.fill(data_dir)
        await migrate(data_dir)
        (data_dir.path / "layout.json").unlink()
        await migrate(data_dir)
        await self.check(data_dir)

    @pytest.mark.parametrize("step", range(0, 34, 3))
    async def test_a_kill_in_the_middle_is_harmless(self, data_dir: DataDir, step: int) -> None:
        await self.fill(data_dir)
        process = multiprocessing.get_context("fork").Process(target=_killed_at, args=(data_dir.path, step))
        process.start()
        process.join(30)
        assert process.exitcode in (-signal.SIGKILL, 0)
        await migrate(data_dir)
        await self.check(data_dir)
        assert not list(data_dir.path.rglob("*.new*"))

    async def test_what_is_swept_later_is_what_is_old(self, data_dir: DataDir) -> None:
        """With gaps in the offsets."""
        await self.fill(data_dir)
        await migrate(data_dir)
        bus = EmbeddedBus(data_dir.bus, retention=timedelta(0))
        await bus.open()
        try:
            assert await bus.offsets(["stock_data_aapl"]) == {TopicPartition("stock_data_aapl", 0): (10, 15)}
            consumer = bus.consumer(INDICATOR_GROUP, ["stock_data_aapl"])
            await consumer.commit({TopicPartition("stock_data_aapl", 0): 15})
            assert await bus.sweep() >= 2
            # As far as both groups have read.
            assert await bus.offsets(["stock_data_aapl"]) == {TopicPartition("stock_data_aapl", 0): (12, 15)}
        finally:
            await bus.close()


def _killed_at(path: Path, step: int) -> None:
    """Migrate, and be killed before the step: each statement that writes, and each change of a file's name, is one."""
    import asyncio

    left = [step]

    def die() -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    replace = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        die()
        return replace(self, target)

    Path.replace = replaced  # type: ignore[method-assign,assignment]
    connect = sqlite3.connect

    class Dying(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            if statement.startswith(("DELETE", "COMMIT")):
                die()
            return super().execute(statement, *values)

    sqlite3.connect = lambda *args, **more: connect(*args, factory=Dying, **more)  # type: ignore[assignment]
    asyncio.run(migrate(DataDir(path)))
    os._exit(0)


class TestAllSimulated:
    async def test_the_files_move_as_they_are(self, data_dir: DataDir) -> None:
        bars = [bar("AAPL", n, simulated=True) for n in range(5)]
        stored_before(data_dir.store, bars)
        published_before(
            data_dir.bus,
            [*map(record_of, bars), Record("social_aapl", "", b"?", 0)],
            {SINK_GROUP: {"stock_data_aapl": 2}},
        )
        (data_dir.path / "loads.json").write_text('{"tickers": ["AAPL"]}')
        (data_dir.path / "alerts.json").write_text(
            '{"rules": ["AAPL price > 1"], "fired": [["AAPL price > 1", "AAPL"]], "history": []}'
        )
        await migrate(data_dir)
        simulated = data_dir.within(SIMULATED)
        assert sorted(path.name for path in data_dir.path.iterdir()) == ["alerts.json", "layout.json", "simulated"]
        assert len(await documents(simulated.store, "stock_data")) == 5
        assert len(await documents(simulated.store, "indicators")) == 5
        async with _bus(simulated.bus) as bus:
            assert await bus.committed(SINK_GROUP, ["stock_data_aapl"]) == {TopicPartition("stock_data_aapl", 0): 2}
            assert TopicPartition("social_aapl", 0) in await bus.offsets(["social_aapl"])
        assert json.loads(data_dir.alerts.read_text()) == {"rules": ["AAPL price > 1"]}
        assert json.loads(simulated.fired.read_text())["fired"] == [["AAPL price > 1", "AAPL"]]
        assert simulated.loads.exists()

    async def test_dead_letters_of_simulated_records_go_along_and_say_so(self, data_dir: DataDir) -> None:
        article = Article(ticker="AAPL", ts=START, id="1", title="t", simulated=True)
        payload = encode(article).decode()
        letter = DeadLetter(ts=START, topic="stock_data_aapl", partition=0, offset=0, reason="odd", payload=payload)
        published_before(data_dir.bus, [record_of(bar("AAPL", 1, simulated=True)), record_of(letter)], {})
        await migrate(data_dir)
        async with _bus(data_dir.within(SIMULATED).bus) as bus:
            (found,) = [r async for batch in bus.read(TopicPartition("dead_letter", 0), 0, 9) for r in batch]
        assert json.loads(found.value)["simulated"] is True


class TestReal:
    async def test_nothing_moves(self, data_dir: DataDir) -> None:
        bars = [bar("AAPL", n, simulated=False) for n in range(5)]
        stored_before(data_dir.store, bars)
        published_before(data_dir.bus, [record_of(one) for one in bars], {SINK_GROUP: {"stock_data_aapl": 2}})
        (data_dir.path / "alerts.json").write_text('{"rules": [], "fired": [["AAPL price > 1", "AAPL"]]}')
        await migrate(data_dir)
        assert not data_dir.within(SIMULATED).space.exists()
        assert len(await documents(data_dir.store, "stock_data")) == len(await documents(data_dir.store, "indicators"))
        assert json.loads(data_dir.fired.read_text())["fired"] == [["AAPL price > 1", "AAPL"]]

    async def test_a_new_directory_is_current(self, data_dir: DataDir) -> None:
        await migrate(data_dir)
        assert [path.name for path in data_dir.path.iterdir()] == ["layout.json"]


async def test_until_then_the_doctor_says_that_nothing_is_wrong(data_dir: DataDir) -> None:
    stored_before(data_dir.store, TestMixed.bars)
    for space in (data_dir, data_dir.within(SIMULATED)):
        finding = await embedded_store(space)
        assert (finding.level, finding.fix) == ("warning", "none needed: start the pipeline")
    await migrate(data_dir)
    for space in (data_dir, data_dir.within(SIMULATED)):
        assert (await embedded_store(space)).level == "ok"


async def test_a_damaged_database_stops_the_start_and_is_named(data_dir: DataDir) -> None:
    data_dir.bus.write_text("this is not a database, and long enough to be seen as none" * 50)
    with pytest.raises(DataDirError, match="it is not a database; move it away to start with an empty one"):
        await migrate(data_dir)
    assert not Layout.of(data_dir.path).is_current


def test_what_is_moved_is_private(data_dir: DataDir) -> None:
    import asyncio

    stored_before(data_dir.store, TestMixed.bars)
    asyncio.run(migrate(data_dir))
    simulated = data_dir.within(SIMULATED)
    assert simulated.space.stat().st_mode & 0o777 == 0o700
    assert simulated.store.stat().st_mode & 0o077 == 0
    assert set(COLLECTIONS) <= set(_tables(simulated.store))


def _tables(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        yield from (name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
