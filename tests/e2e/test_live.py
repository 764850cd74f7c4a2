"""A user without a key and without a setting: live at once, and by itself once a provider can be reached."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from testkit.engines.process import free_port
from testkit.fake_yahoo import FakeYahoo
from testkit.forked import ForkedProduct
from testkit.http_server import HttpServer, serve
from testkit.product import documents
from testkit.terminal import Terminal

TICKERS = ("AAPL", "BTC-USD", "VOD.L", "^GSPC")
PRICE = r"{}\S*\s+([\d,]+\.\d+p?)(?=\s)"  # an address in the place of a price is none


@pytest.fixture
async def yahoo() -> AsyncIterator[HttpServer]:
    async with serve() as server:
        FakeYahoo(SystemClock()).serve_on(server)
        yield server


def addresses(yahoo: str) -> dict[str, str]:
    """Yahoo is there; of all others nobody listens at their address."""
    nobody = f"http://127.0.0.1:{free_port()}"
    names = ("COINBASE", "KRAKEN", "YAHOO_NEWS", "FRED", "STOCKTWITS")
    streams = ("YAHOO", "COINBASE", "KRAKEN")
    return (
        {
            "FINTRENDS_PIPELINE__SOURCE": "auto",
            "FINTRENDS_YAHOO__BASE_URL": yahoo,
            "FINTRENDS_YAHOO__FALLBACK_URL": yahoo,
        }
        | {f"FINTRENDS_{name}__BASE_URL": nobody for name in names}
        | {f"FINTRENDS_{name}__STREAM_URL": "" for name in streams}
    )


def prices(text: str) -> dict[str, str]:
    found = {ticker: re.search(PRICE.format(re.escape(ticker)), text) for ticker in TICKERS}
    return {ticker: match[1] for ticker, match in found.items() if match}


async def shown(terminal: Terminal, condition: Callable[[str], object], patience: float = 60) -> str:
    return await asyncio.to_thread(terminal.wait_for, condition, patience)


async def test_prices_of_four_kinds_of_ticker_without_a_key(tmp_path: Path, yahoo: HttpServer) -> None:
    product = ForkedProduct(tmp_path, **addresses(yahoo.url))
    terminal = Terminal(tmp_path, *TICKERS, "--data-dir", product.data_dir, columns=200, **addresses(yahoo.url))
    try:
        text = await shown(terminal, lambda text: len(prices(text)) == len(TICKERS), 90)
        assert "SIMULATED" not in text
        assert prices(text)["VOD.L"].endswith("p"), "pence, not pounds"
        status = await asyncio.to_thread(
            product.wait_for, lambda status: documents(status, "stock_data") and documents(status, "indicators")
        )
        assert not status["pipeline"]["simulated"]
        rows = {ticker["ticker"]: ticker for ticker in status["tickers"]}
        assert {row["source"] for row in rows.values()} == {"yahoo"}
        # What comes first in its route cannot be reached, and the row says so.
        assert "coinbase" in status["pipeline"]["source_note"]
        stored = await asyncio.to_thread(product.query, "stock_data", "AAPL")
        assert {document["currency"] for document in stored if "currency" in document} == {"USD"}
        terminal.press("q")
        assert await asyncio.to_thread(terminal.wait_for_end) == 0
    finally:
        terminal.close()
        await asyncio.to_thread(product.run, "stop")


async def test_a_preview_goes_live_once_a_provider_answers(tmp_path: Path) -> None:
    port = free_port()
    variables = addresses(f"http://127.0.0.1:{port}")
    product = ForkedProduct(tmp_path, **variables)
    terminal = Terminal(tmp_path, "AAPL", "--data-dir", product.data_dir, columns=200, **variables)
    try:
        said = ("SIMULATED", "no provider answers; goes live by itself once one does")
        await shown(terminal, lambda text: all(part in text for part in said) and prices(text), 90)
        stored = await asyncio.to_thread(product.run, "query", "stock_data", "--namespace", "", "--format", "json")
        assert (stored.returncode, stored.stdout) == (0, "")
        async with serve(port=port) as server:
            FakeYahoo(SystemClock()).serve_on(server)
            # A frame may be half painted: the row is live in the end.
            await shown(terminal, lambda text: not {"SIMULATED", "AAPL~"} & {*text.split()} and prices(text), 120)
            while not (live := await asyncio.to_thread(product.query, "stock_data", "AAPL")):
                await asyncio.sleep(0.2)  # it is shown before it is stored
            assert {document["source"] for document in live} == {"yahoo"}
            terminal.press("q")
            assert await asyncio.to_thread(terminal.wait_for_end) == 0
    finally:
        terminal.close()
        await asyncio.to_thread(product.run, "stop")
