"""Collections as files: what is in them, and what becomes of them when something goes wrong."""

import asyncio
import csv
import io
import signal
import sys
import weakref
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from pipeline.contract.schemas import KINDS
from pipeline.model.documents import COLLECTIONS, OTHER_THAN_BARS, document_of
from pipeline.model.messages import Article, Bar, DeadLetter, Dividend, Forecast, HorizonForecast, Quote, Split
from pipeline.ops import export as exports
from pipeline.ops import parquet
from pipeline.ops.export import UnwritableError, check_query, check_target, export, remarks
from pipeline.ops.lines import lines_of
from pipeline.ops.query import QueryError, write
from pipeline.ops.tabular import table_of
from pipeline.store.base import Query, Store, StoreError
from pipeline.store.embedded.store import EmbeddedStore
from testkit.data import NEW_YORK
from tools.docs.examples import EXAMPLES

TS = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
_OF_INTERVALS = ("stock_data", "indicators", "forecasts")
"""A daily one is of a day."""


def bar(minute: int, **more: Any) -> Bar:
    values = {"open": 1.5, "high": 1.5, "low": 1.5, "close": 1.5, "volume": 7.0, "interval": "1min", "source": "yahoo"}
    return Bar(**({"ticker": "AAPL", "ts": TS + timedelta(minutes=minute)} | values | more))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    """With an example of everything."""
    opened = EmbeddedStore(tmp_path / "store.sqlite")
    await opened.open()
    await put(opened, *EXAMPLES.values())
    yield opened
    await opened.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "file.parquet"


async def put(store: Store, *messages: Any) -> None:
    for message in messages:
        document = document_of(message)
        await store.upsert(document.collection, [document])


async def written(store: Store, target: Path, collection: str, **query: Any) -> exports.Exported:
    force = query.pop("force", False)
    return await export(store, Query(collection, **query), target, NEW_YORK, origin="of staging", force=force)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def content(path: Path) -> bytes:
    return path.read_bytes()


def fill(path: Path, text: bytes) -> None:
    path.write_bytes(text)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize("collection", COLLECTIONS)
async def test_a_parquet_file_has_what_is_stored(store: EmbeddedStore, target: Path, collection: str) -> None:
    exported = await written(store, target, collection)
    (row,) = rows_of(target)
    kind = next(kind for kind in KINDS.values() if kind.collection == collection)
    example = msgspec.structs.asdict(EXAMPLES[kind.name])
    document = document_of(EXAMPLES[kind.name])
    words = [{"word": word, "valence": valence} for word, valence in example.pop("words", ())]
    for said in example.pop("horizons", ()):  # of which the example has one
        due = msgspec.structs.asdict(said.due)
        example |= msgspec.structs.asdict(said) | {f"due_{name}": value for name, value in due.items()}
        del example["due"]
    assert {name: row.pop(name) for name in list(row) if name in example} == example
    assert row.pop("_id") == document.id
    assert row.pop("words", []) == words
    assert row == ({"day": None} if collection in _OF_INTERVALS else {})
    assert exported.rows == 1


async def test_a_forecast_is_a_line_for_each_horizon(store: EmbeddedStore, target: Path) -> None:
    forecast = EXAMPLES["forecast"]
    assert isinstance(forecast, Forecast)
    farther = HorizonForecast(horizon=5, low_80=160.0, high_80=180.0)
    await put(store, replace(forecast, ts=TS + timedelta(days=1), horizons=(*forecast.horizons, farther)))
    await written(store, target, "forecasts", last=1)
    assert [(row["horizon"], row["low_80"], row["due_low_80"]) for row in rows_of(target)] == [
        (1, 170.7, 170.63),
        (5, 160.0, None),
    ]
    printed = io.StringIO(newline="")
    write(await store.find(Query("forecasts", last=1)), "csv", NEW_YORK, printed)
    await written(store, target.with_suffix(".csv"), "forecasts", interval="1min", last=1)
    assert target.with_suffix(".csv").read_text() == printed.getvalue()
    for document in ({"horizons": 3}, {"horizons": [3]}, {"horizon": 1, "came": 2.0}):  # of others
        assert lines_of(document) == [document]


@pytest.mark.parametrize("name", ["quote", "split", "dividend"])
async def test_what_is_no_bar_has_columns_of_its_own(store: EmbeddedStore, target: Path, name: str) -> None:
    await written(store, target, "stock_data", interval=name)
    (row,) = rows_of(target)
    assert row.pop("interval") == name
    assert row.pop("_id").split("|")[1] == name
    assert row == msgspec.structs.asdict(EXAMPLES[name])


async def test_columns_have_types(store: EmbeddedStore, target: Path) -> None:
    await put(store, bar(0, interval="daily", ts=datetime(2026, 3, 4, 5, tzinfo=UTC), volume=None))
    await written(store, target, "stock_data", interval="daily")
    schema = pq.read_schema(target)
    assert schema.names[:6] == ["ts", "day", "ticker", "interval", "source", "_id"]
    assert schema.field("ts").type == pa.timestamp("us", tz="UTC")
    assert schema.field("day").type == pa.date32()
    assert schema.field("close").type == pa.float64()
    assert schema.field("revision").type == pa.int64()
    assert schema.field("closed").type == pa.bool_()
    assert schema.metadata[b"fintrends_schema"] == b"bar.v1"
    assert schema.metadata[b"fintrends_origin"] == b"of staging"
    (row,) = rows_of(target)
    assert row["day"] == date(2026, 3, 4)
    assert row["volume"] is None
    frame = pq.read_table(target).to_pandas()
    assert str(frame["ts"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    "query",
    [
        *({"collection": collection} for collection in COLLECTIONS if collection not in _OF_INTERVALS),
        *({"collection": "stock_data", "interval": interval} for interval in OTHER_THAN_BARS.values()),
        {"collection": "stock_data", "interval": "daily"},
        {"collection": "stock_data", "interval": "1min"},
        {"collection": "indicators", "interval": "1min"},
        {"collection": "forecasts", "interval": "1min"},
    ],
    ids=lambda query: "-".join(query.values()),
)
async def test_csv_is_as_a_query_prints_it(store: EmbeddedStore, target: Path, query: dict[str, str]) -> None:
    await put(store, bar(1), bar(2, volume=None), bar(0, interval="daily"), bar(3, currency="USD", closed=False))
    path = target.with_suffix(".csv")
    await written(store, path, **query)
    printed = io.StringIO(newline="")
    write(await store.find(Query(**query)), "csv", NEW_YORK, printed)
    assert path.read_bytes().decode() == printed.getvalue()


async def test_text_in_csv_is_no_formula(store: EmbeddedStore, target: Path) -> None:
    await put(store, Article(ticker="MSFT", ts=TS, id="1", title="=HYPERLINK(1)"))
    await written(store, target.with_suffix(".csv"), "news", ticker="MSFT")
    (row,) = csv.DictReader(io.StringIO(target.with_suffix(".csv").read_text("utf-8"), newline=""))
    assert row["title"] == "'=HYPERLINK(1)"


async def test_only_what_is_asked_for(store: EmbeddedStore, target: Path) -> None:
    await put(store, *(bar(m, ticker=t, source=s) for m in range(9) for t in ("A", "B") for s in ("x", "y")))
    asked = {"ticker": "A", "source": "x", "interval": "1min"}
    span = {"since": TS + timedelta(minutes=2), "until": TS + timedelta(minutes=7)}
    await written(store, target, "stock_data", **asked, **span)
    found = rows_of(target)
    assert [row["ts"] for row in found] == [TS + timedelta(minutes=minute) for minute in range(2, 7)]
    assert {(row["ticker"], row["source"]) for row in found} == {("A", "x")}
    await written(store, target, "stock_data", **asked, last=2, force=True)
    assert [row["ts"] for row in rows_of(target)] == [TS + timedelta(minutes=minute) for minute in (7, 8)]


async def test_of_all_stock_data_the_bars(store: EmbeddedStore, target: Path) -> None:
    await put(store, bar(-1), bar(0, ticker="MSFT", interval="5min"), bar(1))
    others = (Quote(ticker="A", ts=TS, price=1), Split(ticker="A", ts=TS, numerator=2, denominator=1))
    await put(store, *others, Dividend(ticker="A", ts=TS, amount=1))
    exported = await written(store, target, "stock_data", since=TS - timedelta(minutes=2))
    assert [row["interval"] for row in rows_of(target)] == ["1min", "1min", "5min", "1min"]
    told = list(remarks(exported, target, ""))
    assert [sentence.split()[0] for sentence in told] == ["dividends", "quotes", "splits", "4"]
    assert "--interval split exports them" in told[2]


async def test_what_others_stored_is_left_out_and_said(store: EmbeddedStore, target: Path) -> None:
    class Shared(EmbeddedStore):
        def __init__(self) -> None:
            self.__dict__ = store.__dict__

        async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
            async for documents in super().scan(query):
                yield [{"_id": 5}, {}, *documents, {"_id": "a", "ts": TS, "ticker": "A", "open": [1]}]

    await put(store, DeadLetter(ts=TS, topic="t", partition=0, offset=2**70, reason="r", payload="p"))
    exported = await written(Shared(), target, "dead_letter")
    assert len(rows_of(target)) == exported.rows == 1
    assert "4 documents that this pipeline did not write are left out" in list(remarks(exported, target, ""))


async def test_nothing_is_a_file_with_columns(store: EmbeddedStore, target: Path) -> None:
    exported = await written(store, target, "indicators", ticker="NONE")
    assert rows_of(target) == []
    assert "sma_20" in pq.read_schema(target).names
    assert list(remarks(exported, target, "SIMULATED"))[:2] == [
        "SIMULATED",
        "nothing found; the file has the columns and no rows",
    ]


async def test_row_groups_are_large_and_all_is_written(
    store: EmbeddedStore, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 1000)
    documents = [document_of(bar(minute, ticker="MANY")) for minute in range(2100)]
    await store.upsert("stock_data", documents)
    exported = await written(store, target, "stock_data", ticker="MANY")
    metadata = pq.read_metadata(target)
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [1000, 1000, 100]
    assert [row["_id"] for row in rows_of(target)] == [document.id for document in documents]
    assert exported.rows == 2100


class Endless(EmbeddedStore):
    """Hands out the same document, as often as it is told to, and then does something else."""

    def __init__(self, parts: int, error: BaseException | None = None) -> None:
        self._parts, self._error = parts, error
        self._document = {"_id": "x", "ticker": "A", "ts": TS, "id": "1", "title": "t" * 100}

    async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
        for _ in range(self._parts):
            yield [self._document] * 1000
        if self._error:
            raise self._error

    async def count(self, query: Query) -> int:
        return self._parts * 1000


class Counted(dict[str, Any]):
    """A document that can be asked for whether it is still held."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
async def test_no_more_is_held_than_a_part(target: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 200)
    alive: weakref.WeakSet[Counted] = weakref.WeakSet()
    held: list[tuple[int, int]] = []

    class Watched(Endless):
        async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
            for _ in range(40):
                part = [Counted(self._document) for _ in range(100)]
                for document in part:
                    alive.add(document)
                yield part
                del part, document
                held.append((len(alive), pa.total_allocated_bytes()))

    Counted.__hash__ = object.__hash__  # type: ignore[assignment]
    Counted.__eq__ = object.__eq__  # type: ignore[assignment]
    await written(Watched(0), target.with_suffix(suffix), "news")
    assert max(documents for documents, _ in held) <= 100, "the part that the exporter has in its hands"
    of_columns = [size for _, size in held]
    assert max(of_columns[20:]) <= max(of_columns[:20])


class Interrupted(BaseException):
    """As Ctrl+C is."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StoreError("away"), StoreError),
        (Interrupted(), Interrupted),
        (OSError(28, "No space left on device"), UnwritableError),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
async def test_nothing_half_written_is_left(
    target: Path, suffix: str, error: BaseException, expected: type[BaseException]
) -> None:
    file, folder = target.with_suffix(suffix), target.parent
    with pytest.raises(expected):
        await written(Endless(3, error), file, "news")
    assert names(folder) == []
    fill(file, b"earlier")
    with pytest.raises(expected):
        await written(Endless(3, error), file, "news", force=True)
    assert names(folder) == [file.name]
    assert content(file) == b"earlier"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(target: Path, number: signal.Signals) -> None:
    class Signalled(Endless):
        async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
            yield [self._document]
            assert names(target.parent), "it has begun"
            signal.raise_signal(number)
            await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt), exports.stoppable():
        asyncio.run(written(Signalled(0), target, "news"))
    assert names(target.parent) == []


async def test_a_file_is_replaced_only_by_force(target: Path) -> None:
    fill(target, b"precious")
    with pytest.raises(QueryError, match="--force"):
        check_target(target, force=False)
    with pytest.raises(UnwritableError, match="meanwhile"):  # it came to be there after it was looked for
        await written(Endless(1), target, "news")
    assert content(target) == b"precious"
    assert check_target(target, force=True) == target
    await written(Endless(1), target, "news", force=True)
    assert len(rows_of(target)) == 1000
    assert names(target.parent) == [target.name]


def test_what_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "there" / "file.csv")
    assert check_target(tmp_path / "link.csv", force=False) == tmp_path / "there" / "file.csv"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("file.xlsx", ".parquet or .csv"),
        ("file", ".parquet or .csv"),
        ("nowhere/file.csv", "there is no directory"),
        ("folder.csv", "is not a file"),
    ],
)
def test_a_target_that_cannot_be_is_refused(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    for force in (True, False):
        with pytest.raises(QueryError, match=told):
            check_target(tmp_path / name, force=force)


def test_parquet_without_pyarrow_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(QueryError, match=r"fintrends-tui\[parquet\]"):
        check_target(tmp_path / "file.parquet", force=False)
    assert check_target(tmp_path / "file.csv", force=False)


def test_the_last_of_several_intervals_is_refused() -> None:
    with pytest.raises(QueryError, match="--interval"):
        check_query(Query("stock_data", last=5))
    check_query(Query("stock_data", interval="1min", last=5))
    check_query(Query("news", last=5))


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


async def test_a_terminal_shows_how_far_it_is(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("pipeline.ops.progress._PERIOD", 0)
    await written(Endless(4), target, "news")
    lines = [line for line in shown.getvalue().split("\r\x1b[K") if line]
    assert lines == [
        "[##........] 25 % of 4,000 documents",
        "[#####.....] 50 % of 4,000 documents",
        "[#######...] 75 % of 4,000 documents",
        "[##########] 100 % of 4,000 documents",
    ]
    assert shown.getvalue().endswith("\r\x1b[K")


async def test_elsewhere_nothing_is_shown(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await written(Endless(1), target, "news")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_collection_has_a_table(collection: str) -> None:
    columns = table_of(collection, None).columns
    assert columns[0] == ("ts", "time")
    assert len({column.name for column in columns}) == len(columns)
