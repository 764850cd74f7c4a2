"""What the whole pipeline takes, from the replay of bars to their rows of indicators in the store.

    uv run python -m bench.pipeline [--bars N] [--runs N]

On the embedded engines, on Kafka (a broker started here, if there is a JDK and Maven) with the embedded store, and on
Kafka with SecantusDB, a small server of MongoDB's protocol whose own speed is then what is measured.

Start: from that of the process to the first bar in the store. Throughput: bars of 20 tickers are added to a real
pipeline process that has warmed up; the time is that until the last row of indicators is stored. Medians. Latency: bars
at a steady rate; from a bar's header `ingested`, set when it is published, until the bar is stored, until its row of
indicators is, and until a screen has a snapshot that shows it.
"""

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import batched
from pathlib import Path

from bench.embedded import BATCH
from bench.embedded import bars as some_bars
from bench.latencies import latency
from bench.replayed import PATIENCE, TICKERS, Engines, record, running
from bench.shares import shares
from pipeline.contract.protocol import Add
from pipeline.model.documents import document_of
from pipeline.store.mongo.store import MongoStore
from testkit.engines.kafka import KRaftKafka
from testkit.engines.mongo import MongoServer
from testkit.engines.process import EngineUnavailableError, ServerProcess

WARM_UP_BARS = 60
STARTS = 5
SLOWER = 10
"""SecantusDB is given so many times fewer bars."""


async def first_stored(engines: Engines) -> float:
    """Seconds from the start of the pipeline's process to its first bar in the store."""
    with tempfile.TemporaryDirectory() as name:
        record(Path(name), "AAPL", 0, WARM_UP_BARS)
        began = time.perf_counter()
        async with running(engines, Path(name), ["AAPL"], 60, lambda _: None) as pipeline:
            async with asyncio.timeout(PATIENCE):
                while not (await pipeline.store.counts())["stock_data"]:  # noqa: ASYNC110 - another process's
                    await asyncio.sleep(0.005)
            return time.perf_counter() - began


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


Open = Callable[[], AbstractContextManager[Engines]]
"""Engines with nothing on them: every figure has its own, for what is on a broker is read by whoever comes next."""


@contextmanager
def embedded() -> Iterator[Engines]:
    yield Engines()


@contextmanager
def kafka() -> Iterator[Engines]:
    with started(KRaftKafka) as broker:
        yield Engines(broker.bootstrap)


@contextmanager
def kafka_and_secantus() -> Iterator[Engines]:
    with started(KRaftKafka) as broker, started(MongoServer) as mongo:
        yield Engines(broker.bootstrap, f"{mongo.uri}/bench")


@contextmanager
def started[Server: ServerProcess](kind: Callable[[Path], Server]) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as name:
        server = kind(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def print_start(opened: Open) -> None:
    figures = []
    for _ in range(STARTS):
        with opened() as engines:
            figures.append(asyncio.run(first_stored(engines)))
    print(f"  first bar stored after{statistics.median(figures):>12.2f} s ({min(figures):.2f} to {max(figures):.2f})")


def print_throughput(opened: Open, bars: int, runs: int) -> None:
    figures = []
    for _ in range(runs):
        with opened() as engines:
            figures.append(asyncio.run(throughput(engines, bars)))
    spread = f"   ({min(figures):,.0f} to {max(figures):,.0f})" if runs > 1 else ""
    print(f"  bars a second, of {bars:,}{statistics.median(figures):>12,.0f}{spread}")


def print_latencies(opened: Open) -> None:
    with opened() as engines:
        by_rate = asyncio.run(latency(engines))
    print("  latency, ms (p50 / p99)            stored       row stored         snapshot")
    for rate, by_what in by_rate.items():
        cells = "".join(f"{p50:>9.0f} / {p99:<5.0f}" for p50, p99 in map(quantiles, by_what.values()))
        print(f"  at {rate:>5,} bars a second   {cells}")


def quantiles(values: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    cuts = statistics.quantiles(values, n=100)
    return cuts[49], cuts[98]


def print_shares(opened: Open, bars: int) -> None:
    with tempfile.TemporaryDirectory() as name, opened() as engines:
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
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # as a pipeline does
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores")
    try:
        for name, opened in (("embedded bus and store", embedded), ("Kafka, embedded store", kafka)):
            print(f"\n{name}")
            print_start(opened)
            print_throughput(opened, bars, arguments.runs)
            print_latencies(opened)
            print_shares(opened, bars)
        print("\nKafka, SecantusDB")
        print_throughput(kafka_and_secantus, bars // SLOWER, 1)
        with started(MongoServer) as mongo:
            alone = asyncio.run(upserted(mongo.uri, 2 * bars // SLOWER))
        print(f"  documents upserted a second by that server alone{alone:>9,.0f}")
    except EngineUnavailableError as reason:
        print(f"  not measured: {reason}")


if __name__ == "__main__":
    main()
