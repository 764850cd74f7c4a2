"""The same bars through the same Kafka into SQLite: this pipeline, and what one would write for this job alone.

    uv run --group bench python -m bench.versus [--tickers 1,20,200] [--bars N] [--runs N] [--only NAME,…]

Needs the recorded bars, a JDK and Maven; Linux only. Each contender has a broker of its own. It is started on 60 bars
a ticker, and when their rows are published and stored, it is given the others, `--bars` of all tickers together.
Measured:

    bars a second   until the last row is published and bars and rows are stored
    CPU a bar       of the contender's processes meanwhile, user and system
    first bars      from the start of its process until the rows of the first 60 bars are published and stored
    peak memory     resident, of its processes

Medians; the ratios are to the loop on aiokafka. `fintrends-tui` runs with the stages that do the same job
(`--roles processor,sink`), forecasts off; in the last line with forecasts, which the others do not make. That the rows
are the same is checked at the last bar of a ticker. The naive loop is given a fiftieth of the bars, and one ticker.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path

from bench.contest import CONTENDERS, WARM_UP, Contender, Figures, Place, measure
from bench.market_bars import market
from bench.pipeline import started
from testkit.engines.kafka import KRaftKafka

BASE = "aiokafka"


class RoomyKafka(KRaftKafka):
    """For the pipeline's topics of 200 tickers, of which each has seven."""

    megabytes = 1024


def run_once(contender: Contender, tickers: int, bars: int) -> Figures:
    each = WARM_UP + bars // contender.slower // tickers
    with tempfile.TemporaryDirectory() as directory, started(RoomyKafka) as broker:
        return asyncio.run(measure(contender, Place(broker.bootstrap, Path(directory)), market(tickers, each)))


def middle(figures: list[Figures]) -> Figures:
    return Figures(*(statistics.median(values) for values in zip(*figures, strict=True)))


def print_table(tickers: int, found: dict[str, list[Figures]]) -> None:
    of_all = {name: middle(figures) for name, figures in found.items()}
    base = of_all.get(BASE)
    print(f"\n| {tickers} ticker{'s' * (tickers > 1)} | bars a second | ratio | CPU a bar | ratio ", end="")
    print("| first bars after | peak memory |\n|---|---|---|---|---|---|---|")
    for name, (speed, cpu, first, peak) in of_all.items():
        ratios = ("", "") if base is None else (f"{speed / base.speed:.3g}", f"{cpu / base.cpu:.3g}")
        print(f"| {CONTENDERS[name].title} | {speed:,.0f} | {ratios[0]} | {cpu:,.0f} µs | {ratios[1]} ", end="")
        print(f"| {first:.1f} s | {peak:,.0f} MiB |")


def print_promises() -> None:
    print("\n| | late and corrected bars | the same bar again | after a crash | state after a restart |")
    print("|---|---|---|---|---|")
    for contender in CONTENDERS.values():
        if contender.promises:
            print(f"| {contender.title} | {' | '.join(contender.promises)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the pipeline with what one would write instead.")
    parser.add_argument("--tickers", default="1,20,200")
    parser.add_argument("--bars", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default=",".join(CONTENDERS), help=f"of {', '.join(CONTENDERS)}")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    if unknown := set(names) - CONTENDERS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(CONTENDERS)}")
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores; {arguments.bars:,} bars, {arguments.runs} runs")
    for tickers in map(int, arguments.tickers.split(",")):
        chosen = [name for name in names if tickers == 1 or not CONTENDERS[name].alone]
        found: dict[str, list[Figures]] = {name: [] for name in chosen}
        for number in range(arguments.runs):
            for name in chosen:
                found[name].append(run_once(CONTENDERS[name], tickers, arguments.bars))
                speed, cpu, first, _ = found[name][-1]
                print(
                    f"  {tickers}, run {number + 1}, {name}: {speed:,.0f} a second, {cpu:,.0f} µs, {first:.1f} s",
                    file=sys.stderr,
                )
        print_table(tickers, found)
    print_promises()


if __name__ == "__main__":
    main()
