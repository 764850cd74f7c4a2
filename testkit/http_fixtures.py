"""A server and clients for it."""

from collections.abc import AsyncIterator

import pytest

from pipeline.http import Http, Limits
from pipeline.sources.alpha_vantage.client import AlphaVantageClient
from tests.fakes import FakeClock
from tests.http.alpha_vantage_data import KEY
from tests.http_server import HttpServer, serve

LIMITS = Limits(connect=5.0, silence=1.0, total=4.0, body=1 << 20)


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serve() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(auto=True)


@pytest.fixture
async def http(clock: FakeClock) -> AsyncIterator[Http]:
    client = Http(clock, limits=LIMITS)
    yield client
    await client.close()


@pytest.fixture
def client(server: HttpServer, http: Http, clock: FakeClock) -> AlphaVantageClient:
    return AlphaVantageClient(http, KEY, base_url=server.url, clock=clock)
