"""Recordings to replay, and what must be stored of them."""

import csv
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, groupby
from pathlib import Path

from pipeline.model.messages import Bar, Interval
from testkit.data import BARS, NEW_YORK, recorded_bars

_OPENS = datetime(2026, 3, 2, 9, 30, tzinfo=NEW_YORK)
SESSION = 390
"""Bars of a session."""
_REAL = ("AAPL", "AMZN", "JPM", "MSFT", "SBUX", "SPY", "TSLA", "V")

_Values = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""


@dataclass(frozen=True)
class Recording:
    """`live` and `history` are the bars of all tickers: of one minute, and of a day."""

    directory: Path
    live: list[Bar]
    history: list[Bar]

    @property
    def tickers(self) -> list[str]:
        return list(dict.fromkeys(bar.ticker for bar in self.live))

    def rewind(self, published: Mapping[str, datetime] | None = None) -> None:
        """Write the live bars anew: all of them, or those after the time of each ticker's last one `published`."""
        for ticker, bars in groupby(self.live, lambda bar: bar.ticker):
            last = (published or {}).get(ticker)
            _write(self.directory, ticker, "1min", [bar for bar in bars if last is None or bar.ts > last])

    def until(self, published: Mapping[str, datetime]) -> "Recording":
        """Its live bars up to that time of each ticker, and nothing else."""
        return replace(self, live=[bar for bar in self.live if bar.ts <= published[bar.ticker]], history=[])


def record(directory: Path, tickers: Sequence[str], minutes: int, days: int = 0, seed: int = 1) -> Recording:
    """Write a random walk for each ticker: `minutes` bars of a minute, without a gap at night, and `days` of a day."""
    live, history = [], []
    for ticker in tickers:
        rng = random.Random(f"{seed} {ticker}")
        times = [_OPENS + timedelta(minutes=i) for i in range(minutes)]
        live += _bars(ticker, "1min", times, _walk(rng))
        if days:
            first = _OPENS.replace(hour=0, minute=0) - timedelta(days=days)
            history += _bars(ticker, "daily", [first + timedelta(days=i) for i in range(days)], _walk(rng))
    return _written(directory, live, history)


def record_sessions(
    directory: Path, tickers: Sequence[str], days: int, bars: int = SESSION, seed: int = 1
) -> Recording:
    """Write `days` sessions of at most so many one-minute bars for each ticker.

    Those of real recordings, scaled, each ticker its own; random walks where they are absent.
    """
    real = _real_sessions()
    live = []
    for number, ticker in enumerate(tickers):
        rng = random.Random(f"{seed} {ticker}")
        scale = rng.uniform(0.2, 5)
        for day in range(days):
            times = [_OPENS + timedelta(days=day, minutes=i) for i in range(bars)]
            values = _scaled(real[(number + day * 7) % len(real)], scale) if real else _walk(rng)
            live += _bars(ticker, "1min", times, values)
    return _written(directory, live, [])


def _real_sessions() -> list[list[Bar]]:
    if not BARS.is_dir():
        return []
    return [
        list(session) for ticker in _REAL for _, session in groupby(recorded_bars(ticker), lambda bar: bar.ts.date())
    ]


def _scaled(session: Sequence[Bar], scale: float) -> Iterator[_Values]:
    for bar in session:
        opens, high, low, close = (round(price * scale, 4) for price in (bar.open, bar.high, bar.low, bar.close))
        yield opens, high, low, close, bar.volume


def _walk(rng: random.Random) -> Iterator[_Values]:
    close = rng.uniform(10, 500)
    while True:
        opens, close = close, round(close * rng.uniform(0.99, 1.01), 4)
        high, low = round(max(opens, close) * 1.002, 4), round(min(opens, close) * 0.998, 4)
        yield opens, high, low, close, float(rng.randrange(100, 100_000))


def _bars(ticker: str, interval: Interval, times: Sequence[datetime], values: Iterator[_Values]) -> list[Bar]:
    return [
        Bar(
            ticker=ticker, interval=interval, ts=ts, source="replay",
            open=opens, high=high, low=low, close=close, volume=volume,
        )
        for ts, (opens, high, low, close, volume) in zip(times, values, strict=False)
    ]  # fmt: skip


def _written(directory: Path, live: list[Bar], history: list[Bar]) -> Recording:
    directory.mkdir(parents=True, exist_ok=True)
    for (ticker, interval), bars in groupby(chain(live, history), lambda bar: (bar.ticker, bar.interval)):
        _write(directory, ticker, interval, bars)
    return Recording(directory, live, history)


def _write(directory: Path, ticker: str, interval: Interval, bars: Iterable[Bar]) -> None:
    with (directory / f"{ticker}_{interval}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["datetime", "open", "high", "low", "close", "volume"])
        for bar in bars:
            ts = f"{bar.ts.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}"
            writer.writerow([ts, bar.open, bar.high, bar.low, bar.close, bar.volume])
