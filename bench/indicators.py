"""What indicators cost: live bars against batches, and against pandas-ta over a window at every bar.

uv run python -m bench.indicators
"""

import gc
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, islice
from time import perf_counter
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.analytics.indicators import WARM_UP, BarArrays, Live, batch, opening
from pipeline.analytics.series import Series
from pipeline.model.messages import Bar, bar_rank

ZONE = ZoneInfo("America/New_York")
WINDOW = 250


def random_walk(length: int) -> BarArrays:
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 5e-4, length)))
    spread = rng.uniform(1e-4, 1e-3, length) * close
    volume = rng.integers(0, 100_000, length).astype(np.float64)
    return BarArrays(close + spread, close - spread, close, volume, np.arange(length, dtype=np.intc) // 390)


def bars_of(history: BarArrays) -> list[Bar]:
    start = datetime(2024, 1, 2, 14, 31, tzinfo=UTC)
    return [
        Bar(
            ticker="AAPL",
            interval="1min",
            ts=start + timedelta(minutes=i),
            open=close,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        for i, (high, low, close, volume) in enumerate(zip(*(c.tolist() for c in history[:4]), strict=True))
    ]


def rows_of(history: BarArrays) -> Iterator[tuple[float, float, float, float, int]]:
    return zip(*(column.tolist() for column in history), strict=True)


def median_us(call: Callable[[], object], repeat: int) -> float:
    """The median of single calls in microseconds, after one to warm up."""
    call()
    times = []
    for _ in range(repeat):
        began = perf_counter()
        call()
        times.append(perf_counter() - began)
    return statistics.median(times) * 1e6


def load(bars: list[Bar]) -> None:
    Series("AAPL", "1min", ZONE).merge(bars)


def main() -> None:
    history = random_walk(20_000)
    began = perf_counter()
    batch(history.until(WARM_UP))
    print(f"batch: import and first use {perf_counter() - began:.1f} s, once")
    print()
    gc.freeze()

    live = Live(history.until(WINDOW))
    following = islice(rows_of(history), WINDOW, None)
    update = median_us(lambda: live.update(*next(following)), 10_000)
    bar = next(following)
    peek = median_us(lambda: live.peek(*bar), 10_000)
    warming_up = median_us(lambda: opening(history.until(WARM_UP // 2)), 100)
    opened = {n: median_us(partial(Live, history.until(n)), 100) for n in (WINDOW, 20_000)}
    window = median_us(lambda: batch(history.until(WINDOW), WINDOW - 1), 100)
    batches = {n: median_us(partial(batch, history.until(n)), 10) for n in (2_000, 20_000)}

    bars = bars_of(history)
    series = Series("AAPL", "1min", ZONE)
    series.merge(bars[:WINDOW])
    position = count(WINDOW)
    merge = median_us(lambda: series.merge([bars[next(position)]]), 5_000)
    loads = {n: median_us(partial(load, bars[:n]), 5) for n in (2_000, 20_000)}

    rank = median_us(lambda: bar_rank(bars[0]), 5_000)

    per_bar = (batches[20_000] - batches[2_000]) / 18_000
    overhead = batches[2_000] - 2_000 * per_bar
    for name, cost, unit in [
        ("live: update", update, "a bar"),
        ("live: peek at an open bar", peek, "a bar"),
        (f"live: open on {WINDOW} bars", opened[WINDOW], ""),
        ("live: a bar while warming up", warming_up, "a bar"),
        ("live: open on 20,000 bars", opened[20_000], ""),
        (f"pandas-ta over the last {WINDOW} bars", window, f"a bar, {window / update:,.0f} times a live update"),
        ("batch of 2,000", batches[2_000] / 2_000, "a bar"),
        ("batch of 20,000", batches[20_000] / 20_000, "a bar"),
        ("series: merge of one bar, row built", merge, "a bar"),
        ("    of which messages.bar_rank", rank, "a bar"),
        ("series: load of 2,000, rows built", loads[2_000] / 2_000, "a bar"),
        ("series: load of 20,000, rows built", loads[20_000] / 20_000, "a bar"),
    ]:
        print(f"{name:<40}{cost:>10.1f} µs {unit}".rstrip())
    print(f"\nin live bars: a bar while warming up {warming_up / update:.0f}, a batch {overhead / update:.0f}", end="")
    print(f" and one more for each {update / per_bar:.1f} bars in it")


if __name__ == "__main__":
    main()
