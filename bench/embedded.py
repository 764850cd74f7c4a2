"""What the embedded bus and store take: records and documents a second, CPU and disk of a document, the time of a
look-up, what a history takes to be read back, peak memory.

uv run python -m bench.embedded
"""

import asyncio
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from time import perf_counter, process_time
from zoneinfo import ZoneInfo

from pipeline.analytics.series import Series
from pipeline.bus.base import Received, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import records_of
from pipeline.model.documents import document_of
from pipeline.model.messages import INDICATOR_FIELDS, Bar, IndicatorRow, bar_rank
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore

MESSAGES = 100_000
BATCH = 500
TICKERS = [f"TICK{i}" for i in range(20)]
LOOK_UPS = 500


def bars() -> list[Bar]:
    start = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    return [
        Bar(
            ticker=TICKERS[i % len(TICKERS)],
            interval="1min",
            ts=start + timedelta(minutes=i // len(TICKERS)),
            open=187.25,
            high=188.5 + i % 7,
            low=186.75,
            close=187.5 + i % 7,
            volume=123_456.0,
            source="simulator",
            simulated=True,
        )
        for i in range(MESSAGES)
    ]


def report(what: str, value: float, unit: str) -> None:
    print(f"{what:<48} {value:>12,.0f} {unit}")


async def bench_bus(directory: Path, messages: Sequence[Bar]) -> None:
    records = records_of(messages)
    size = sum(len(record.value) for record in records) / len(records)
    print(f"bus: {len(records):,} records of {size:.0f} bytes in {len(TICKERS)} topics, batches of {BATCH}")
    bus = EmbeddedBus(directory / "bus.sqlite")
    await bus.open()
    started = perf_counter()
    for batch in batched(records, BATCH):
        await bus.publish(batch)
    report("  published, one after another", len(records) / (perf_counter() - started), "a second")
    started = perf_counter()
    singles = records[: MESSAGES // 10]
    for group in batched(singles, 50):
        await asyncio.gather(*(bus.publish([record]) for record in group))
    report("  published one by one by 50 at once", len(singles) / (perf_counter() - started), "a second")
    consumer = bus.consumer("bench", await bus.topics())
    consumed = 0
    started = perf_counter()
    while consumed < len(records) + len(singles):
        received = await consumer.poll(BATCH, 1.0)
        consumed += len(received)
        await consumer.commit(positions(received))
    report("  consumed and committed", consumed / (perf_counter() - started), "a second")
    await bus.close()
    bus = EmbeddedBus(directory / "bus.sqlite", retention=timedelta(0))
    started = perf_counter()
    await bus.open()
    report("  swept at open", consumed / (perf_counter() - started), "a second")
    await bus.close()


def positions(received: Sequence[Received]) -> dict[TopicPartition, int]:
    return {record.source: record.offset + 1 for record in received}


async def bench_store(directory: Path, messages: Sequence[Bar]) -> None:
    print(f"store: {len(messages):,} bars with their rows of indicators, batches of {BATCH} bars")
    path = directory / "store.sqlite"
    store = EmbeddedStore(path)
    await store.open()
    rows = [row_of(bar) for bar in messages]
    for what in ("new", "repeated"):
        measured = await upsert_all(store, messages, rows)
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


def row_of(bar: Bar) -> IndicatorRow:
    """A row such as the processor makes: full of digits."""
    return IndicatorRow(
        ticker=bar.ticker,
        interval=bar.interval,
        ts=bar.ts,
        source=bar.source,
        simulated=bar.simulated,
        lineage=f"{int(bar.ts.timestamp()) // 60:08x}-{bar_rank(bar):032x}",
        close=bar.close,
        **{name: bar.close / (7 + n) for n, name in enumerate(INDICATOR_FIELDS)},
    )


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
        async for table in store.bars(ticker, "1min", simulated=True):
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
        await bench_bus(Path(directory), messages)
        await bench_store(Path(directory), messages)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report("peak memory, the messages included", peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), "MiB")


if __name__ == "__main__":
    asyncio.run(main())
