"""The way of one bar through the embedded pipeline, step by step: the CPU of each, alone.

    uv run python -m bench.one_bar

From a line of a recording to the bar and its row of indicators in the store, in batches of 500 from 20 tickers. CPU of
the whole process, threads included; medians of five runs. The sum leaves out what the steps cost each other: hops
between threads, and waits for the interpreter's lock.
"""

import asyncio
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import batched
from pathlib import Path
from time import process_time
from zoneinfo import ZoneInfo

from bench import history_source
from pipeline.analytics.series import Series
from pipeline.bus.base import Received, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import decode_all, records_of
from pipeline.model.documents import document_of
from pipeline.model.messages import Bar, IndicatorRow
from pipeline.sources.replay.csv_files import BarFile
from pipeline.store.embedded.store import EmbeddedStore

TICKERS = [f"TICK{number:02d}" for number in range(20)]
BARS = 1_000
BATCH = 500
RUNS = 5
EASTERN = ZoneInfo("America/New_York")


class Steps:
    """Seconds of CPU by step."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = process_time()
        yield
        self.seconds[name] += process_time() - began


def recorded(directory: Path, ticker: str) -> Path:
    path = directory / f"{ticker}_1min.csv"
    bars = history_source.bars(ticker, range(BARS))
    rows = (f"{b.ts:%Y-%m-%d %H:%M:%S},{b.open},{b.high},{b.low},{b.close},{b.volume:.0f}" for b in bars)
    path.write_text("\n".join(["datetime,open,high,low,close,volume", *rows]))
    return path


def in_turns(bars: dict[str, list[Bar]]) -> Iterator[Sequence[Bar]]:
    """As a recording is played: all tickers minute by minute."""
    return batched((bar for minute in zip(*bars.values(), strict=True) for bar in minute), BATCH)


async def publish(bus: EmbeddedBus, steps: Steps, name: str, messages: Sequence[Bar | IndicatorRow]) -> None:
    with steps.step(f"{name}: to a record"):
        records = records_of(messages)
    with steps.step(f"{name}: published"):
        await bus.publish(records)
    received = [Received(r.topic, r.key, r.value, r.ts, r.headers, decoded=r.decoded) for r in records]
    with steps.step(f"{name}: decoded and checked"):
        decode_all(received)


async def store(store: EmbeddedStore, steps: Steps, name: str, messages: Sequence[Bar | IndicatorRow]) -> None:
    with steps.step(f"{name}: to a document"):
        documents = [document_of(message) for message in messages]
    with steps.step(f"{name}: stored"):
        await store.upsert(documents[0].collection, documents)


async def run(directory: Path) -> dict[str, float]:
    """The steps, µs a bar."""
    steps = Steps()
    bus, documents = EmbeddedBus(directory / "bus.sqlite"), EmbeddedStore(directory / "store.sqlite")
    await bus.open()
    await documents.open()
    paths = {ticker: recorded(directory, ticker) for ticker in TICKERS}
    bars: dict[str, list[Bar]] = {}
    with steps.step("bar: read from a recording"):
        for ticker, path in paths.items():
            file = BarFile(path, ticker, "1min", EASTERN)
            rows = [row for start in range(0, BARS, BATCH) for row in file.read(start, BATCH)]
            bars[ticker] = [row for row in rows if isinstance(row, Bar)]
    series = {ticker: Series(ticker, "1min", EASTERN) for ticker in TICKERS}
    for batch in in_turns(bars):
        await publish(bus, steps, "bar", batch)
        by_ticker: defaultdict[str, list[Bar]] = defaultdict(list)
        for one in batch:
            by_ticker[one.ticker].append(one)
        with steps.step("row: computed"):
            computed = [row for ticker, group in by_ticker.items() for row in series[ticker].merge(group)]
        await publish(bus, steps, "row", computed)
        await store(documents, steps, "bar", batch)
        await store(documents, steps, "row", computed)
    with steps.step("(both read from the file, by who is far behind)"):
        for kind in ("stock_data", "indicators"):
            for ticker in TICKERS:
                found: list[Received] = []
                async for part in bus.read(TopicPartition(f"{kind}_{ticker.lower()}", 0), 0, BARS):
                    found += part
                assert len(found) == BARS
    await bus.close()
    await documents.close()
    assert not decode_all(found)[1]
    return {name: seconds / (BARS * len(TICKERS)) * 1e6 for name, seconds in steps.seconds.items()}


def main() -> None:
    runs = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as name:
            runs.append(asyncio.run(run(Path(name))))
    middle = {step: statistics.median(found[step] for found in runs) for step in runs[0]}
    print(f"python {sys.version.split()[0]}; {BARS:,} bars of {len(TICKERS)} tickers, µs of CPU a bar")
    for step, cost in middle.items():
        print(f"| {step} | {cost:.1f} |")
    print(f"| in all | {sum(cost for step, cost in middle.items() if not step.startswith('(')):.1f} |")


if __name__ == "__main__":
    main()
