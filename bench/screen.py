"""What the screen costs: time to first paint and first live price, bytes to the terminal, CPU of its process.

    uv run python -m bench.screen

Medians of five starts for the times; ten seconds each for the rest, in a pty of 140x45 and of 80x24, with 30 tickers
of which ten change in each of the four snapshots a second (40 updates a second), and with 200 of which fifty do.
"""

import asyncio
import os
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from pipeline.control import ControlServer
from pipeline.datadir import DataDir
from pipeline.protocol import Command, GetHistory, GetLog, History
from pipeline.snapshot import PipelineView, Snapshot, TickerView
from tests.e2e.run import Product
from tests.e2e.terminal import Terminal

STARTS = 5
SECONDS = 10.0
LOADS = ((30, 0), (30, 10), (200, 50))
"""Tickers, and how many of them change in a snapshot."""
PRICE = re.compile(r"AAPL~? +([\d,]+\.\d+)")


class Market:
    """A control server whose snapshots change by as much as is asked for."""

    def __init__(self, tickers: int, changing: int) -> None:
        self._changing = changing
        self._tickers = [f"T{number:02d}" for number in range(tickers)]
        self._rng = random.Random(1)
        self._seq = 0
        now = time.time()
        self._views = {
            t: TickerView(ticker=t, price=100.0, change=1.0, change_percent=1.0, volume=1e6, spark=[1.0, 2.0] * 16,
                          rsi=50.0, macd_hist=0.1, sentiment=0.1, updated_at=now)
            for t in self._tickers
        }  # fmt: skip

    def snapshot(self, _: str | None = None) -> Snapshot:
        self._seq += 1
        now = time.time()
        for ticker in self._rng.sample(self._tickers, self._changing):
            price = self._rng.uniform(90, 110)
            view = self._views[ticker]
            self._views[ticker] = TickerView(
                ticker=ticker, price=price, change=price - 99, change_percent=price - 99, volume=view.volume,
                spark=[*view.spark[1:], price], rsi=self._rng.uniform(20, 80), macd_hist=price - 100,
                sentiment=view.sentiment, updated_at=now,
            )  # fmt: skip
        pipeline = PipelineView(
            pid=os.getpid(), version="0", state="running", started_at=0, source="bench", source_note="bench",
            simulated=False, bus="embedded", store="embedded", roles=[],
        )  # fmt: skip
        return Snapshot(seq=self._seq, at=now, pipeline=pipeline, tickers=list(self._views.values()))

    async def execute(self, command: Command) -> object:
        match command:
            case GetHistory(ticker):
                return History(ticker, None, [], [])
            case GetLog():
                return []
            case _:
                return None


def serve(data_dir: DataDir, tickers: int, changing: int, done: threading.Event) -> None:
    async def main() -> None:
        market = Market(tickers, changing)
        server = ControlServer(market.execute, market.snapshot)
        await server.start(data_dir.prepare_socket())
        await asyncio.to_thread(done.wait)
        await server.close()

    asyncio.run(main())


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def traffic(columns: int, lines: int, tickers: int, changing: int) -> tuple[float, float]:
    """KiB a second to the terminal and percent of a core, once the screen has settled."""
    with tempfile.TemporaryDirectory() as name:
        data_dir = DataDir(Path(name))
        done = threading.Event()
        server = threading.Thread(target=serve, args=(data_dir, tickers, changing, done))
        server.start()
        terminal = Terminal(Path(name), "--data-dir", name, columns=columns, lines=lines)
        try:
            terminal.wait_for(lambda text: "T00" in text and "T04" in text)
            settle = time.monotonic() + 2
            while time.monotonic() < settle:
                terminal.read()
            sent, cpu, begun = len(terminal.output), cpu_seconds(terminal.process.pid), time.monotonic()
            while time.monotonic() < begun + SECONDS:
                terminal.read()
            elapsed = time.monotonic() - begun
            spent = cpu_seconds(terminal.process.pid) - cpu
            return (len(terminal.output) - sent) / elapsed / 1024, 100 * spent / elapsed
        finally:
            terminal.close()
            done.set()
            server.join()


def start() -> tuple[float, float]:
    """Seconds from the command to the first paint, and to the first live price."""
    with tempfile.TemporaryDirectory() as name:
        product = Product(Path(name))
        begun = time.monotonic()
        terminal = Terminal(Path(name), "AAPL", "--source", "simulator", "--data-dir", product.data_dir)
        try:
            terminal.wait_for(lambda text: "Watchlist" in text)
            painted = time.monotonic() - begun
            terminal.wait_for(PRICE.search)
            return painted, time.monotonic() - begun
        finally:
            terminal.close()
            product.run("stop")


def main() -> None:
    paints, prices = zip(*(start() for _ in range(STARTS)), strict=True)
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores\n")
    print(f"first paint        {statistics.median(paints):.2f} s   ({min(paints):.2f} to {max(paints):.2f})")
    print(f"first live price   {statistics.median(prices):.2f} s   ({min(prices):.2f} to {max(prices):.2f})\n")
    print("terminal   tickers, updates    KiB/s   CPU %")
    for columns, lines in ((80, 24), (140, 45)):
        for tickers, changing in LOADS:
            kib, cpu = traffic(columns, lines, tickers, changing)
            load = f"{tickers}, {4 * changing}/s" if changing else f"{tickers}, idle"
            print(f"{columns}x{lines:<7} {load:<18} {kib:>6.1f} {cpu:>7.1f}")


if __name__ == "__main__":
    main()
