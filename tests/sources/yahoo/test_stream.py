"""Quotes from the stream, between charts and in place of theirs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from testkit.fake_yahoo import FakeYahoo
from testkit.fakes import FakeClock
from testkit.http_server import HttpServer, answer
from testkit.websocket_server import Behaviour, WebSocketServer, closing, cut, garbage, refusing
from tests.sources.yahoo.bench import Bench

LONG = 3600.0


@pytest.fixture
async def bench(
    server: HttpServer, websocket: WebSocketServer, yahoo: FakeYahoo, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Bench]:
    bench = Bench(server.url, yahoo, clock, tmp_path, stream_url=f"{websocket.url}/?version=2")
    websocket.on(yahoo.streaming())
    yield bench
    await bench.close()


async def test_symbols_are_asked_for_as_yahoo_writes_them_and_quotes_are_of_our_tickers(
    bench: Bench, websocket: WebSocketServer
) -> None:
    await bench.run(LONG, "BRK.B", "VOD.L", until=lambda: len(bench.quotes("BRK.B")) > 2 and bench.quotes("VOD.L"))
    assert websocket.requests[0].path == "/?version=2"
    assert websocket.sent("subscribe")[0] == ["BRK-B", "VOD.L"]
    streamed = [quote for quote in bench.quotes("VOD.L") if quote.volume is None]
    assert streamed[0].currency == "GBp"
    assert streamed[0].previous_close == pytest.approx(bench.yahoo.instruments["VOD.L"].price_at(1772555400), abs=0.01)


async def test_a_chart_says_nothing_of_the_price_after_a_later_word_of_the_stream(bench: Bench) -> None:
    await bench.run(LONG, "AAPL", until=lambda: len(bench.asked("AAPL", "1m")) > 3)
    quotes = bench.quotes("AAPL")
    assert [quote.ts for quote in quotes] == sorted(quote.ts for quote in quotes)
    assert bench.bars("AAPL")


@pytest.mark.parametrize("away", [cut, closing(), closing(1011), garbage, refusing(403), refusing(429), refusing(503)])
async def test_without_the_stream_quotes_come_with_the_charts(
    bench: Bench, websocket: WebSocketServer, away: Behaviour
) -> None:
    websocket.on(away)
    await bench.run(200, "AAPL")
    assert len(bench.quotes("AAPL")) == 4
    assert bench.source.troubles() == {}


async def test_a_stream_that_is_back_is_used_again(bench: Bench, websocket: WebSocketServer) -> None:
    websocket.on(cut, cut, bench.yahoo.streaming())
    await bench.run(LONG, "AAPL", until=lambda: any(quote.volume is None for quote in bench.quotes("AAPL")))
    assert len(websocket.requests) == 3


async def test_a_stream_does_not_hide_that_the_charts_are_out_of_reach(bench: Bench) -> None:
    bench.yahoo.faults["*"] = answer("", 503)
    with pytest.raises(Exception, match="503"):
        await bench.run(LONG, "AAPL")


async def test_without_a_url_there_is_no_stream(
    server: HttpServer, websocket: WebSocketServer, yahoo: FakeYahoo, clock: FakeClock, tmp_path: Path
) -> None:
    bench = Bench(server.url, yahoo, clock, tmp_path)
    await bench.run(30, "AAPL")
    await bench.close()
    assert websocket.requests == []
    assert bench.quotes("AAPL")
