"""What Kraken answers, in small."""

import json
from typing import Any

from testkit.http_server import Behaviour, HttpServer, answer
from tests.sources.crypto.exchanges import NOW, TODAY

PATH = "/0/public/OHLC"


def row(time: float, close: float = 100.5, volume: float = 2.5) -> list[Any]:
    """Time, open, high, low, close, vwap, volume, count."""
    return [time, "100", str(max(101, close)), "99", str(close), "100.2", str(volume), 7]


def reply(*rows: Any, pair: str = "XXBTZUSD", **changes: Any) -> str:
    return json.dumps({"error": [], "result": {pair: rows, "last": NOW}} | changes)


def saying(error: str) -> Behaviour:
    """Kraken's way to refuse: with status 200."""
    return answer({"error": [error]})


def serve(server: HttpServer, pair: str, *minutes: Any, days: Any = ()) -> None:
    server.on(answer(reply(*days, pair=pair)), pair=pair, interval="1440")
    server.on(answer(reply(*minutes, pair=pair)), pair=pair, interval="1")


def serve_all(server: HttpServer) -> None:
    """Three days, and two minutes, of Bitcoin."""
    days = (row(TODAY - 2 * 86_400, 105.0), row(TODAY - 86_400, 110.0), row(TODAY, 120.0))
    serve(server, "XBTUSD", row(NOW - 60), row(NOW), days=days)
