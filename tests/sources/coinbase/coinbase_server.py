"""What Coinbase Exchange answers, in small."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from testkit.http_server import Behaviour, HttpServer, Request, answer
from tests.sources.crypto.exchanges import NOW, TODAY

PRODUCTS = json.dumps(
    [
        {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "status": "online"},
        {"id": "ETH-EUR", "base_currency": "ETH", "quote_currency": "EUR", "status": "online"},
        {"id": "OLD-USD", "status": "delisted"},
        {"no": "id"},
    ]
)
CANDLES = "/products/BTC-USD/candles"


def row(time: float, close: float = 100.5, volume: float = 2.5) -> list[Any]:
    """Time, low, high, open, close, volume."""
    return [time, 99, max(101, close), 100, close, volume]


def serve(server: HttpServer, ticker: str, *rows: Any) -> None:
    """These minutes of a ticker, and no day."""
    path = f"/products/{ticker}/candles"
    server.on(answer("[]"), path=path, granularity="86400")
    server.on(answer(minutes(*rows)), path=path, granularity="60")


def minutes(*rows: Any) -> str:
    """An answer, newest first."""
    return json.dumps(sorted(rows, key=lambda r: -r[0]))


DAYS = minutes(row(TODAY, 120.0), row(TODAY - 86_400, 110.0), row(TODAY - 2 * 86_400, 105.0))


def serve_all(server: HttpServer, *rows: Any) -> None:
    """Pairs, three days, and these minutes."""
    server.on(answer(PRODUCTS), path="/products")
    server.on(answer(DAYS), granularity="86400")
    server.on(answer(minutes(*(rows or (row(NOW - 60), row(NOW))))), granularity="60")


def traded_since(listed: float) -> Behaviour:
    """One candle for every interval that is asked for, both ends included, since it is listed; too many are refused."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await _candles(listed, request, writer)

    return behave


async def _candles(listed: float, request: Request, writer: asyncio.StreamWriter) -> None:
    step = int(request.params["granularity"])
    start, end = (datetime.fromisoformat(request.params[name]).timestamp() for name in ("start", "end"))
    first = int(-(-start // step) * step)
    times = list(range(first, int(end) + 1, step))
    if len(times) > 300:
        refusal = {"message": "granularity too small for the requested time range. Count of aggregations requested"}
        await answer(refusal, 400)(request, writer)
    else:
        await answer(minutes(*(row(time) for time in times if time >= listed)))(request, writer)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
