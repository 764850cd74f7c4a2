"""What one more ticker costs: CPU a bar, CPU while nothing comes, and memory, with 10, 100 and 1,000 tickers.

    uv run python -m bench.scale

A real pipeline process on the embedded engines, with a client that takes four snapshots a second as a screen does.
Linux only. Takes two minutes.
"""

import asyncio
import tempfile
from pathlib import Path

from bench.replayed import Engines, record, running
from bench.screen import process_figures
from pipeline.protocol import Add

SIZES = (10, 100, 1000)
BARS = 100
"""Of each ticker."""
WARM_UP_BARS = 60
IDLE_SECONDS = 15.0
SETTLE_SECONDS = 3.0


async def figures(tickers: int) -> tuple[float, float, float]:
    """CPU in µs a bar from replay to stored row; CPU in % of a core when all is done; resident MiB."""
    names = [f"T{number:03d}" for number in range(tickers)]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        record(directory, "WARMUP", 0, WARM_UP_BARS)
        for ticker in names:
            record(directory, ticker, 0, BARS)
        async with running(Engines(), directory, ["WARMUP"], "max", lambda _: None) as pipeline:
            await pipeline.stored(WARM_UP_BARS)
            pid = pipeline.control.pid
            before, _ = process_figures(pid)
            await pipeline.control.ask(Add(names))
            await pipeline.stored(WARM_UP_BARS + tickers * BARS)
            after, _ = process_figures(pid)
            await asyncio.sleep(SETTLE_SECONDS)
            idle_from, _ = process_figures(pid)
            await asyncio.sleep(IDLE_SECONDS)
            idle_until, memory = process_figures(pid)
    return 1e6 * (after - before) / (tickers * BARS), 100 * (idle_until - idle_from) / IDLE_SECONDS, memory


def main() -> None:
    print("| tickers | CPU a bar | CPU idle | memory |\n|---|---|---|---|")
    for tickers in SIZES:
        a_bar, idle, memory = asyncio.run(figures(tickers))
        print(f"| {tickers:,} | {a_bar:.0f} µs | {idle:.1f} % of a core | {memory:.0f} MiB |")


if __name__ == "__main__":
    main()
