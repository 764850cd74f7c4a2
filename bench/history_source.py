"""A source of one's own, as docs/add-a-source.md has it: a long history of every ticker, without a provider."""

import os
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from pipeline.model.messages import Bar
from pipeline.sources.base import Feed, HistoryChunk, SourceContext

NAME: Final = "bench"
RANGE: Final = "BENCH_BARS"
"""Names the variable in the environment: the first bar and that before which the history ends, such as ``0:100000``."""
CHUNK: Final = 500
_START: Final = datetime(2020, 1, 2, 14, 30, tzinfo=UTC)
_SESSION: Final = 390


def bars(ticker: str, numbers: range) -> list[Bar]:
    """Of one minute, 390 a day; the prices are a few waves. Made as columns, for what is measured is not the source."""
    at = np.arange(numbers.start, numbers.stop)
    seed = sum(map(ord, ticker))
    close = 100 + 20 * np.sin((at + seed) / 5000) + np.sin(at / 7) + np.sin(at * 1.7) / 10
    opening = close + np.sin(at * 2.3) / 10
    columns = (opening, np.maximum(opening, close) + 0.05, np.minimum(opening, close) - 0.05, close)
    prices = zip(*(column.round(4).tolist() for column in columns), strict=True)
    return [
        Bar(
            ticker=ticker,
            interval="1min",
            ts=_START + timedelta(number // _SESSION, 60 * (number % _SESSION)),
            open=open_,
            high=high,
            low=low,
            close=last,
            volume=float(1000 + number * 7919 % 5000),
            source=NAME,
        )
        for number, (open_, high, low, last) in zip(numbers, prices, strict=True)
    ]


class _Histories:
    name, simulated = NAME, False

    def feeds(self) -> Sequence[Feed]:
        return ()

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        first, stop = map(int, os.environ[RANGE].split(":"))
        for start in range(first, stop, CHUNK):
            end = min(start + CHUNK, stop)
            yield HistoryChunk(bars(ticker, range(start, end)), done=end - first, total=stop - first)

    async def close(self) -> None: ...


def create(context: SourceContext) -> _Histories:
    del context
    return _Histories()
