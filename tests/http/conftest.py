"""A server and a client for it."""

from collections.abc import AsyncIterator

import pytest

from pipeline.http import Http, Limits
from tests.fakes import FakeClock
from tests.http_server import HttpServer, serve

LIMITS = Limits(connect=5.0, silence=0.5, total=2.0, body=1 << 20)


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
