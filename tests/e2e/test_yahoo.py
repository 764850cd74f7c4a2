"""Yahoo's charts and stream, from servers on this machine, through the real process into the store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import SystemClock
from testkit.fake_yahoo import FakeYahoo
from testkit.forked import ForkedProduct
from testkit.http_server import serve
from testkit.product import Product
from testkit.websocket_server import serve_websocket

TICKERS = ("AAPL", "BTC-USD", "VOD.L", "^GSPC", "BRK.B")
CONFIG = """
[yahoo]
base_url = "{http}"
fallback_url = "{http}"
stream_url = "{websocket}/?version=2"
history_years = 1

[stocktwits]
enabled = false
"""


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Product]:
    yahoo = FakeYahoo(SystemClock())
    async with serve() as http, serve_websocket() as websocket:
        yahoo.serve_on(http)
        websocket.on(yahoo.streaming(every=0.5))
        (tmp_path / "config.toml").write_text(CONFIG.format(http=http.url, websocket=websocket.url))
        yield ForkedProduct(tmp_path, FINTRENDS_PIPELINE__SOURCE="yahoo")


async def test_five_kinds_of_tickers_are_live_and_one_that_is_unknown_troubles_nobody(product: Product) -> None:
    await asyncio.to_thread(check, product)


def check(product: Product) -> None:
    def stored(collection: str, ticker: str, interval: str | None = None) -> list[Any]:
        return product.query(collection, ticker, interval=interval)

    with product.running(*TICKERS, "NONE") as process:
        product.wait_for(
            lambda s: all(row(s, t).get("price") and row(s, t)["rsi"] is not None for t in TICKERS), process
        )
        product.wait_for(lambda s: "knows no symbol NONE" in str(row(s, "NONE").get("trouble")), process)
        product.stop()
        assert process.wait(60) == 0
    for ticker in TICKERS:
        bars = stored("stock_data", ticker, "1min")
        assert bars and {bar["source"] for bar in bars} == {"yahoo"}
        assert len(stored("indicators", ticker, "1min")) == len(bars)
    assert {bar["currency"] for bar in stored("stock_data", "VOD.L", "1min")} == {"GBp"}
    assert len(stored("stock_data", "BTC-USD", "quote")) > 1, "the stream's"
    assert stored("stock_data", "NONE") == []
    assert product.query("dead_letter") == []


def row(snapshot: dict[str, Any], ticker: str) -> dict[str, Any]:
    """What the snapshot says of the ticker."""
    return next((row for row in snapshot["tickers"] if row["ticker"] == ticker), {})
