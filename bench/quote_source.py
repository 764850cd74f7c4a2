"""A source of one's own, as docs/add-a-source.md has it: quotes by the thousand, without a provider."""

import os
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Final

from pipeline.clock import Clock
from pipeline.model.messages import Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import HistoryChunk, SourceContext, SourceError

NAME: Final = "bench"
RATE: Final = "BENCH_QUOTES_A_SECOND"
"""Names the variable in the environment."""
PERIOD: Final = 0.05
"""Seconds between two batches."""


class _Quotes:
    name = "market"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[Quote]]:
        size = round(int(os.environ[RATE]) * PERIOD)
        due = self._clock.monotonic()
        tickers = cycle(watchlist.tickers)
        prices = cycle(100.0 + number / 100 for number in range(100))
        while True:
            now = datetime.now(UTC)
            yield [
                Quote(ticker=ticker, ts=now, price=next(prices), source=NAME, revision=int(now.timestamp() * 1e6))
                for ticker in islice(tickers, size)
            ]
            due += PERIOD
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))


class _Bench:
    name, simulated = NAME, False

    def __init__(self, clock: Clock) -> None:
        self._feeds = [_Quotes(clock)]

    def feeds(self) -> Sequence[_Quotes]:
        return self._feeds

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        raise SourceError(f"{NAME} has no history of {ticker}")
        yield

    async def close(self) -> None: ...


def create(context: SourceContext) -> _Bench:
    return _Bench(context.clock)
