"""Recorded replies of Alpha Vantage through the real process into the store."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from testkit.http_server import HttpServer, answer, serve
from testkit.product import Product, documents
from tests.e2e.recorded_provider import SERIES, product_at, replay_recordings
from tests.sources.alpha_vantage import replies as data


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serve() as local:
        replay_recordings(local)
        yield local


@pytest.fixture
def product(tmp_path: Path, server: HttpServer) -> Product:
    return product_at(server, tmp_path)


async def test_an_initial_load_stores_what_was_recorded_and_a_second_asks_nothing(
    product: Product, server: HttpServer
) -> None:
    def load() -> str:
        result = product.run("AAPL", "IBM", "--no-ui", "--initial-load", "--until-idle")
        assert result.returncode == 0, result.stderr
        return result.stderr

    progress = await asyncio.to_thread(load)
    assert "2 tickers" in progress and "stopped · " in progress
    asked = Counter(request.params["function"] for request in server.requests)
    per_ticker = dict.fromkeys(("TIME_SERIES_DAILY", "TIME_SERIES_INTRADAY", "NEWS_SENTIMENT"), 2)
    assert asked == per_ticker | dict.fromkeys(SERIES, 1)
    await asyncio.to_thread(load)
    assert len(server.requests) == asked.total()

    await asyncio.to_thread(check_bars, product)
    await asyncio.to_thread(check_articles, product)
    await asyncio.to_thread(check_economy, product)
    assert await asyncio.to_thread(product.query, "dead_letter") == []
    assert data.KEY not in (product.data_dir / "logs" / "pipeline.log").read_text()


def check_bars(product: Product) -> None:
    daily = product.query("stock_data", "IBM", interval="daily")
    assert len(daily) == 100
    assert daily[0]["ts"].endswith("T05:00:00Z") and daily[-1]["ts"] == "2026-05-15T04:00:00Z", "winter and summer time"
    assert (daily[-1]["open"], daily[-1]["close"], daily[-1]["volume"]) == (218.2, 219.3, 6154450)
    minutes = product.query("stock_data", "IBM", interval="1min")
    assert len(minutes) == 100
    assert (minutes[-1]["ts"], minutes[-1]["close"]) == ("2026-05-15T23:55:00Z", 219.0)
    rows = product.query("indicators", "IBM", interval="daily")
    assert len(rows) == 100
    assert rows[-1]["sma_20"] == pytest.approx(sum(bar["close"] for bar in daily[-20:]) / 20)


def check_articles(product: Product) -> None:
    articles = product.query("news", "AAPL")
    assert len(articles) == 50
    assert (articles[-1]["ts"], articles[-1]["publisher"]) == ("2026-05-17T11:01:00Z", "Benzinga")
    scored = product.query("sentiment", "AAPL")
    assert {item["id"] for item in scored} == {article["id"] for article in articles}
    assert {item["label"] for item in scored} >= {"positive", "negative"}


def check_economy(product: Product) -> None:
    points = product.query("economic")
    recorded = {
        (name, row["timestamp"]): row["value"] for name in SERIES for row in data.rows_of(f"economic/{name}.csv")
    }
    stored = {(point["series"], point["ts"][:10]): point["value"] for point in points}
    assert stored == {key: None if value == "." else float(value) for key, value in recorded.items()}


async def test_refusals_of_the_plan_lead_to_daily_bars_and_quotes_with_a_note(
    product: Product, server: HttpServer
) -> None:
    server.on(answer(data.PREMIUM), function="TIME_SERIES_INTRADAY")
    server.on(answer(data.FULL), function="TIME_SERIES_DAILY", outputsize="full")

    def run() -> tuple[str, str]:
        with product.running("IBM") as process:
            product.wait_for(lambda s: documents(s, "stock_data") == 101, process)
            first = product.run("load", "--wait")
            assert first.returncode == 0, first.stderr
            asked = len(server.requests)
            second = product.run("load", "IBM", "--wait")
            assert second.returncode == 0, second.stderr
            assert len(server.requests) == asked, "nothing is asked twice"
            told = product.run("status").stdout
            product.stop()
            assert process.wait(20) == 0
        return first.stderr, told

    loaded, told = await asyncio.to_thread(run)
    assert "IBM done" in loaded and "the newest 100 daily bars only, no intraday bars: not in the plan" in loaded
    assert "not in the plan: bulk, full history, intraday" in told
    assert [quote["price"] for quote in quotes_of(product)] == [219.3]
    assert len(product.query("stock_data", "IBM", interval="daily")) == 100


def quotes_of(product: Product) -> list[dict[str, object]]:
    return product.query("stock_data", "IBM", interval="quote")
