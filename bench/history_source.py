"""A source of one's own, as docs/add-a-source.md has it: a long history of every ticker, without a provider."""

import math
import os
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.model.messages import Bar
from pipeline.sources.base import Feed, HistoryChunk, SourceContext

NAME: Final = "bench"
RANGE: Final = "BENCH_BARS"
"""Names the variable in the environment: the first bar and that before which the history ends, such as ``0:100000``."""
CHUNK: Final = 500
_START: Final = datetime(2020, 1, 2, 14, 30, tzinfo=UTC)
_SESSION: Final = 390


def bar(ticker: str, number: int) -> Bar:
    """Of one minute, 390 a day; the prices are a few waves."""
    day, minute = divmod(number, _SESSION)
    seed = sum(map(ord, ticker))
    close = 100 + 20 * math.sin((number + seed) / 5000) + math.sin(number / 7) + math.sin(number * 1.7) / 10
    opening = close + math.sin(number * 2.3) / 10
    return Bar(
        ticker=ticker,
        interval="1min",
        ts=_START + timedelta(days=day, minutes=minute),
        open=round(opening, 4),
        high=round(max(opening, close) + 0.05, 4),
        low=round(min(opening, close) - 0.05, 4),
        close=round(close, 4),
        volume=float(1000 + number * 7919 % 5000),
        source=NAME,
    )


class _Histories:
    name, simulated = NAME, False

    def feeds(self) -> Sequence[Feed]:
        return ()

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        first, stop = map(int, os.environ[RANGE].split(":"))
        for start in range(first, stop, CHUNK):
            end = min(start + CHUNK, stop)
            bars = [bar(ticker, number) for number in range(start, end)]
            yield HistoryChunk(bars, done=end - first, total=stop - first)

    async def close(self) -> None: ...


def create(context: SourceContext) -> _Histories:
    del context
    return _Histories()
