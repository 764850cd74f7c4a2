"""A headline made to steer a terminal, from the provider to the store, the log, the screen and `query`."""

import asyncio
import unicodedata
from pathlib import Path
from typing import Any, Final

from testkit.http_server import HttpServer, answer
from testkit.live_pipeline import in_good_order, live_pipeline
from testkit.product import Product
from tests.sources.alpha_vantage.replies import KEY
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import LARGE, SMALL
from tests.ui.running import running

SEQUENCES: Final = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;cm0=\x07\x9b31m"
EVIL: Final = f"{SEQUENCES}[/bold] [$MSFT] [@click=app.quit]beats\u202e\u2066\x00\r\n\x08 record"
SHOWN: Final = "[/bold] [$MSFT] [@click=app.quit]beats record"
MEGABYTE: Final = "surges " * 150_000


def item(number: int, title: str) -> dict[str, Any]:
    return {
        "title": title,
        "url": f"https://example.com/{number}\x1b[31m\u202e",
        "time_published": f"20260304T1400{number:02}",
        "summary": EVIL + MEGABYTE,
        "source": EVIL,
        "ticker_sentiment": [{"ticker": "MSFT", "ticker_sentiment_score": "0.1"}],
    }


def hostile_in(text: str) -> set[str]:
    """The characters of the text that steer a terminal, line ends aside."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"}


async def test_it_is_harmless_wherever_it_comes(server: HttpServer, tmp_path: Path) -> None:
    server.on(in_good_order)
    server.on(answer({"feed": [item(1, EVIL), item(2, MEGABYTE + EVIL), item(3, "\u202e\x00")]}), tickers="MSFT")
    async with live_pipeline(server, tmp_path, KEY) as live:
        snapshot = await live.until(lambda s: s.detail and len(s.detail.headlines) == 3)
        articles, scored = await live.stored("news", 3), await live.stored("sentiment", 3)
        log = live.log
    assert [article["title"] for article in articles][:1] == [SHOWN]
    for document in (*articles, *scored):
        assert hostile_in("".join(value for value in document.values() if isinstance(value, str))) == set()
        assert len(repr(document)) < 10_000
    assert hostile_in(log) == set() and len(log) < 10_000

    for size in (SMALL, LARGE):
        async with running(FakeLink(snapshot), size) as dash:
            dash.now = snapshot.at
            await dash.press("enter")
            assert hostile_in(dash.text) == set()
            assert "[/bold] [$MSFT]" in dash.text

    product = Product(tmp_path)
    for output in ("table", "json", "csv"):
        for collection in ("news", "sentiment"):
            result = await asyncio.to_thread(product.run, "query", collection, "MSFT", "--format", output)
            assert (result.returncode, hostile_in(result.stdout)) == (0, set())
            assert "[/bold] [$MSFT]" in result.stdout and len(result.stdout) < 50_000
