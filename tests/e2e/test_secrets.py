"""Planted secrets are looked for in everything that the product writes, also where providers and errors echo them."""

import asyncio
import json
import resource
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from testkit.http_server import HttpServer, answer, serve
from testkit.product import Product
from testkit.websocket_server import Behaviour, Client, serve_websocket
from tests.e2e.recorded_provider import product_at
from tests.sources.alpha_vantage import replies as data

REDDIT: Final = "Pl4nted-Reddit-Secret"
SASL: Final = "Pl4nted-Sasl-Password"
MONGO: Final = "Pl4nted%40Mongo-Passw0rd"
FINNHUB, APCA_ID, APCA_SECRET, FRED = (f"Pl4nted-{name}-Key" for name in ("Finnhub", "Alpaca-Id", "Alpaca", "Fred"))
KEYED: Final = {
    "FINNHUB_API_KEY": FINNHUB,
    "APCA_API_KEY_ID": APCA_ID,
    "APCA_API_SECRET_KEY": APCA_SECRET,
    "FRED_API_KEY": FRED,
}
PLANTED: Final = (data.KEY, REDDIT, SASL, MONGO, MONGO.replace("%40", "@"), *KEYED.values())
CLOSED: Final = "127.0.0.1:9"

LEAKY: Final = """
import os


class Feed:
    name = "social"

    async def stream(self, watchlist):
        raise RuntimeError("unexpected: " + os.environ["ALPHA_VANTAGE_API_KEY"] + os.environ["REDDIT_CLIENT_SECRET"])
        yield


class Leaky:
    name, simulated = "leaky", False

    def __init__(self, context):
        pass

    def feeds(self):
        return [Feed()]

    async def history(self, ticker):
        raise ValueError(os.environ["ALPHA_VANTAGE_API_KEY"])
        yield

    async def close(self):
        pass
"""
MORE_CONFIG: Final = """
[reddit]
base_url = "{url}"
token_url = "{url}/token"

[sources]
leaky = "leaky:Leaky"

[kafka]
security_protocol = "SASL_PLAINTEXT"
sasl_username = "me"
"""
KEYED_CONFIG: Final = """
[logging]
level = "debug"

[routes]
us_share = ["finnhub", "alpaca"]
news = []
social = []
economic = ["fred"]

[finnhub]
stream_url = "{websocket}"

[alpaca]
stream_url = "{websocket}"

[fred]
api_url = "{url}"
"""
ECHO: Final = {"detail": f"{data.KEY} {REDDIT}"}


@pytest.fixture(autouse=True)
def no_core_file() -> Iterator[None]:
    """The memory of a process holds its secrets, and so would its image on disk."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    """Echoes secrets in whatever it says."""
    async with serve() as local:
        local.on(answer(ECHO, 500), answer(ECHO, 429), answer(f"<html>{data.KEY}</html>"), answer(data.DAILY_LIMIT))
        local.on(answer({"Information": f"New to you: {data.KEY}"}), function="TIME_SERIES_DAILY")
        local.on(answer(ECHO, 401), path="/token")
        yield local


@pytest.fixture
def product(tmp_path: Path, server: HttpServer) -> Product:
    product = product_at(
        server, tmp_path, Product, REDDIT_CLIENT_ID="my-id", REDDIT_CLIENT_SECRET=REDDIT, PYTHONFAULTHANDLER="1"
    )
    with (tmp_path / "config.toml").open("a") as config:
        config.write(MORE_CONFIG.format(url=server.url))
    (tmp_path / "leaky.py").write_text(LEAKY)
    return product


def looked_at(product: Product, process: subprocess.Popen[str], end: signal.Signals) -> dict[str, bytes]:
    """Everything to be seen of a pipeline that runs and is then ended by the signal, by where it was seen."""
    told = [product.run(*command) for command in (["status"], ["status", "--json"], ["doctor"], ["topics"])]
    found = {f"{seen.args}": (seen.stdout + seen.stderr).encode() for seen in told}
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[str(arguments)] = arguments.read_bytes()
        except OSError:  # it has ended
            continue
    process.send_signal(end)
    out, err = process.communicate(timeout=60)
    found |= {"stdout": out.encode(), "stderr": err.encode()}
    files = [path for path in product.directory.rglob("*") if path.is_file() and path.suffix not in (".toml", ".pyc")]
    return found | {str(path): path.read_bytes() for path in files}


def leaks(found: dict[str, bytes]) -> list[tuple[str, str]]:
    return [(where, secret) for where, seen in found.items() for secret in PLANTED if secret.encode() in seen]


async def test_none_is_in_what_an_aborted_pipeline_leaves(product: Product, server: HttpServer) -> None:
    def run() -> dict[str, bytes]:
        process = product.start("AAPL", "MSFT", "--no-ui", "--initial-load")
        product.wait_for(lambda s: {"social leaky", "social reddit"} <= failing(s) and s["pipeline"]["dead_letters"])
        return looked_at(product, process, signal.SIGABRT)

    found = await asyncio.to_thread(run)
    log = found[str(product.data_dir / "logs" / "pipeline.log")]
    assert b"RuntimeError: unexpected: ***" in log and b"Traceback" in log
    assert b"Fatal Python error: Aborted" in found["stderr"]
    assert any(data.KEY in request.params.values() for request in server.requests), "it was in use"
    assert leaks(found) == []


async def test_none_is_in_what_is_said_of_sources_that_refuse_their_keys(tmp_path: Path, server: HttpServer) -> None:
    """One has its key in the address, one sends it in a frame, one in a query; all three are echoed."""
    server.on(answer({"error_message": f"the api_key {FRED} is bad"}, 400), path="/fred/series/observations")
    product = Product(tmp_path, **KEYED)

    async def refuse(client: Client) -> None:
        said = str(await client.receive())
        echo = json.dumps([{"T": "error", "code": 402, "msg": said}])
        await client.send({"type": "error", "msg": f"Invalid API key {FINNHUB}"} if "auth" not in said else echo)
        await client.listen()

    def run() -> dict[str, bytes]:
        process = product.start("AAPL", "--no-ui", "--source", "auto")
        product.wait_for(lambda s: {"market finnhub", "market alpaca", "economic fred"} <= failing(s), process)
        return looked_at(product, process, signal.SIGTERM)

    async with serve_websocket() as websocket:
        websocket.on(Behaviour(refuse))
        (tmp_path / "config.toml").write_text(KEYED_CONFIG.format(url=server.url, websocket=websocket.url))
        found = await asyncio.to_thread(run)
        assert any(FINNHUB in request.path for request in websocket.requests), "it was in use"
    assert b"Finnhub refuses the key (Invalid API key ***)" in found[str(product.data_dir / "logs" / "pipeline.log")]
    assert leaks(found) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"KAFKA_BOOTSTRAP_SERVERS": CLOSED, "FINTRENDS_KAFKA__SASL_PASSWORD": SASL},
        {"MONGODB_URI": f"mongodb://me:{MONGO}@{CLOSED}/?serverSelectionTimeoutMS=500"},
    ],
    ids=["kafka", "mongodb"],
)
async def test_none_is_in_what_is_said_of_an_engine_out_of_reach(product: Product, variables: dict[str, str]) -> None:
    product = Product(product.directory, ALPHA_VANTAGE_API_KEY=data.KEY, REDDIT_CLIENT_SECRET=REDDIT, **variables)

    def run() -> dict[str, bytes]:
        process = product.start("AAPL", "--no-ui")
        product.wait_for(lambda s: CLOSED in s["pipeline"]["note"], process)
        return looked_at(product, process, signal.SIGTERM)

    found = await asyncio.to_thread(run)
    assert CLOSED.encode() in found[str(product.data_dir / "logs" / "pipeline.log")]
    assert leaks(found) == []


def failing(status: dict[str, Any]) -> set[str]:
    return {service["name"] for service in status["services"] if service["error"]}
