"""Finnhub's trades by a real websocket from a server on this machine."""

import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.config.settings import Settings
from pipeline.config.sources import FinnhubSettings
from pipeline.net.errors import StreamRefusedError
from pipeline.sources import registry
from pipeline.sources.base import NotConfiguredError, SourceContext, SourceError
from testkit.data import RECORDED, require
from testkit.fakes import START, FakeClock
from testkit.websocket_server import WebSocketServer, closing, cut, eventually, refusing
from tests.sources.streams.rig import Rig, running

KEY = "Pl4nted+Finnhub/Key"
Start = Callable[..., AbstractAsyncContextManager[Rig]]


def trades(*rows: tuple[str, float, float, float]) -> dict[str, Any]:
    """Symbol, price, size, and seconds after `START`."""
    base = START.timestamp()
    data = [{"s": s, "p": p, "v": v, "t": int((base + at) * 1000), "c": ["1"]} for s, p, v, at in rows]
    return {"type": "trade", "data": data}


@pytest.fixture
def start(websocket: WebSocketServer, tmp_path: Path) -> Start:
    def begin(*tickers: str, **options: Any) -> AbstractAsyncContextManager[Rig]:
        options = {"api_key": KEY, "stream_url": websocket.url} | options
        return running("finnhub", Settings(finnhub=FinnhubSettings(**options)), tmp_path, *(tickers or ("AAPL",)))

    return begin


async def subscribed(websocket: WebSocketServer, count: int = 1) -> None:
    await eventually(lambda: len(websocket.received) >= count)


async def test_trades_are_quotes_and_bars(start: Start, websocket: WebSocketServer) -> None:
    async with start("AAPL", "BRK-B") as rig:
        await subscribed(websocket, 2)
        assert [json.loads(frame) for frame in websocket.received] == [
            {"type": "subscribe", "symbol": "AAPL"},
            {"type": "subscribe", "symbol": "BRK.B"},
        ]
        rig.clock.jump(5)
        await websocket.send(trades(("AAPL", 10, 100, 1), ("AAPL", 12, 5, 3), ("AAPL", 11, 1, 2), ("BRK.B", 400, 1, 2)))
        await rig.until(lambda: len(rig.quotes) == 2 and len(rig.bars) == 2)
        apple, berkshire = sorted(rig.quotes, key=lambda quote: quote.ticker)
        assert (apple.ticker, apple.price, apple.ts) == ("AAPL", 12, START + timedelta(seconds=3))
        assert (apple.currency, apple.source, apple.revision) == ("USD", "finnhub", int(apple.ts.timestamp() * 1000))
        assert (berkshire.ticker, berkshire.price) == ("BRK-B", 400)
        bar = next(bar for bar in rig.bars if bar.ticker == "AAPL")
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10, 12, 10, 12, 106)
        assert (bar.ts, bar.closed, bar.currency, bar.source) == (START, False, "USD", "finnhub")
        await rig.until(lambda: [bar.closed for bar in rig.bars if bar.ticker == "AAPL"] == [False, True], step=5)
        await websocket.send(trades(("AAPL", 13, 1, 59)))  # late
        await rig.until(lambda: rig.bars[-1].close == 13)
        assert rig.bars[-1].closed and rig.bars[-1].revision > rig.bars[-2].revision
        assert not rig.letters and not rig.source.troubles()


async def test_no_trade_is_missing_from_a_bar_however_slow_the_consumer(
    start: Start, websocket: WebSocketServer
) -> None:
    async with start() as rig:
        await subscribed(websocket)
        for number in range(200):
            await websocket.send(trades(*[("AAPL", 10 + number / 1000, 1, 1 + number / 1000)] * 25))
        rig.clock.jump(30)
        await rig.until(lambda: rig.bars and rig.bars[-1].volume == 5000)
        assert len(rig.quotes) < 100 and len(rig.bars) < 100  # while a thousand frames would have made as many


async def test_the_key_stands_in_the_address_and_nowhere_else(
    start: Start, websocket: WebSocketServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    websocket.on(refusing(503), cut, refusing(401))
    async with start() as rig:
        with pytest.raises(StreamRefusedError) as caught:
            await rig.until(lambda: False)
    path = urlsplit(websocket.requests[0].path)
    assert parse_qs(path.query) == {"token": [KEY]}
    assert caught.value.permanent and str(caught.value) == "finnhub: refused with status 401 Unauthorized"
    said = caplog.text + str(caught.value) + repr(FinnhubSettings(api_key=KEY))
    assert "503" in said and KEY not in said and "Pl4nted" not in said


async def test_a_ticker_that_is_removed_while_the_stream_is_away_begins_anew(
    start: Start, websocket: WebSocketServer
) -> None:
    async with start("AAPL", "MSFT") as rig:
        await subscribed(websocket, 2)
        await websocket.send(trades(("AAPL", 10, 1, 0), ("MSFT", 10, 1, 0)))
        await rig.until(lambda: len(rig.bars) == 2)
        websocket.clients[-1].abort()
        rig.watchlist.remove(["AAPL"])
        await rig.until(lambda: len(websocket.received) == 3)
        rig.watchlist.add(["AAPL"])
        await subscribed(websocket, 4)
        await websocket.send(trades(("AAPL", 20, 1, 5), ("MSFT", 20, 1, 5)))
        await rig.until(lambda: len(rig.quotes) == 4 and len(rig.bars) == 3)
        assert [(bar.ticker, bar.close) for bar in rig.bars[2:]] == [("MSFT", 20)], "no part of a minute of AAPL"


async def test_while_the_stream_is_away_every_ticker_says_so(start: Start, websocket: WebSocketServer) -> None:
    websocket.on(closing(1011, "restarting"))
    async with start("AAPL", "MSFT") as rig:
        await rig.until(lambda: rig.why("AAPL"))
        assert rig.why("AAPL") == rig.why("MSFT") == "closed by the provider (1011: restarting)"
        assert rig.source.troubles()["AAPL"].next_try is not None


async def test_symbols_beyond_the_plan_s_limit_say_so_and_move_up(start: Start, websocket: WebSocketServer) -> None:
    async with start("AAPL", "^GSPC", "VOD.L", "MSFT", "TSLA", max_symbols=2) as rig:
        await subscribed(websocket, 2)
        assert websocket.sent("symbol") == ["AAPL", "MSFT"]
        assert rig.why("TSLA") == "Finnhub streams 2 symbols at a time (finnhub.max_symbols); TSLA is beyond them"
        assert rig.why("VOD.L") == "Finnhub streams American shares only, not VOD.L"
        assert rig.source.troubles().keys() == {"^GSPC", "VOD.L", "TSLA"}
        rig.watchlist.remove(["AAPL"])
        await subscribed(websocket, 4)
        assert websocket.sent("type")[2:] == ["unsubscribe", "subscribe"]
        assert websocket.sent("symbol")[2:] == ["AAPL", "TSLA"] and not rig.why("TSLA")


async def test_a_symbol_that_it_does_not_know_is_that_ticker_s_trouble(
    start: Start, websocket: WebSocketServer
) -> None:
    async with start("NOPE", "AAPL") as rig:
        await subscribed(websocket, 2)
        await websocket.send({"type": "error", "msg": "Invalid symbol: NOPE"}, trades(("AAPL", 1, 1, 0)))
        await rig.until(lambda: rig.quotes)
        assert rig.why("NOPE") == "Finnhub does not know NOPE" and not rig.why("AAPL")


async def test_a_limit_that_is_lower_than_the_setting_is_said_of_those_that_get_nothing(
    start: Start, websocket: WebSocketServer
) -> None:
    async with start("AAPL", "MSFT") as rig:
        await subscribed(websocket, 2)
        await websocket.send(
            {"type": "error", "msg": "Subscribing to too many symbols"}, trades(("AAPL", 1, 1, 0)), {"type": "ping"}
        )
        await rig.until(lambda: rig.quotes)
        assert "lower finnhub.max_symbols" in rig.why("MSFT") and not rig.why("AAPL")


@pytest.mark.parametrize(
    ("words", "permanent"),
    [(f"Invalid API key {KEY}", True), ("API limit reached. Please try again later.", False)],
)
async def test_a_refusal_in_words(start: Start, websocket: WebSocketServer, words: str, permanent: bool) -> None:
    async with start() as rig:
        await subscribed(websocket)
        await websocket.send({"type": "error", "msg": words})
        if permanent:
            with pytest.raises(StreamRefusedError, match=r"refuses the key .*check FINNHUB_API_KEY") as caught:
                await rig.until(lambda: False)
            assert KEY not in str(caught.value)
        else:
            await rig.until(lambda: "come again later" in rig.why("AAPL"))


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\xff",
        "",
        "nonsense",
        "[" * 10_000,
        "[]",
        "{}",
        '{"type": "quote"}',
        '{"type": "trade", "data": {}}',
        '{"type": "error", "msg": "of a new kind"}',
        '{"type": "error"}',
        f'{{"type": "{KEY}"}}',
        *(
            json.dumps({"type": "trade", "data": [{"s": "AAPL", "p": 1, "v": 1, "t": 1772636400000} | change]})
            for change in (
                {"p": 0}, {"p": "1"}, {"p": 1e300}, {"v": -1}, {"t": -1}, {"t": 1.5}, {"t": 1 << 51}, {"s": 3}
            )
        ),
    ],
    ids=repr,
)  # fmt: skip
async def test_what_does_not_fit_is_a_dead_letter_and_the_stream_goes_on(
    start: Start, websocket: WebSocketServer, frame: str | bytes
) -> None:
    async with start() as rig:
        await subscribed(websocket)
        await websocket.send(frame, trades(("AAPL", 10, 1, 0)))
        await rig.until(lambda: rig.quotes and rig.letters)
        (letter,) = rig.letters
        assert letter.topic == "finnhub:stream" and letter.reason and KEY not in letter.reason + letter.payload
        assert [quote.price for quote in rig.quotes] == [10] and len(websocket.requests) == 1


async def test_the_recorded_frames_are_understood(start: Start, websocket: WebSocketServer) -> None:
    recorded = require(RECORDED / "providers" / "finnhub" / "ws.made.ndjson").read_text().splitlines()
    async with start("AAPL", "NOPE") as rig:
        await subscribed(websocket, 2)
        await websocket.send(*recorded)
        await rig.until(lambda: rig.quotes)
        assert [(quote.ticker, quote.price) for quote in rig.quotes] == [("AAPL", 129.58)]
        assert not rig.letters and not rig.bars, "what was traded before we listened makes no bar"
        assert rig.why("NOPE") == "Finnhub does not know NOPE"


async def test_it_has_no_history(start: Start) -> None:
    async with start() as rig:
        with pytest.raises(SourceError, match="no history of AAPL"):
            await anext(rig.source.history("AAPL"))


@pytest.mark.parametrize("options", [{}, {"api_key": KEY, "stream_url": ""}])
def test_without_a_key_or_an_address_it_is_not_used(options: dict[str, str], tmp_path: Path) -> None:
    settings = Settings(finnhub=FinnhubSettings(**options))
    with pytest.raises(NotConfiguredError, match=r"FINNHUB_API_KEY|finnhub\.stream_url"):
        registry.make("finnhub", SourceContext(settings, tmp_path, FakeClock(), tmp_path))
