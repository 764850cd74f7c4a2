"""Generated recordings to replay, and what must be stored of them."""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.messages import Bar, Interval
from tests.data import NEW_YORK

_OPENS = datetime(2026, 3, 2, 9, 30, tzinfo=NEW_YORK)


@dataclass(frozen=True)
class Recording:
    """`live` and `history` are the bars of all tickers: of one minute, and of a day."""

    directory: Path
    live: list[Bar]
    history: list[Bar]

    @property
    def tickers(self) -> list[str]:
        return list(dict.fromkeys(bar.ticker for bar in self.live))


def record(directory: Path, tickers: Sequence[str], minutes: int, days: int = 0, seed: int = 1) -> Recording:
    """Write a random walk for each ticker: `minutes` bars of a minute, without a gap at night, and `days` of a day."""
    directory.mkdir(parents=True, exist_ok=True)
    live, history = [], []
    for ticker in tickers:
        rng = random.Random(f"{seed} {ticker}")
        times = [_OPENS + timedelta(minutes=i) for i in range(minutes)]
        live += _write(directory, ticker, "1min", times, rng)
        if days:
            first = _OPENS.replace(hour=0, minute=0) - timedelta(days=days)
            history += _write(directory, ticker, "daily", [first + timedelta(days=i) for i in range(days)], rng)
    return Recording(directory, live, history)


def _write(
    directory: Path, ticker: str, interval: Interval, times: Sequence[datetime], rng: random.Random
) -> list[Bar]:
    bars, close = [], rng.uniform(10, 500)
    with (directory / f"{ticker}_{interval}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["datetime", "open", "high", "low", "close", "volume"])
        for ts in times:
            opens, close = close, round(close * rng.uniform(0.99, 1.01), 4)
            high, low = round(max(opens, close) * 1.002, 4), round(min(opens, close) * 0.998, 4)
            volume = rng.randrange(100, 100_000)
            writer.writerow([f"{ts:%Y-%m-%d %H:%M:%S}", opens, high, low, close, volume])
            bars.append(
                Bar(
                    ticker=ticker, interval=interval, ts=ts, source="replay",
                    open=opens, high=high, low=low, close=close, volume=float(volume),
                )
            )  # fmt: skip
    return bars
