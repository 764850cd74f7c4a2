"""Coinbase's feed through the real clients: a websocket server and an HTTP server on this machine."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.sources import CoinbaseSettings
from pipeline.model.messages import Bar
from pipeline.net.errors import CircuitOpenError, RateLimitedError, RefusedError, UnavailableError
from pipeline.sources.base import Serving
from pipeline.sources.coinbase import create
from testkit.data import RECORDED, require
from testkit.fakes import START, FakeClock
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
from tests.sources.coinbase.coinbase_server import CANDLES, minutes, moment, row, serve, serve_all
from tests.sources.crypto.exchanges import NOW, TODAY, running

TICKER = {
    "type": "ticker",
    "sequence": 1,
    "product_id": "BTC-USD",
    "price": "121.5",
    "open_24h": "90",
    "volume_24h": "470.2",
    "time": "2026-03-04T14:59:59.799258Z",
}
ACK = {"type": "subscriptions", "channels": [{"name": "ticker", "product_ids": ["BTC-USD"]}]}
HEARTBEAT = {"type": "heartbeat", "product_id": "BTC-USD", "sequence": 2, "time": "2026-03-04T15:00:00Z"}


def at(server: HttpServer, websocket: WebSocketServer | None) -> dict[str, Any]:
    url = "" if websocket is None else websocket.url
    return {"coinbase": CoinbaseSettings(base_url=server.url, stream_url=url)}


def later(price: str, **changes: Any) -> dict[str, Any]:
    return TICKER | {"price": price, "time": "2026-03-04T15:00:00.5Z"} | changes


class TestStream:
    async def test_a_quote_says_its_price_its_currency_and_the_close_of_the_utc_day_before(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.until(lambda: run.bars("daily") and websocket.received)
            await websocket.send(ACK, HEARTBEAT, TICKER)
            await run.passing(lambda: run.quotes)
            (quote,) = run.quotes
            assert (quote.ticker, quote.price, quote.currency, quote.source) == ("BTC-USD", 121.5, "USD", "coinbase")
            assert quote.ts == START - timedelta(microseconds=200_742)
            assert quote.revision == int(quote.ts.timestamp() * 1000)
            assert quote.previous_close == 110.0  # of yesterday, not open_24h
            assert (quote.volume, quote.session) == (None, None)
            assert not run.letters and not run.troubles

    async def test_all_that_is_traded_is_asked_for_one_by_one_and_changes_are_followed(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        serve(server, "ETH-EUR")
        async with running(create, tmp_path, "BTC-USD", "XYZ-USD", "AAPL", **at(server, websocket)) as run:
            await run.until(lambda: websocket.received)
            run.watchlist.add(["ETH-EUR"])
            run.watchlist.remove(["BTC-USD"])
            await run.until(lambda: len(websocket.received) == 3)
        channels = ["ticker", "heartbeat"]
        assert [json.loads(frame) for frame in websocket.received] == [
            {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": channels},
            {"type": "unsubscribe", "product_ids": ["BTC-USD"], "channels": channels},
            {"type": "subscribe", "product_ids": ["ETH-EUR"], "channels": channels},
        ]

    async def test_one_of_a_time_to_come_was_now_and_one_without_a_time_too(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        websocket.on(sending(later("1", time="2026-03-04T15:00:10Z")))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.until(lambda: run.quotes)
            assert run.quotes[0].ts == START
            await run.clock.advance(20)
            await websocket.send(later("2", time=None))
            await run.passing(lambda: len(run.quotes) == 2)
            assert START + timedelta(seconds=20) <= run.quotes[1].ts <= run.clock.now()

    @pytest.mark.parametrize(
        "frame",
        [
            "",
            "ping",
            "[]",
            "{}",
            '{"type":3}',
            b"\xff\xfe",
            TICKER | {"price": ""},
            TICKER | {"price": "0"},
            TICKER | {"price": "NaN"},
            TICKER | {"price": None},
            TICKER | {"time": "yesterday"},
            TICKER | {"product_id": ""},
            TICKER | {"product_id": "\x1b[31mBTC"},
            TICKER | {"product_id": 7},
        ],
        ids=repr,
    )
    async def test_a_frame_that_does_not_fit_is_a_dead_letter_and_the_next_one_counts(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path, frame: Any
    ) -> None:
        serve_all(server)
        websocket.on(sending(frame, TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes and run.letters)
            (letter,) = run.letters
            assert letter.topic == "coinbase:stream" and letter.reason
            assert "\x1b" not in letter.payload + letter.reason
            assert run.quotes[0].price == 121.5
            assert len(websocket.requests) == 1

    async def test_kinds_that_are_not_known_are_left_out(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        websocket.on(sending({"type": "status", "products": []}, {"type": "last_match"}, TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes)
            assert not run.letters

    async def test_a_pair_that_the_stream_refuses_is_its_own_trouble(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        server.on(answer({"message": "NotFound"}, 404), path="/products/ETH-EUR/candles")
        error = {"type": "error", "message": "Failed to subscribe", "reason": "ETH-EUR is not a valid product"}
        websocket.on(sending(error, TICKER))
        async with running(create, tmp_path, "BTC-USD", "ETH-EUR", **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes and run.troubles)
            assert run.troubles == {"ETH-EUR": "Coinbase does not trade ETH-EUR"}
            assert len(websocket.requests) == 1

    async def test_any_other_error_ends_the_connection_and_bars_go_on(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        serve_all(server)
        error = {"type": "error", "message": "Rate \x1b[31mlimit", "reason": "too many"}
        websocket.on(sending(error), sending(TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes and run.bars())
            assert len(websocket.requests) == 2
        assert "the provider refuses (Rate limit: too many)" in caplog.text

    async def test_what_cannot_be_unsubscribed_is_no_reason_to_leave(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        websocket.on(sending({"type": "error", "message": "Failed to unsubscribe", "reason": "No channels"}, TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: run.quotes)
            assert len(websocket.requests) == 1

    @pytest.mark.parametrize(
        "fault",
        [cut, cut_in_frame, garbage, closing(1013, "later"), refusing(429), refusing(403), refusing(503)],
        ids=["cut", "cut in a frame", "garbage", "closed", "429", "403", "503"],
    )
    async def test_whatever_happens_to_the_stream_bars_go_on_and_it_is_made_again(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path, fault: Behaviour
    ) -> None:
        serve_all(server)
        websocket.on(fault, sending(TICKER))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.until(run.bars)
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
            await run.clock.advance(29)
            assert len(websocket.requests) == 1
            await run.passing(lambda: run.quotes)
            assert len(websocket.requests) == 2

    async def test_recorded_frames_are_read(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        folder = require(RECORDED / "providers" / "coinbase")
        names = ("ws-heartbeat", "ws-subscriptions-ack", "ws-subscriptions-empty", "ws-match")
        websocket.on(sending(*((folder / f"{name}.json").read_text() for name in names)))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.until(lambda: websocket.received)
            for year, price in (("2019", 6800.0), ("2020", 9380.55)):
                await websocket.send((folder / f"ws-ticker-BTC-USD-{year}.json").read_text())
                await run.passing(lambda price=price: run.quotes and run.quotes[-1].price == price)
                assert run.quotes[-1].ts.year == int(year)
            await websocket.send(*(folder / "ws-session.made.ndjson").read_text().splitlines())
            await run.passing(lambda: run.quotes[-1].price == 22346.01)
            assert not run.letters
            assert len(websocket.requests) == 1


class TestPoll:
    async def test_bars_come_once_a_minute_and_only_those_that_are_new_or_have_changed(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.until(lambda: len(run.bars()) == 2)
            assert [bar.close for bar in run.bars("daily")] == [105.0, 110.0, 120.0]
            assert [bar.closed for bar in run.bars("daily")] == [True, True, False]
            assert [(bar.ts, bar.closed) for bar in run.bars()] == [
                (moment(NOW - 60), True),
                (moment(NOW), False),
            ]
            rows = [row(NOW - 60), row(NOW, 100.75), row(NOW + 60, 100.25)]
            server.on(answer(minutes(*rows)), path=CANDLES, granularity="60")
            before = run.messages[:]
            await run.passing(lambda: len(run.bars()) == 4, step=5.0)
            assert 60 <= run.clock.monotonic() <= 70
            assert [(bar.ts, bar.close, bar.closed) for bar in run.messages[len(before) :] if isinstance(bar, Bar)] == [
                (moment(NOW), 100.75, True),
                (moment(NOW + 60), 100.25, False),
            ]
            assert run.bars()[2].revision > run.bars()[1].revision
        asked = [request.params for request in server.requests if request.params.get("granularity") == "60"]
        assert [params["start"] for params in asked] == ["2026-03-04T10:10:00+00:00", "2026-03-04T14:57:00+00:00"]
        assert asked[1]["end"].startswith("2026-03-04T15:01:")

    async def test_the_days_are_looked_at_again_after_midnight(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        clock = FakeClock(moment(TODAY + 86_400 - 5))
        async with running(create, tmp_path, clock=clock, **at(server, websocket)) as run:
            await run.until(lambda: run.bars("daily") and websocket.received)
            await clock.advance(6)
            await websocket.send(later("130", time="2026-03-05T00:00:00.5Z"))
            await run.passing(lambda: run.quotes)
            assert run.quotes[-1].previous_close is None
            server.on(answer(minutes(row(TODAY, 125.0), row(TODAY + 86_400, 126.0))), granularity="86400")
            while len(run.bars("daily")) == 3:
                await clock.advance(5)
                await websocket.send(HEARTBEAT)
                await asyncio.sleep(0.002)
            await websocket.send(later("131", time="2026-03-05T00:01:00Z"))
            await run.passing(lambda: len(run.quotes) == 2)
            assert run.quotes[-1].previous_close == 125.0

    async def test_after_a_long_sleep_what_was_missed_is_fetched_page_by_page(
        self, server: HttpServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, **at(server, None)) as run:
            await run.until(run.bars)
            server.requests.clear()
            run.clock.jump(12 * 3600)
            await run.passing(lambda: len(server.requests) >= 4)
            await run.clock.advance(10)
        asked = [r.params["start"] for r in server.requests if r.params.get("granularity") == "60"]
        assert asked[:3] == ["2026-03-04T14:57:00+00:00", "2026-03-04T19:56:00+00:00", "2026-03-05T00:55:00+00:00"]

    async def test_without_a_stream_there_are_bars(self, server: HttpServer, tmp_path: Path) -> None:
        serve_all(server)
        async with running(create, tmp_path, **at(server, None)) as run:
            await run.until(run.bars)

    async def test_what_is_not_traded_is_its_own_trouble_and_not_asked_for(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, "XYZ-USD", "BTC-USD", "BRK-B", **at(server, websocket)) as run:
            await run.passing(lambda: run.bars() and len(run.troubles) == 2)
            assert run.troubles == {
                "XYZ-USD": "Coinbase does not trade XYZ-USD",
                "BRK-B": "Coinbase does not trade BRK-B",
            }
            assert isinstance(run.source, Serving)
            trouble = run.source.troubles()["XYZ-USD"]
            assert trouble.since == START and trouble.next_try is None
            run.watchlist.remove(["XYZ-USD"])
            await run.until(lambda: "XYZ-USD" not in run.troubles)
        assert not [request for request in server.requests if "XYZ" in request.path or "BRK" in request.path]

    async def test_a_pair_that_is_listed_later_is_found(self, server: HttpServer, tmp_path: Path) -> None:
        serve_all(server)
        async with running(create, tmp_path, "NEW-USD", **at(server, None)) as run:
            await run.until(lambda: run.troubles)
            server.on(answer([{"id": "NEW-USD"}]), path="/products")
            serve(server, "NEW-USD", row(NOW + 6 * 3600))
            await run.clock.advance(6 * 3600)
            await run.until(lambda: run.bars(ticker="NEW-USD"))
            assert not run.troubles


class TestOutage:
    @pytest.mark.parametrize(
        ("fault", "says"),
        [
            (answer("<html>\x1b[31m</html>"), "Coinbase: its answer cannot be read: "),
            (answer("down", 500), "status 500 Internal Server Error"),
            (answer({"message": "bad"}, 400), "status 400 Bad Request"),
            (reset, "the connection broke off"),
        ],
        ids=["HTML", "500", "400", "reset"],
    )
    async def test_one_that_fails_says_so_and_the_others_go_on(
        self, server: HttpServer, tmp_path: Path, fault: Any, says: str
    ) -> None:
        serve_all(server)
        server.on(fault, path="/products/ETH-EUR/candles")
        async with running(create, tmp_path, "ETH-EUR", "BTC-USD", **at(server, None)) as run:
            await run.passing(lambda: run.bars() and run.troubles)
            assert says in run.troubles["ETH-EUR"]
            assert set(run.troubles) == {"ETH-EUR"}
            serve(server, "ETH-EUR", row(NOW))
            await run.passing(lambda: run.bars(ticker="ETH-EUR"), step=5.0)
            assert not run.troubles
            assert len(run.letters) == (1 if "cannot be read" in says else 0)

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (answer("slow down", 429, {"Retry-After": "70"}), RateLimitedError),
            (answer("no", 403), RefusedError),
            (answer("down", 503), UnavailableError),
            (reset, UnavailableError),
        ],
        ids=["429", "403", "503", "reset"],
    )
    async def test_when_it_can_be_reached_in_neither_way_the_feed_says_so(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path, fault: Any, error: type[Exception]
    ) -> None:
        server.on(fault)
        websocket.on(refusing(503))
        async with running(create, tmp_path, "BTC-USD", "ETH-EUR", **at(server, websocket)) as run:
            with pytest.raises((error, CircuitOpenError)) as caught:
                await run.passing(lambda: False)
            assert getattr(caught.value, "retry_after", None) == (70.0 if error is RateLimitedError else 60.0)

    async def test_while_its_stream_is_up_quotes_go_on_and_nothing_is_raised(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        server.on(answer("down", 503))
        async with running(create, tmp_path, **at(server, websocket)) as run:
            await run.passing(lambda: websocket.received)
            await websocket.send(TICKER)
            await run.passing(lambda: run.quotes)
            assert run.quotes[0].previous_close is None
            for _ in range(20):
                await run.clock.advance(5)
                await websocket.send(HEARTBEAT)
            assert not run.task.done()
            assert not run.troubles  # for prices come
            asked = len(server.requests)
            serve_all(server)
            await run.passing(lambda: run.bars(), seconds=300, step=5.0)
            assert asked < 8

    async def test_without_the_list_of_pairs_candles_are_had_all_the_same(
        self, server: HttpServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, "BTC-USD", "ETH-EUR", **at(server, None)) as run:
            await run.until(run.bars)
            server.on(answer("<html>"), path="/products")
            serve(server, "ETH-EUR")
            await run.clock.advance(6 * 3600)
            later = row(NOW + 6 * 3600 + 60)
            server.on(answer(minutes(later)), path=CANDLES, granularity="60")
            await run.passing(lambda: run.bars()[-1].ts == moment(later[0]), seconds=300, step=5.0)
            await run.passing(lambda: not run.troubles, seconds=300, step=5.0)

    async def test_one_that_is_not_traded_hides_no_outage(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        async with running(create, tmp_path, "XYZ-USD", **at(server, websocket)) as run:
            await run.until(lambda: run.troubles)
            server.on(answer("down", 503), path="/products")
            with pytest.raises(UnavailableError):
                await run.passing(lambda: False, seconds=7 * 3600, step=600)

    async def test_pairs_are_taken_for_traded_as_long_as_it_is_not_known(
        self, server: HttpServer, websocket: WebSocketServer, tmp_path: Path
    ) -> None:
        server.on(answer("<html>"), path="/products")
        async with running(create, tmp_path, "BTC-USD", "AAPL", **at(server, websocket)) as run:
            await run.passing(lambda: websocket.received)
            assert json.loads(websocket.received[0])["product_ids"] == ["BTC-USD"]
            assert [letter.topic for letter in run.letters][:1] == ["coinbase:products"]
