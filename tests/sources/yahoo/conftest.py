"""A source for a Yahoo on this machine, on a clock that stands still until it is told to go on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.net.http import Http
from testkit.fake_yahoo import FakeYahoo
from testkit.fakes import FakeClock
from testkit.http_fixtures import LIMITS
from testkit.http_server import HttpServer
from tests.sources.yahoo.bench import Bench


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def http(clock: FakeClock) -> AsyncIterator[Http]:
    client = Http(clock, limits=LIMITS)
    yield client
    await client.close()


@pytest.fixture
def yahoo(server: HttpServer, clock: FakeClock) -> FakeYahoo:
    return FakeYahoo(clock).serve_on(server)


@pytest.fixture
async def bench(server: HttpServer, yahoo: FakeYahoo, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(server.url, yahoo, clock, tmp_path)
    yield bench
    await bench.close()
