"""What one more ticker costs: CPU a bar, CPU while nothing comes, and memory, with 10, 100 and 1,000 tickers.

    uv run python -m bench.scale

A real pipeline process on the embedded engines, with a client that takes four snapshots a second as a screen does.
CPU a bar, from replay to stored row and once every ticker has all its indicators: at a bar a second and ticker, which
is sixty times what a market does, and as fast as possible. Linux only. Takes six minutes.
"""

import asyncio
import tempfile
from pathlib import Path

from bench.processes import usage
from bench.replayed import Engines, Running, record, running
from pipeline.contract.protocol import Add

SIZES = (10, 100, 1000)
WARM_UP_BARS = 55
STEADY_SPEED = 60
STEADY_BARS = 25
"""Of each ticker."""
FAST_BARS = 40_000
"""Of all tickers together."""
IDLE_SECONDS = 15.0
SETTLE_SECONDS = 10.0
"""Until all rates are zero, which the monitor waits for before it takes anything to be at rest."""


def names(tickers: int) -> list[str]:
    return [f"T{number:03d}" for number in range(tickers)]


async def a_bar(pipeline: Running, tickers: int, bars: int, before: int = 0) -> float:
    """CPU in µs of each of the last `bars` of every ticker, waited for; `before` are those of others."""
    await pipeline.stored(before + tickers * WARM_UP_BARS)
    began = usage(pipeline.control.pid).seconds
    counts = await pipeline.store.counts()
    total = before + tickers * (WARM_UP_BARS + bars)
    await pipeline.stored(total)
    ended = usage(pipeline.control.pid).seconds
    return 1e6 * (ended - began) / (total - counts["indicators"])


async def steadily(tickers: int) -> float:
    """CPU in µs a bar, at a steady rate."""
    with tempfile.TemporaryDirectory() as name:
        for ticker in names(tickers):
            record(Path(name), ticker, 0, WARM_UP_BARS + STEADY_BARS)
        async with running(Engines(), Path(name), names(tickers), STEADY_SPEED, lambda _: None) as pipeline:
            return await a_bar(pipeline, tickers, STEADY_BARS)


async def fast(tickers: int) -> tuple[float, float, float]:
    """CPU in µs a bar; CPU in % of a core when all is done; resident MiB."""
    bars = FAST_BARS // tickers
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        record(directory, "WARMUP", 0, WARM_UP_BARS)
        for ticker in names(tickers):
            record(directory, ticker, 0, WARM_UP_BARS + bars)
        async with running(Engines(), directory, ["WARMUP"], "max", lambda _: None) as pipeline:
            await pipeline.stored(WARM_UP_BARS)
            await pipeline.control.ask(Add(names(tickers)))
            of_a_bar = await a_bar(pipeline, tickers, bars, WARM_UP_BARS)
            await asyncio.sleep(SETTLE_SECONDS)
            idle_from = usage(pipeline.control.pid).seconds
            await asyncio.sleep(IDLE_SECONDS)
            idle_until, memory, _ = usage(pipeline.control.pid)
    return of_a_bar, 100 * (idle_until - idle_from) / IDLE_SECONDS, memory


def main() -> None:
    print("| tickers | CPU a bar, one a second and ticker | as fast as possible | CPU idle | memory |")
    print("|---|---|---|---|---|")
    for tickers in SIZES:
        steady = asyncio.run(steadily(tickers))
        at_once, idle, memory = asyncio.run(fast(tickers))
        cells = f"{steady:.0f} µs | {at_once:.0f} µs | {idle:.1f} % of a core | {memory:.0f} MiB"
        print(f"| {tickers:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
