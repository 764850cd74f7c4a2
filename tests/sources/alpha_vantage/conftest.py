"""A client of Alpha Vantage for the server on this machine."""

import pytest

from pipeline.net.http import Http
from pipeline.sources.alpha_vantage.client import AlphaVantageClient
from testkit.fakes import FakeClock
from testkit.http_server import HttpServer
from tests.sources.alpha_vantage.replies import KEY


@pytest.fixture
def client(server: HttpServer, http: Http, clock: FakeClock) -> AlphaVantageClient:
    return AlphaVantageClient(http, KEY, base_url=server.url, clock=clock)
