"""What the embedded bus and store take: records and documents a second, the time of a look-up, peak memory.

uv run python -m bench.embedded
"""

import asyncio
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from time import perf_counter

from pipeline.bus.base import Received, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import records_of
from pipeline.model.documents import Document, document_of
from pipeline.model.messages import Bar
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
    documents = [document_of(message) for message in messages]
    print(f"store: {len(documents):,} bars, batches of {BATCH}")
    store = EmbeddedStore(directory / "store.sqlite")
    await store.open()
    for what in ("new", "repeated"):
        seconds, slowest = await upsert_all(store, documents)
        report(f"  upserted, {what}", len(documents) / seconds, "a second")
        report(f"  slowest batch, {what}", 1000 * slowest, "ms")
    report("  find the last 20 of a ticker and interval", await find_all(store), "µs")
    started = perf_counter()
    await store.counts()
    report("  counts", 1e6 * (perf_counter() - started), "µs")
    await store.close()


async def upsert_all(store: EmbeddedStore, documents: Sequence[Document]) -> tuple[float, float]:
    """Seconds for all, and for the slowest batch."""
    times = []
    for batch in batched(documents, BATCH):
        started = perf_counter()
        await store.upsert("stock_data", batch)
        times.append(perf_counter() - started)
    return sum(times), max(times)


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
