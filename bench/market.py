"""A pipeline of nothing but its control socket, in a process of its own, with as much change as is asked for."""

import asyncio
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.contract.protocol import Command, GetHistory, GetLog, History
from pipeline.contract.snapshot import DayView, NextCloseView, PipelineView, RangeView, Snapshot, TickerView
from pipeline.control import server as control
from pipeline.storage.datadir import DataDir

SPARK = [1.0, 2.0] * 16
RANGES: Any = {
    "day": DayView(open=99.0, high=110.0, low=90.0),
    "year": RangeView(high=130.0, low=70.0),
    "next_close": NextCloseView(interval="daily", percent=1.5),
}


class Market:
    """`sent` counts its snapshots. After `limit` of them nothing changes any more."""

    def __init__(self, tickers: int, changing: int, limit: int | None, sent: Any) -> None:
        self._changing = changing
        self._tickers = [f"T{number:02d}" for number in range(tickers)]
        self._limit = limit
        self._sent = sent
        self._rng = random.Random(1)
        now = time.time()
        self._views = {
            t: TickerView(ticker=t, price=100.0, change=1.0, change_percent=1.0, volume=1e6, spark=SPARK,
                          rsi=50.0, macd_hist=0.1, sentiment=0.1, updated_at=now, **RANGES)
            for t in self._tickers
        }  # fmt: skip
        self._pipeline = PipelineView(
            pid=os.getpid(), version="0", state="running", started_at=0, source="bench", source_note="bench",
            simulated=False, bus="embedded", store="embedded", roles=[],
        )  # fmt: skip

    def snapshot(self, _: str | None = None) -> Snapshot:
        now = time.time()
        if self._limit is None or self._sent.value < self._limit:
            self._sent.value += 1
            for ticker in self._rng.sample(self._tickers, self._changing):
                self._views[ticker] = self._moved(self._views[ticker], now)
        return Snapshot(seq=self._sent.value, at=now, pipeline=self._pipeline, tickers=list(self._views.values()))

    def _moved(self, view: TickerView, now: float) -> TickerView:
        price = self._rng.uniform(90, 110)
        return TickerView(
            ticker=view.ticker, price=price, change=price - 99, change_percent=price - 99, volume=view.volume,
            spark=[*view.spark[1:], price], rsi=self._rng.uniform(20, 80), macd_hist=price - 100,
            sentiment=view.sentiment, updated_at=now, **RANGES,
        )  # fmt: skip

    async def execute(self, command: Command) -> object:
        match command:
            case GetHistory(ticker):
                return History(ticker, None, [], [])
            case GetLog():
                return []
            case _:
                return None


@contextmanager
def serving(
    directory: Path, tickers: int, changing: int, *, limit: int | None = None, period: float = control.PUSH_PERIOD
) -> Iterator[Any]:
    """Serve one screen on the data directory; gives the count of its snapshots, as `value`.

    `period`: seconds between two snapshots.
    """
    context = multiprocessing.get_context("spawn")
    sent, ready = context.Value("q", 0), context.Event()
    process = context.Process(target=_serve, args=(directory, tickers, changing, limit, period, sent, ready))
    process.start()
    try:
        assert ready.wait(60)
        yield sent
    finally:
        process.terminate()
        process.join()


def _serve(
    directory: Path, tickers: int, changing: int, limit: int | None, period: float, sent: Any, ready: Any
) -> None:
    async def main() -> None:
        control.PUSH_PERIOD = period  # type: ignore[misc]
        market = Market(tickers, changing, limit, sent)
        server = control.ControlServer(market.execute, market.snapshot)
        await server.start(DataDir(directory).prepare_socket())
        ready.set()
        await asyncio.Event().wait()

    asyncio.run(main())
