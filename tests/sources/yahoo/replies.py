"""Replies of Yahoo's chart as they were recorded, and short ones written by hand."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.model.messages import Interval
from pipeline.sources.yahoo.chart import ChartReply, read_chart
from testkit.data import RECORDED, require
from testkit.fake_yahoo import reply

PROVIDERS = RECORDED / "providers"
OPEN = int(datetime(2026, 3, 4, 14, 30, tzinfo=UTC).timestamp())
"""Of New York, half past nine."""
CLOSE = OPEN + 390 * 60
NOW = datetime(2026, 3, 4, 15, 0, 30, tzinfo=UTC)
META = {
    "symbol": "AAPL",
    "currency": "USD",
    "instrumentType": "EQUITY",
    "exchangeTimezoneName": "America/New_York",
    "gmtoffset": -18000,
    "regularMarketPrice": 230.5,
    "regularMarketTime": OPEN + 1830,
    "previousClose": 229.0,
    "chartPreviousClose": 1.0,
    "dataGranularity": "1m",
    "currentTradingPeriod": {
        "pre": {"start": OPEN - 330 * 60, "end": OPEN},
        "regular": {"start": OPEN, "end": CLOSE},
        "post": {"start": CLOSE, "end": CLOSE + 240 * 60},
    },
    "validRanges": ["1d", "5d", "max"],
}


def recorded(name: str) -> bytes:
    return require(PROVIDERS / name).read_bytes()


def chart(
    *rows: tuple[Any, ...],
    ticker: str = "AAPL",
    interval: Interval = "1min",
    now: datetime = NOW,
    events: dict[str, Any] | None = None,
    **meta: Any,
) -> ChartReply:
    """Of rows (time, open, high, low, close, volume), the time in seconds after the open."""
    granularity = {"dataGranularity": "1d"} if interval == "daily" else {}
    placed = [(OPEN + row[0], *row[1:]) for row in rows]
    body = json.dumps(reply(META | granularity | {"symbol": ticker} | meta, placed, events)).encode()
    return read_chart(body, ticker, interval, now)


def seconds(found: ChartReply) -> Sequence[int]:
    """When its bars begin, in seconds after the open."""
    return [int(bar.ts.timestamp()) - OPEN for bar in found.bars]
