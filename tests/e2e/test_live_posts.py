"""Live sources from a server on this machine, through to the store: the plug-in of the docs, StockTwits and Reddit."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from testkit.forked import ForkedProduct
from testkit.http_server import HttpServer, answer, serve
from testkit.product import ROOT, Product, documents
from testkit.recorded_posts import CLOUDFLARE, listing, messages, stream

STREAM = "/api/2/streams/symbol/TSLA.json"
SEARCH = "/r/stocks/search"
CONFIG = """
[pipeline]
source = "my_quotes"

[sources]
my_quotes = "my_quotes:MyQuotes"

[stocktwits]
base_url = "{url}"

[reddit]
client_id = "MY-ID"
client_secret = "MY-SECRET"
subreddits = ["stocks"]
base_url = "{url}"
token_url = "{url}/token"
"""


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serve() as local:
        local.on(answer({"access_token": "T0K3N", "expires_in": 3600}), path="/token")
        local.on(answer({"price": 207.5}), path="/TSLA.json")
        local.on(answer(stream(messages())), path=STREAM)
        local.on(answer(named_after_tesla()), path=SEARCH)
        yield local


@pytest.fixture
def product(tmp_path: Path, server: HttpServer) -> Product:
    """The plug-in is that of docs/add-a-source.md, but for the address."""
    page = (ROOT / "docs" / "add-a-source.md").read_text("utf-8")
    (plugin,) = re.findall(r'```python\n(""".*?my_quotes\.py.*?)```', page, re.DOTALL)
    assert "http://localhost:8000" in plugin
    (tmp_path / "my_quotes.py").write_text(plugin.replace("http://localhost:8000", server.url))
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(url=server.url))
    config.chmod(0o600)
    return ForkedProduct(tmp_path, FINTRENDS_PIPELINE__SOURCE="my_quotes")


def named_after_tesla() -> dict[str, Any]:
    """The recorded search as if PRAW were TSLA."""
    recorded: dict[str, Any] = json.loads(json.dumps(listing()).replace("PRAW", "TSLA"))
    return recorded


async def test_recorded_posts_end_up_scored_once_and_the_posters_tag_outranks_the_lexicon(
    product: Product, server: HttpServer
) -> None:
    tagged = {str(m["id"]): (m["entities"]["sentiment"] or {}).get("basic") for m in messages()}
    of_reddit = sum(
        "TSLA" in f"{c['data']['title']} {c['data']['selftext']}" for c in named_after_tesla()["data"]["children"]
    )
    expected = len(tagged) + of_reddit

    def run() -> dict[str, Any]:
        before = len(server.requests)
        with product.running("TSLA") as process:
            status = product.wait_for(
                lambda s: (
                    len(server.requests) > before
                    and documents(s, "sentiment") == documents(s, "social") == expected
                    and documents(s, "stock_data")
                ),
                process,
            )
            product.stop()
            assert process.wait(20) == 0
        return status

    status = await asyncio.to_thread(run)
    assert status["pipeline"]["source_note"] == ("live from my_quotes (market), stocktwits (social), reddit (social)")
    services = {service["name"]: service for service in status["services"] if service["role"] == "producer"}
    assert set(services) == {"market my_quotes", "social stocktwits", "social reddit"}
    assert {service["state"] for service in services.values()} == {"running"}

    scored = {item["id"]: item for item in product.query("sentiment", "TSLA")}
    assert {item["source"] for item in scored.values()} == {"stocktwits", "reddit"}
    for key, tag in tagged.items():
        match tag:
            case "Bullish":
                assert scored[key]["compound"] >= 0.5
            case "Bearish":
                assert scored[key]["compound"] <= -0.5
    assert {item["label"] for item in scored.values()} >= {"positive", "negative"}
    assert all(-1 <= item["compound"] <= 1 for item in scored.values())
    assert [quote["price"] for quote in product.query("stock_data", "TSLA")][-1:] == [207.5]
    assert product.query("dead_letter") == []

    again = await asyncio.to_thread(run)  # resumes: nothing is published again
    assert {s["name"]: s["total"] for s in again["services"]}["social stocktwits"] == 0
    log = (product.data_dir / "logs" / "pipeline.log").read_text()
    assert not [secret for secret in ("MY-ID", "MY-SECRET", "T0K3N") if secret in log]


async def test_what_is_blocked_is_said_and_the_rest_goes_on(product: Product, server: HttpServer) -> None:
    server.on(answer(CLOUDFLARE, 403), path=STREAM)
    server.on(answer(status=404), path="/GONE.json")

    def run() -> dict[str, Any]:
        with product.running("GONE", "TSLA", "--initial-load") as process:
            return product.wait_for(
                lambda s: (
                    documents(s, "social") > 0
                    and documents(s, "stock_data") > 0
                    and any(service["state"] == "backing off" for service in s["services"])
                    and {load["state"] for load in s["loads"]} == {"failed"}
                ),
                process,
            )

    status = await asyncio.to_thread(run)
    services = {service["name"]: service for service in status["services"]}
    assert "it denies access for now (403)" in services["social stocktwits"]["error"]
    assert services["social stocktwits"]["retry_in"] > 1000
    assert services["social reddit"]["state"] == services["market my_quotes"]["state"] == "running"
    assert any(request.path == "/GONE.json" for request in server.requests)
    notes = {load["ticker"]: load["note"] for load in status["loads"]}
    assert "my_quotes has no history of TSLA" in notes["TSLA"]


async def test_a_plugin_that_cannot_be_imported_stops_the_start_with_its_line(product: Product) -> None:
    (product.directory / "my_quotes.py").write_text("import json\n\nnonsense(\n")
    result = await asyncio.to_thread(product.run, "TSLA", "--no-ui")
    assert result.returncode == 2
    assert "my_quotes.py, line 3: '(' was never closed" in result.stderr
    assert "Traceback" not in result.stderr
    doctor = await asyncio.to_thread(product.run, "doctor")
    assert doctor.returncode == 1
    assert "my_quotes.py, line 3" in doctor.stdout
