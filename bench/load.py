"""What an initial load takes on the embedded engines, and a start on what it has stored.

    uv run python -m bench.load [--bars N] [--tickers N] [--forecasts]

A source of one's own (bench.history_source) has so many bars of each ticker, 20,000 of 20 by default. It is
loaded until everything is stored. Then the pipeline is started again with 50 more of each: the time until the first new
row of indicators is stored, and until all are. Linux only.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench import history_source
from bench.processes import usage
from testkit.product import ROOT, Product, written

MORE: Final = 50
PATIENCE: Final = 3600.0


def product_for(directory: Path, *, forecasts: bool) -> Product:
    return Product(
        directory,
        FINTRENDS_PIPELINE__SOURCE=history_source.NAME,
        FINTRENDS_SOURCES__BENCH=f"{history_source.__name__}:create",
        FINTRENDS_STOCKTWITS__ENABLED="false",  # whose posts no network brings here
        FINTRENDS_FORECASTS__ENABLED=str(forecasts).lower(),
        PYTHONPATH=str(ROOT),
    )


def lag(status: dict[str, Any]) -> int:
    """Of the group that is the furthest behind, all topics together."""
    lags: dict[str, int] = {}
    for topic in status["topics"]:
        for group in topic["groups"]:
            lags[group["group"]] = lags.get(group["group"], 0) + (group["lag"] or 0)
    return max(lags.values(), default=0)


def load(product: Product, tickers: list[str], bars: int) -> None:
    total = len(tickers) * bars
    product.set(**{history_source.RANGE: f"0:{bars}"})
    with product.started(*tickers, "--initial-load") as process:
        product.wait_for(lambda status: written(status, "stock_data"), process)
        began, before = time.perf_counter(), usage(process.pid).seconds
        worst = 0
        while True:
            status = product.wait_for(lambda status: status["pipeline"]["state"] == "running", process)
            worst = max(worst, lag(status))
            if min(written(status, name) for name in ("stock_data", "indicators")) >= total and not lag(status):
                break
            time.sleep(0.5)
        seconds, at_end = time.perf_counter() - began, usage(process.pid)
        product.stop(PATIENCE)
        process.wait(PATIENCE)
    sizes = {name: (product.data_dir / f"{name}.sqlite").stat().st_size for name in ("bus", "store")}
    print(
        f"{total:,} bars: {total / seconds:,.0f} a second, {(at_end.seconds - before) / total * 1e6:.0f} µs of CPU each"
    )
    print(f"peak memory {at_end.peak:.0f} MiB; the greatest lag {worst:,} records")
    disk = ", ".join(f"{name} {size / total:.0f}" for name, size in sizes.items())
    print(f"disk, bytes a bar with its row: {sum(sizes.values()) / total:.0f} ({disk})")


def start_again(product: Product, tickers: list[str], bars: int) -> None:
    product.set(**{history_source.RANGE: f"{bars}:{bars + MORE}"})
    began = time.perf_counter()
    with product.started(*tickers, "--initial-load") as process:
        product.wait_for(lambda status: written(status, "indicators"), process, PATIENCE)
        first = time.perf_counter() - began
        product.wait_for(lambda status: written(status, "indicators") >= MORE * len(tickers), process, PATIENCE)
        print(f"start on them: first new row after {first:.1f} s, all after {time.perf_counter() - began:.1f} s")
        print(f"memory then {usage(process.pid).peak:.0f} MiB")
        product.stop(PATIENCE)
        process.wait(PATIENCE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Load a long history, and start again on it.")
    parser.add_argument("--bars", type=int, default=20_000)
    parser.add_argument("--tickers", type=int, default=20)
    parser.add_argument("--forecasts", action="store_true")
    arguments = parser.parse_args()
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    tickers = [f"TICK{number:02d}" for number in range(arguments.tickers)]
    with tempfile.TemporaryDirectory() as name:
        product = product_for(Path(name), forecasts=arguments.forecasts)
        load(product, tickers, arguments.bars)
        start_again(product, tickers, arguments.bars)


if __name__ == "__main__":
    main()
