"""What the embedded bus and store take: CPU and disk of a record and of a document, the time of a look-up, what a
history takes to be read back, peak memory.

uv run python -m bench.embedded
"""

import asyncio
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from time import perf_counter, process_time
from zoneinfo import ZoneInfo

from pipeline.analytics.series import Series
from pipeline.bus.base import Received, Record, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import records_of
from pipeline.model.documents import document_of
from pipeline.model.messages import Bar, IndicatorRow
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore

MESSAGES = 100_000
BATCH = 500
TICKERS = [f"TICK{i}" for i in range(20)]
LOOK_UPS = 500


def bars() -> list[Bar]:
    """Of a walk, for what is alike packs better than what comes in life."""
    rng = random.Random(7)
    start = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    closes = dict.fromkeys(TICKERS, 187.5)
    made = []
    for i in range(MESSAGES):
        ticker = TICKERS[i % len(TICKERS)]
        open_ = closes[ticker]
        closes[ticker] = close = round(open_ * (1 + rng.gauss(0, 5e-4)), 2)
        made.append(
            Bar(
                ticker=ticker,
                interval="1min",
                ts=start + timedelta(minutes=i // len(TICKERS)),
                open=open_,
                high=round(max(open_, close) + rng.random() / 10, 2),
                low=round(min(open_, close) - rng.random() / 10, 2),
                close=close,
                volume=float(rng.randrange(100_000)),
                source="simulator",
                simulated=True,
            )
        )
    return made


def rows(of: Sequence[Bar]) -> list[IndicatorRow]:
    """Their rows of indicators, in the same order."""
    zone = ZoneInfo("America/New_York")
    each = [iter(Series(t, "1min", zone).merge([bar for bar in of if bar.ticker == t])) for t in TICKERS]
    return [row for at_once in zip(*each, strict=True) for row in at_once]


def report(what: str, value: float, unit: str, digits: int = 0) -> None:
    print(f"{what:<48} {value:>12,.{digits}f} {unit}")


async def bench_bus(directory: Path, what: str, records: Sequence[Record]) -> None:
    size = sum(len(record.value) for record in records) / len(records)
    print(f"bus: {len(records):,} {what} of {size:.0f} bytes in {len(TICKERS)} topics")
    topics = {record.topic for record in records}
    for how, published, together in (
        (f"in batches of {BATCH}", records, BATCH),
        ("one by one", records[: len(records) // 10], 1),
    ):
        path = directory / f"{what} {together}.sqlite"
        bus = EmbeddedBus(path)
        await bus.open()
        await bus.create_topics(topics)
        began = process_time()
        for batch in batched(published, together):
            await bus.publish(batch)
        report_cost(f"  published {how}, CPU a record", began, len(published))
        report("    disk a record", used(path) / len(published), "bytes")
        began = process_time()
        await bus.merge()
        report_cost("    made larger blocks by the hour", began, len(published))
        report("    disk a record", used(path) / len(published), "bytes")
        for groups in (1, 3):
            await bus.close()
            await bus.open()  # nothing is in memory
            consumers = [bus.consumer(f"{groups} {n}", topics) for n in range(groups)]
            began = process_time()
            read = 0
            while read < groups * len(published):
                for consumer in consumers:
                    received = await consumer.poll(BATCH, 1.0)
                    await consumer.commit(positions(received))
                    read += len(received)
            report_cost(f"    read by {groups} that are behind, and committed", began, read)
        await bus.close()
        bus = EmbeddedBus(path, retention=timedelta(0))
        began = process_time()
        await bus.open()
        report_cost("    swept", began, len(published))
        await bus.close()


def report_cost(what: str, began: float, count: int) -> None:
    report(what, 1e6 * (process_time() - began) / count, "µs", 1)


def used(path: Path) -> int:
    """Bytes of the file that hold something."""
    with closing(sqlite3.connect(path)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def positions(received: Sequence[Received]) -> dict[TopicPartition, int]:
    return {record.source: record.offset + 1 for record in received}


async def bench_store(directory: Path, messages: Sequence[Bar]) -> None:
    print(f"store: {len(messages):,} bars with their rows of indicators, batches of {BATCH} bars")
    path = directory / "store.sqlite"
    store = EmbeddedStore(path)
    await store.open()
    of_bars = rows(messages)
    for what in ("new", "repeated"):
        measured = await upsert_all(store, messages, of_bars)
        report(f"  upserted, {what}", 2 * len(messages) / measured.seconds, "documents a second")
        report(f"  made and upserted, {what}", 1e9 * measured.cpu / len(messages), "ns CPU for the 2 of a bar")
        report(f"  slowest batch, {what}", 1000 * measured.slowest, "ms")
    report("  find the last 20 of a ticker and interval", await find_all(store), "µs")
    started = process_time()
    restored = await restore_all(store)
    report("  restored as columns", 1e9 * (process_time() - started) / restored, "ns CPU a bar")
    assert restored == len(messages)
    started = perf_counter()
    await store.counts()
    report("  counts", 1e6 * (perf_counter() - started), "µs")
    await store.close()
    report("  on disk", path.stat().st_size / len(messages), "bytes a bar with its row")


@dataclass(frozen=True)
class Upserted:
    """Seconds for all, on the clock and of CPU, and on the clock for the slowest batch."""

    seconds: float
    cpu: float
    slowest: float


async def upsert_all(store: EmbeddedStore, bars: Sequence[Bar], rows: Sequence[IndicatorRow]) -> Upserted:
    times = []
    cpu = process_time()
    for of_bars, of_rows in zip(batched(bars, BATCH), batched(rows, BATCH), strict=True):
        started = perf_counter()
        await store.upsert("stock_data", [document_of(bar) for bar in of_bars])
        await store.upsert("indicators", [document_of(row) for row in of_rows])
        times.append(perf_counter() - started)
    return Upserted(sum(times), process_time() - cpu, max(times))


async def restore_all(store: EmbeddedStore) -> int:
    """How many bars that were."""
    count = 0
    for ticker in TICKERS:
        series = Series(ticker, "1min", ZoneInfo("America/New_York"))
        async for table in store.bars(Query("stock_data", ticker, "1min"), simulated=True):
            series.restore_table(table)
        count += len(series)
    return count


async def find_all(store: EmbeddedStore) -> float:
    """The median time of a look-up in microseconds."""
    times = []
    for i in range(LOOK_UPS):
        started = perf_counter()
        found = await store.find(Query("stock_data", TICKERS[i % len(TICKERS)], "1min", last=20))
        times.append(perf_counter() - started)
        assert len(found) == 20
    return 1e6 * statistics.median(times)


async def main() -> None:
    messages = bars()
    with tempfile.TemporaryDirectory() as directory:
        await bench_bus(Path(directory), "bars", records_of(messages))
        await bench_bus(Path(directory), "rows", records_of(rows(messages)))
        await bench_store(Path(directory), messages)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report("peak memory, the messages included", peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), "MiB")


if __name__ == "__main__":
    asyncio.run(main())
