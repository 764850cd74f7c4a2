"""What the whole pipeline takes, from the replay of bars to their rows of indicators in the store.

    uv run python -m bench.pipeline [--bars N] [--runs N]

On the embedded engines, on Kafka (a broker started here, if there is a JDK and Maven) with the embedded store, and on
Kafka with SecantusDB, a small server of MongoDB's protocol whose own speed is then what is measured.

Throughput: bars of 20 tickers are added to a real pipeline process that has warmed up; the time is that until the last
row of indicators is stored. Medians. Latency: bars at a steady rate; from a bar's header `ingested`, set when it is
published, until the bar is stored, until its row of indicators is, and until a screen has a snapshot that shows it.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import batched
from pathlib import Path

from bench.embedded import BATCH
from bench.embedded import bars as some_bars
from bench.latencies import latency
from bench.replayed import TICKERS, Engines, record, running
from bench.shares import shares
from pipeline.documents import document_of
from pipeline.protocol import Add
from pipeline.store.mongo import MongoStore
from tests.engines.kafka import KRaftKafka
from tests.engines.mongo import MongoServer
from tests.engines.process import EngineUnavailableError, ServerProcess

WARM_UP_BARS = 60
SLOWER = 20
"""SecantusDB is given so many times fewer bars."""


async def throughput(engines: Engines, bars: int) -> float:
    """Bars a second."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for ticker in TICKERS:
            record(directory, ticker, 0, bars // len(TICKERS))
        record(directory, "WARMUP", 0, WARM_UP_BARS)
        async with running(engines, directory, ["WARMUP"], "max", lambda _: None) as pipeline:
            await pipeline.stored(WARM_UP_BARS)
            began = time.perf_counter()
            await pipeline.control.ask(Add(TICKERS))
            await pipeline.stored(WARM_UP_BARS + bars)
            return bars / (time.perf_counter() - began)


async def upserted(uri: str, count: int) -> float:
    """Documents a second that a MongoDB server takes when nothing else is done."""
    documents = [document_of(message) for message in some_bars()[:count]]
    store = MongoStore(uri)
    await store.open()
    began = time.perf_counter()
    for batch in batched(documents, BATCH):
        await store.upsert("stock_data", batch)
    elapsed = time.perf_counter() - began
    await store.close()
    return count / elapsed


def measure(engines: Engines, bars: int, runs: int) -> None:
    """Print throughput and latency."""
    print(f"\n{engines.name}")
    figures = [asyncio.run(throughput(engines, bars)) for _ in range(runs)]
    spread = f"   ({min(figures):,.0f} to {max(figures):,.0f})" if runs > 1 else ""
    print(f"  bars a second, {bars:,} bars{statistics.median(figures):>13,.0f}{spread}")
    if not engines.mongodb:
        print("  latency, ms (p50 / p99)            stored       row stored         snapshot")
        for rate, by_what in asyncio.run(latency(engines)).items():
            cells = "".join(f"{p50:>9.0f} / {p99:<5.0f}" for p50, p99 in map(quantiles, by_what.values()))
            print(f"  at {rate:>5,} bars a second   {cells}")


def quantiles(values: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    cuts = statistics.quantiles(values, n=100)
    return cuts[49], cuts[98]


def print_shares(engines: Engines, bars: int) -> None:
    """Print where the CPU time goes."""
    with tempfile.TemporaryDirectory() as name:
        for ticker in TICKERS:
            record(Path(name), ticker, 0, bars // len(TICKERS))
        spent = shares(engines, Path(name), TICKERS)
    total = sum(spent.values())
    print(f"  CPU, {1e6 * total / bars:.0f} µs a bar, of which")
    for stage, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        if seconds > 0.01 * total:
            print(f"    {stage:<36}{100 * seconds / total:>4.0f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the pipeline from end to end.")
    parser.add_argument("--bars", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    bars = arguments.bars - arguments.bars % len(TICKERS)
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def started[S: ServerProcess](kind: Callable[[Path], S]) -> S:
            (folder / kind.__name__).mkdir()
            server = kind(folder / kind.__name__)
            stack.callback(server.stop)
            server.start()
            return server

        embedded = Engines("embedded bus and store")
        measure(embedded, bars, arguments.runs)
        print_shares(embedded, bars)
        try:
            broker, mongo = started(KRaftKafka), started(MongoServer)
        except EngineUnavailableError as reason:
            print(f"\nKafka and MongoDB are not measured: {reason}")
            return
        kafka = Engines("Kafka, embedded store", kafka=broker.bootstrap)
        measure(kafka, bars, arguments.runs)
        print_shares(kafka, bars)
        measure(Engines("Kafka, SecantusDB", broker.bootstrap, f"{mongo.uri}/bench"), bars // SLOWER, 1)
        alone = asyncio.run(upserted(f"{mongo.uri}/alone", 2 * bars // SLOWER))
        print(f"  documents upserted a second by that server alone{alone:>9,.0f}")


if __name__ == "__main__":
    main()
