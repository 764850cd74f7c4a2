"""The least that one bar takes on one core, and what it takes in the pipeline.

    uv run python -m bench.limit [--bars N] [--runs N]

The least: JSON decoded by msgspec, the row of indicators by TA-Lib's stream handles, the row encoded, bar and row
written to SQLite, nothing else, in one process (`bench/peers`). No bus, no offsets, no order, no corrections, no
screen. Its own first bars, until all indicators have values, do not count. The pipeline: a real process on the embedded
engines, from a replay of CSV files to the stored row, forecasts off. Both on bars of 20 tickers, in turns, in µs of
CPU; medians. Linux only.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from itertools import batched, pairwise
from pathlib import Path

from bench.embedded import bars as some_bars
from bench.peers.messages import decode, encode
from bench.peers.store import PeerStore
from bench.peers.streams import Streams
from bench.processes import usage
from bench.replayed import TICKERS, Engines, record, running
from pipeline.contract.protocol import Add
from pipeline.model.messages import encode as encode_ours

BATCH = 1000
WARM_UP = 60
"""Bars of a ticker."""
STEPS = (
    "decoded by msgspec",
    "row computed by TA-Lib's streams",
    "row encoded by msgspec",
    "bar and row written to SQLite",
)


def least(messages: list[bytes]) -> dict[str, float]:
    """µs of CPU a bar, by what is done."""
    streams: defaultdict[str, Streams] = defaultdict(Streams)
    spent = dict.fromkeys(STEPS, 0.0)
    first, others = messages[: WARM_UP * len(TICKERS)], messages[WARM_UP * len(TICKERS) :]
    for message in first:
        bar = decode(message)
        streams[bar.ticker].update(bar)
    with tempfile.TemporaryDirectory() as directory, closing(PeerStore(f"{directory}/least.sqlite")) as store:
        for batch in batched(others, BATCH):
            times = [time.process_time()]
            bars = [decode(message) for message in batch]
            times.append(time.process_time())
            rows = [streams[bar.ticker].update(bar) for bar in bars]
            times.append(time.process_time())
            _ = [encode(row) for row in rows]
            times.append(time.process_time())
            store.write(zip(bars, rows, strict=True))
            times.append(time.process_time())
            for step, (began, ended) in zip(STEPS, pairwise(times), strict=True):
                spent[step] += ended - began
    return {step: 1e6 * seconds / len(others) for step, seconds in spent.items()}


async def pipeline(bars: int) -> float:
    """µs of CPU a bar in the pipeline."""
    with tempfile.TemporaryDirectory() as name:
        for ticker in TICKERS:
            record(Path(name), ticker, 0, bars // len(TICKERS))
        record(Path(name), "WARMUP", 0, WARM_UP)
        async with running(Engines(), Path(name), ["WARMUP"], "max", lambda _: None) as process:
            await process.stored(WARM_UP)
            before = usage(process.control.pid)
            await process.control.ask(Add(TICKERS))
            await process.stored(WARM_UP + bars)
            return 1e6 * (usage(process.control.pid).seconds - before.seconds) / bars


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the least that a bar takes, and the pipeline.")
    parser.add_argument("--bars", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    bars = arguments.bars - arguments.bars % len(TICKERS)
    messages = [encode_ours(bar) for bar in some_bars()[: bars + WARM_UP * len(TICKERS)]]
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores; {bars:,} bars, {arguments.runs} runs\n")
    floors, ours = [], []
    for number in range(arguments.runs):
        floors.append(least(messages))
        ours.append(asyncio.run(pipeline(bars)))
        print(f"  run {number + 1}: {sum(floors[-1].values()):.1f} and {ours[-1]:.1f} µs", file=sys.stderr)
    total = statistics.median(sum(floor.values()) for floor in floors)
    print("| `uv run python -m bench.limit` | CPU a bar | |\n|---|---|---|")
    for step in STEPS:
        print(f"| {step} | {statistics.median(floor[step] for floor in floors):.1f} µs | |")
    print(f"| the least: all of these | {total:.1f} µs | 1 |")
    middle = statistics.median(ours)
    print(f"| the pipeline, embedded, from replay to stored row | {middle:.1f} µs | {middle / total:.1f} |")


if __name__ == "__main__":
    main()
