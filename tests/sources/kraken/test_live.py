"""Kraken's feed through the real clients: a websocket server and an HTTP server on this machine."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.sources import KrakenSettings
from pipeline.net.errors import CircuitOpenError, RateLimitedError, UnavailableError
from pipeline.sources.kraken import create
from testkit.data import RECORDED, require
from testkit.fakes import START
from testkit.http_server import HttpServer, answer, reset
from testkit.websocket_server import (
    Behaviour,
    WebSocketServer,
    closing,
    cut,
    cut_in_frame,
    garbage,
    listen,
    refusing,
    sending,
)
from tests.sources.crypto.exchanges import NOW, running
from tests.sources.kraken.kraken_server import PATH, reply, row, saying, serve, serve_all

HEARTBEAT = {"channel": "heartbeat"}
PRICE = {"symbol": "BTC/USD", "bid": 121.4, "ask": 121.6, "last": 121.5, "volume": 2158.3, "change": -9.1}
TICKER = {"channel": "ticker", "type": "update", "data": [PRICE]}
CANDLE = {
    "symbol": "BTC/USD",
    "open": 121.0,
    "high": 122.0,
    "low": 120.5,
    "close": 121.5,
    "trades": 12,
    "volume": 1.234,
    "vwap": 121.2,
    "interval_begin": "2026-03-04T15:00:00.000000000Z",
    "interval": 1,
    "timestamp": "2026-03-04T15:01:00.000000Z",
}


def ohlc(*candles: dict[str, Any], kind: str = "update") -> dict[str, Any]:
    return {"channel": "ohlc", "type": kind, "data": list(candles)}


def at(server: HttpServer, websocket: WebSocketServer | None) -> dict[str, Any]:
    url = "" if websocket is None else websocket.url
    return {"kraken": KrakenSettings(base_url=server.url, stream_url=url)}


class TestStream:
    async def test_prices_and_bars_are_asked_for_in_kraken_s_names(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        serve(server, "XDGEUR")
        async with running(create, tmp_path, "BTC-USD", "AAPL", "DOGE-EUR", **at(server, websocket)) as run:
            await run.until(lambda: len(websocket.received) == 2)
            run.watchlist.remove(["DOGE-EUR"])
            await run.until(lambda: len(websocket.received) == 4)
        both = ["BTC/USD", "DOGE/EUR"]
        assert [json.loads(frame) for frame in websocket.received] == [
            {"method": "subscribe", "params": {"channel": "ticker", "symbol": both}},
            {"method": "subscribe", "params": {"channel": "ohlc", "symbol": both, "interval": 1}},
            {"method": "unsubscribe", "params": {"channel": "ticker", "symbol": ["DOGE/EUR"]}},
            {"method": "unsubscribe", "params": {"channel": "ohlc", "symbol": ["DOGE/EUR"], "interval": 1}},
        ]

    async def test_a_quote_says_its_price_its_currency_and_the_close_of_the_utc_day_before(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.bars("daily") and websocket.received)
            await websocket.send(TICKER)
            await run.passing(lambda: run.quotes)
            (quote,) = run.quotes
            assert (quote.ticker, quote.price, quote.currency, quote.source) == ("BTC-USD", 121.5, "USD", "kraken")
            assert quote.previous_close == 110.0
            assert START <= quote.ts <= run.clock.now()
            assert quote.revision == int(quote.ts.timestamp() * 1000)
            assert quote.volume is None
            made = "2026-03-04T15:00:00.1Z"
            await websocket.send({"channel": "ticker", "data": [PRICE | {"timestamp": made, "last": "121.75"}]})
            await run.passing(lambda: len(run.quotes) == 2)
            assert (run.quotes[1].ts, run.quotes[1].price) == (START + timedelta(seconds=0.1), 121.75)

    async def test_bars_come_by_the_stream_and_are_closed_when_their_minute_is_over(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        server.on(answer(reply()), path=PATH)
        websocket.on(sending(ohlc(CANDLE | {"interval_begin": "2026-03-04T14:58:00Z"}, CANDLE, kind="snapshot")))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: len(run.bars()) == 2)
            assert [(bar.ts.minute, bar.closed) for bar in run.bars()] == [(58, True), (0, False)]
            bar = run.bars()[1]
            assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (121.0, 122.0, 120.5, 121.5, 1.234)
            assert (bar.currency, bar.source, bar.ts) == ("USD", "kraken", START)
            await websocket.send(ohlc(CANDLE | {"close": 121.9}))
            while not run.bars()[-1].closed:
                assert run.clock.now() < START + timedelta(minutes=2)
                await run.clock.advance(5)
                await websocket.send(HEARTBEAT)
                await run.passing(lambda: True)
            assert run.bars()[-1].close == 121.9
            assert run.bars()[-1].revision > bar.revision
            assert [request.params["interval"] for request in server.requests].count("1") <= 2

    @pytest.mark.parametrize(
        "frame",
        [
            "",
            "ping",
            "[]",
            "{}",
            b"\xff\xfe",
            '{"channel":3}',
            '{"channel":"ticker","data":{}}',
            {"channel": "ticker", "data": [7]},
            {"channel": "ticker", "data": [PRICE | {"last": None}]},
            {"channel": "ticker", "data": [PRICE | {"last": 0}]},
            {"channel": "ticker", "data": [PRICE | {"symbol": "\x1b[31mBTC"}]},
            {"channel": "ticker", "data": [PRICE | {"timestamp": "yesterday"}]},
            ohlc(CANDLE | {"interval": 5}),
            ohlc(CANDLE | {"interval_begin": "2026-03-04T15:00:01Z"}),
            ohlc(CANDLE | {"interval_begin": "2026-03-04T18:00:00Z"}),
            ohlc(CANDLE | {"interval_begin": None}),
            ohlc(CANDLE | {"high": 1}),
            {"channel": "ticker", "data": [PRICE | {"last": "?"}, PRICE]},
        ],
        ids=repr,
    )
    async def test_what_does_not_fit_is_a_dead_letter_and_the_rest_counts(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path, frame: Any
    ) -> None:
        serve_all(server)
        websocket.on(sending(frame, TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes and run.letters)
            (letter,) = run.letters
            assert letter.topic == "kraken:stream" and letter.reason
            assert "\x1b" not in letter.payload + letter.reason
            assert run.quotes[0].price == 121.5
            assert len(websocket.requests) == 1

    async def test_a_pair_that_it_refuses_is_its_own_trouble(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        server.on(saying("EQuery:Unknown asset pair"), pair="XYZUSD")
        refusal = {
            "error": "Currency pair not supported XYZ/USD",
            "method": "subscribe",
            "success": False,
            "symbol": "XYZ/USD",
            "time_in": "2026-03-04T15:00:00.545897Z",
        }
        accepted = {"method": "subscribe", "result": {"channel": "ticker", "symbol": "BTC/USD"}, "success": True}
        websocket.on(sending(accepted, refusal, refusal | {"error": "Already subscribed"}, TICKER))
        async with running(create, tmp_path, "BTC-USD", "XYZ-USD", "AAPL", **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes and len(run.troubles) == 2)
            assert run.troubles == {
                "XYZ-USD": "Kraken does not trade XYZ-USD",
                "AAPL": "Kraken does not trade AAPL",
            }
            assert len(websocket.requests) == 1
            assert not run.letters

    @pytest.mark.parametrize(
        ("error", "says"),
        [
            ({"error": "Malformed \x1b[31mrequest", "method": "error"}, "Malformed request"),
            ({"error": "EAPI:Rate limit exceeded", "method": "subscribe", "symbol": "BTC/USD"}, "EAPI:Rate limit exce"),
            ({"method": "subscribe", "success": False}, "without a reason"),
        ],
    )
    async def test_any_other_error_ends_the_connection(
        self,
        server: HttpServer,
        websocket: WebSocketServer,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        error: dict[str, Any],
        says: str,
    ) -> None:
        serve_all(server)
        websocket.on(sending(error), sending(TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes)
            assert len(websocket.requests) == 2
            assert not run.troubles
        assert f"the provider refuses ({says}" in caplog.text

    async def test_maintenance_is_in_the_log(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        serve_all(server)
        status = {"channel": "status", "data": [{"system": "maintenance", "version": "2.0.10"}]}
        websocket.on(sending(status, TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes)
            assert not run.letters
        assert "Kraken: the exchange says that it is in the state maintenance" in caplog.text

    @pytest.mark.parametrize(
        "fault",
        [cut, cut_in_frame, garbage, closing(1001), refusing(429), refusing(403), refusing(503)],
        ids=["cut", "cut in a frame", "garbage", "closed", "429", "403", "503"],
    )
    async def test_whatever_happens_to_the_stream_bars_go_on_and_it_is_made_again(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path, fault: Behaviour
    ) -> None:
        serve_all(server)
        websocket.on(fault, sending(TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(run.bars)
            await run.passing(lambda: run.quotes, seconds=1000.0, step=5.0)
            assert len(websocket.requests) == 2
            assert not run.troubles

    async def test_a_stream_that_falls_silent_is_made_again(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        websocket.on(listen, sending(TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.until(lambda: websocket.received)
            await run.passing(lambda: run.quotes)
            assert run.clock.monotonic() >= 30 and len(websocket.requests) == 2

    async def test_recorded_frames_are_read(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        folder = require(RECORDED / "providers" / "kraken")
        names = ("v2-status", "v2-heartbeat", "v2-ticker-snapshot")
        websocket.on(sending(*((folder / f"{name}.json").read_text() for name in names)))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes)
            assert run.quotes[0].price == 108359.8
            assert not run.letters


class TestPoll:
    async def test_while_the_stream_is_up_minutes_are_asked_for_once(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.bars() and websocket.received)
            for _ in range(60):
                await run.clock.advance(5)
                await websocket.send(HEARTBEAT)
                await run.passing(lambda: True)
        assert len(websocket.requests) == 1
        asked = [request.params["interval"] for request in server.requests]
        assert asked.count("1") <= 2 and asked.count("1440") == 1

    async def test_what_was_missed_while_it_was_away_is_asked_for_when_it_is_back(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.bars() and websocket.received)
            for _ in range(15):
                await run.clock.advance(5)
                await websocket.send(HEARTBEAT)
                await run.passing(lambda: True)
            before = len(server.requests)
            server.on(answer(reply(row(NOW - 60), row(NOW, 100.9))), pair="XBTUSD", interval="1")
            websocket.clients[-1].abort()
            await run.passing(lambda: len(websocket.requests) == 2)
            for _ in range(15):
                await run.clock.advance(5)
                await websocket.send(HEARTBEAT)
                await run.passing(lambda: True)
            assert [request.params["interval"] for request in server.requests[before:]] == ["1"]
            assert run.bars()[-1].ts == datetime.fromtimestamp(NOW, UTC) and run.bars()[-1].close == 100.9

    async def test_without_a_stream_there_are_bars_once_a_minute(self, server: HttpServer, tmp_path: Path) -> None:
        serve_all(server)
        async with running(create, tmp_path, **at(server, None)) as run:
            await run.passing(lambda: len(server.requests) == 5, seconds=200, step=5.0)
        assert [request.params["interval"] for request in server.requests] == ["1440", "1", "1", "1", "1"]


class TestOutage:
    async def test_one_that_fails_says_so_and_the_others_go_on(self, server: HttpServer, tmp_path: Path) -> None:
        serve_all(server)
        server.on(saying("EGeneral:Invalid arguments"), pair="ETHEUR")
        async with running(create, tmp_path, "ETH-EUR", "BTC-USD", **at(server, None)) as run:
            await run.passing(lambda: run.bars() and run.troubles)
            assert run.troubles == {"ETH-EUR": "Kraken: it refuses the request (EGeneral:Invalid arguments)"}
            serve(server, "ETHEUR", row(NOW))
            await run.passing(lambda: run.bars(ticker="ETH-EUR"), step=5.0)
            assert not run.troubles

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (saying("EAPI:Rate limit exceeded"), RateLimitedError),
            (saying("EService:Unavailable"), UnavailableError),
            (answer("slow down", 429), RateLimitedError),
            (answer("down", 503), UnavailableError),
            (reset, UnavailableError),
        ],
        ids=["said limit", "said unavailable", "429", "503", "reset"],
    )
    async def test_when_it_can_be_reached_in_neither_way_the_feed_says_so(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path, fault: Any, error: type[Exception]
    ) -> None:
        server.on(fault)
        websocket.on(refusing(503))
        async with running(create, tmp_path, "BTC-USD", "ETH-EUR", **at(server, websocket)) as run:
            with pytest.raises((error, CircuitOpenError)) as caught:
                await run.passing(lambda: False)
            assert getattr(caught.value, "retry_after", None) == 60.0

    async def test_while_its_stream_is_up_everything_goes_on(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        server.on(answer("down", 503))
        websocket.on(sending(TICKER, ohlc(CANDLE, kind="snapshot")))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes and run.bars())
            for _ in range(20):
                await run.clock.advance(5)
                await websocket.send(HEARTBEAT)
                await run.passing(lambda: True)
            assert not run.troubles
            assert run.bars()[-1].closed
