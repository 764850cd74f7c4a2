"""What the screen costs: times to the first paint and from a key to its effect, bytes to the terminal, CPU, memory.

    uv run python -m bench.screen

The product in a pty, medians of several runs. First paint and first price are of a pipeline started with it; all else
is on a control socket whose snapshots, four a second, change as many tickers as is asked for (see `bench.market`).
Linux only. Takes three minutes on an idle machine.
"""

import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.market import serving
from bench.processes import usage
from testkit.product import ROOT, Product
from testkit.terminal import Terminal

SIZES = ((80, 24), (140, 45))
STARTS = 5
PRICE = re.compile(r"AAPL~? +([\d,]+\.\d+)")

LOADS = ((30, 0), (1000, 0), (30, 10), (200, 50), (250, 250))
"""Tickers, and how many of them change in a snapshot."""
WINDOWS = 3
WINDOW_SECONDS = 5.0
SETTLE_SECONDS = 2.0

KEYS = 100
KEY_RUNS = 3

DAY = 4 * 86_400
"""Snapshots in a day."""
DAY_TICKERS = 10


def bare_paint() -> float:
    """Seconds from the command to the first paint of an application that shows a word."""
    with tempfile.TemporaryDirectory() as name:
        begun = time.monotonic()
        terminal = Terminal(Path(name), command=(sys.executable, "-m", "bench.bare_screen"), PYTHONPATH=str(ROOT))
        try:
            terminal.wait_for(lambda text: "Watchlist" in text)
            return time.monotonic() - begun
        finally:
            terminal.close()


def first_paint() -> tuple[float, float]:
    """Seconds from the command to the first paint, and to the first live price."""
    with tempfile.TemporaryDirectory() as name:
        product = Product(Path(name))
        begun = time.monotonic()
        # The source, the simulator, is in the environment.
        terminal = Terminal(Path(name), "AAPL", "--data-dir", product.data_dir)
        try:
            terminal.wait_for(lambda text: "Watchlist" in text)
            painted = time.monotonic() - begun
            terminal.wait_for(PRICE.search)
            return painted, time.monotonic() - begun
        finally:
            terminal.close()
            product.run("stop")


@contextmanager
def market(tickers: int, changing: int, size: tuple[int, int], **options: Any) -> Iterator[tuple[Terminal, Any]]:
    """A screen that has settled, and the count of its snapshots, as `value`. The options are those of `serving`."""
    with tempfile.TemporaryDirectory() as name, serving(Path(name), tickers, changing, **options) as sent:
        terminal = Terminal(Path(name), "--data-dir", name, columns=size[0], lines=size[1])
        try:
            terminal.wait_for(lambda text: "T00" in text and "T04" in text)
            read_for(SETTLE_SECONDS, terminal)
            yield terminal, sent
        finally:
            terminal.close()


def read_for(seconds: float, *terminals: Terminal) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for terminal in terminals:
            terminal.read(0.02)


def traffic(tickers: int, changing: int) -> list[tuple[float, float]]:
    """KiB a second to the terminal and percent of a core, of each size; both are looked at together."""
    windows = []
    with ExitStack() as stack:
        terminals = [stack.enter_context(market(tickers, changing, size))[0] for size in SIZES]

        def figures() -> list[tuple[float, int, float]]:
            return [(time.monotonic(), len(t.output), usage(t.process.pid).seconds) for t in terminals]

        for _ in range(WINDOWS):
            before = figures()
            read_for(WINDOW_SECONDS, *terminals)
            windows.append(
                [
                    ((sent - sent0) / 1024 / (at - at0), 100 * (cpu - cpu0) / (at - at0))
                    for (at0, sent0, cpu0), (at, sent, cpu) in zip(before, figures(), strict=True)
                ]
            )
    return [
        (statistics.median(kib for kib, _ in runs), statistics.median(cpu for _, cpu in runs))
        for runs in zip(*windows, strict=True)
    ]


def key_to_paint(tickers: int, changing: int) -> list[float]:
    """Milliseconds from a key to the bytes of its effect, sorted: the cursor moves down a row, and up again.

    The keys come at random moments, so some meet the screen in the middle of painting a snapshot.
    """
    rng = random.Random(1)
    taken = []
    with market(tickers, changing, SIZES[-1]) as (terminal, _):
        for number in range(KEYS):
            key, row = ("j", "T01") if number % 2 == 0 else ("k", "T00")
            effect = re.compile(rb"\xe2\x96\x8c(?:\x1b\[[0-9;]*m)*" + row.encode())  # the cursor's bar
            read_for(rng.uniform(0.02, 0.12), terminal)
            taken.append(1000 * seconds_until(terminal, key, effect.search))
    return sorted(taken)


def seconds_until(terminal: Terminal, key: str, condition: Callable[[bytes], object]) -> float:
    """From the key to the moment at which what was written since meets the condition."""
    written = b""
    begun = time.perf_counter()
    terminal.press(key)
    while time.perf_counter() < begun + 30:
        for data in terminal.chunks(0.05):
            written += data
            if condition(written):
                taken = time.perf_counter() - begun
                terminal.show(data)
                return taken
            terminal.show(data)
    raise AssertionError(f"{key!r} has no effect; the screen is\n{terminal.text}")


def day() -> tuple[float, float, float]:
    """Resident MiB of the screen after a tenth of a day's snapshots and after all, and the seconds it took."""
    begun = time.monotonic()
    with market(DAY_TICKERS, DAY_TICKERS, SIZES[-1], limit=DAY, period=0) as (terminal, sent):
        resident = []
        for part in (DAY // 10, DAY):
            while sent.value < part:
                terminal.read(0.02)
            resident.append(usage(terminal.process.pid).resident)
    return resident[0], resident[1], time.monotonic() - begun


def spread(values: list[float], unit: str, digits: int) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):>7.{digits}f} {unit}   ({low:.{digits}f} to {high:.{digits}f})"


def main() -> None:
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    starts, bare = [], []
    for _ in range(STARTS):  # in turns
        bare.append(bare_paint())
        starts.append(first_paint())
    print("first paint of the least " + spread(bare, "s", 2))
    print("first paint              " + spread([painted for painted, _ in starts], "s", 2))
    print("first live price         " + spread([priced for _, priced in starts], "s", 2))
    tickers, changing = LOADS[-1]
    runs = [key_to_paint(tickers, changing) for _ in range(KEY_RUNS)]
    print(f"\nfrom a key to its effect, {tickers} tickers, {4 * changing:,} updates/s")
    for percent in (50, 99):
        print(f"p{percent}                      " + spread([run[KEYS * percent // 100 - 1] for run in runs], "ms", 1))
    print("\nterminal   tickers, updates    KiB/s   CPU %")
    for tickers, changing in LOADS:
        for (columns, lines), (kib, cpu) in zip(SIZES, traffic(tickers, changing), strict=True):
            load = f"{tickers}, {4 * changing:,}/s" if changing else f"{tickers}, idle"
            print(f"{columns}x{lines:<7} {load:<18} {kib:>6.1f} {cpu:>7.1f}")
    tenth, all_of_it, seconds = day()
    print(f"\nmemory after a tenth of a day's {DAY:,} snapshots and after all, in {seconds:.0f} s")
    print(f"{tenth:.1f} MiB, {all_of_it:.1f} MiB")


if __name__ == "__main__":
    main()
