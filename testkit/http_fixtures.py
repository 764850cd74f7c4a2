"""Fixtures: a server on this machine, and our HTTP client for it."""

from collections.abc import AsyncIterator

import pytest

from pipeline.net.http import Http, Limits
from testkit.fakes import FakeClock
from testkit.http_server import HttpServer, serve

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
