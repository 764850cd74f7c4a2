"""Alpaca's trades and bars by a real websocket from a server on this machine."""

import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import Settings
from pipeline.config.sources import AlpacaSettings
from pipeline.net.errors import StreamRefusedError
from pipeline.sources import registry
from pipeline.sources.base import NotConfiguredError, SourceContext, SourceError
from testkit.data import RECORDED, require
from testkit.fakes import START, FakeClock
from testkit.websocket_server import WebSocketServer, answering, closing, eventually, refusing
from tests.sources.streams.rig import Rig, running

KEY_ID, SECRET = "PKPL4NTEDID", "Pl4nted+Alpaca/Secret"
CONNECTED = '[{"T":"success","msg":"connected"}]'
AUTHENTICATED = '[{"T":"success","msg":"authenticated"}]'
Start = Callable[..., AbstractAsyncContextManager[Rig]]


def answers(frame: str | bytes) -> list[str]:
    """As Alpaca answers to the key, and to a wish."""
    said = json.loads(frame)
    return [CONNECTED, AUTHENTICATED] if said["action"] == "auth" else ['[{"T":"subscription","trades":["AAPL"]}]']


def refusal(code: int, words: str) -> str:
    return json.dumps([{"T": "error", "code": code, "msg": words}])


LATEST = "2026-03-04T14:59:59.123456789Z"


def trade(price: Any, symbol: str = "AAPL", at: str = LATEST, **more: Any) -> dict[str, Any]:
    return {"T": "t", "S": symbol, "i": 1, "x": "V", "p": price, "s": 90, "c": ["@"], "t": at, "z": "C"} | more


def bar(close: float, kind: str = "b", **more: Any) -> dict[str, Any]:
    return {"T": kind, "S": "AAPL", "o": 10, "h": 12, "l": 9, "c": close, "v": 500, "t": "2026-03-04T14:59:00Z"} | more


@pytest.fixture
def start(websocket: WebSocketServer, tmp_path: Path) -> Start:
    websocket.on(answering(answers))

    def begin(*tickers: str, **options: Any) -> AbstractAsyncContextManager[Rig]:
        options = {"key_id": KEY_ID, "secret": SECRET, "stream_url": websocket.url} | options
        return running("alpaca", Settings(alpaca=AlpacaSettings(**options)), tmp_path, *(tickers or ("AAPL",)))

    return begin


async def send(websocket: WebSocketServer, *rows: dict[str, Any]) -> None:
    """One frame, once everything was asked for."""
    await eventually(lambda: len(websocket.received) >= 3)
    await websocket.send(json.dumps(rows))


async def test_the_key_comes_first_and_then_what_is_wanted(start: Start, websocket: WebSocketServer) -> None:
    async with start("AAPL", "BRK-B", "^GSPC") as rig:
        await eventually(lambda: len(websocket.received) == 3)
        wanted = ["AAPL", "BRK.B"]
        assert [json.loads(frame) for frame in websocket.received] == [
            {"action": "auth", "key": KEY_ID, "secret": SECRET},
            {"action": "subscribe", "trades": wanted, "bars": wanted, "updatedBars": wanted},
            {"action": "subscribe", "statuses": wanted},
        ]
        rig.watchlist.remove(["AAPL"])
        await eventually(lambda: len(websocket.received) == 5)
        assert [json.loads(frame)["action"] for frame in websocket.received[3:]] == ["unsubscribe"] * 2


async def test_trades_are_quotes_and_bars_of_a_minute_are_bars(start: Start, websocket: WebSocketServer) -> None:
    async with start() as rig:
        await send(websocket, trade(10.5), trade(10.6), bar(11), {"T": "q", "S": "AAPL"}, trade(3, "OTHER"))
        await rig.until(lambda: rig.quotes and rig.bars)
        (quote,), (first,) = rig.quotes, rig.bars
        assert (quote.price, quote.ts) == (10.6, datetime(2026, 3, 4, 14, 59, 59, 123457, tzinfo=UTC))
        assert (quote.currency, quote.source, quote.revision) == ("USD", "alpaca", int(quote.ts.timestamp() * 1000))
        assert (first.open, first.high, first.low, first.close, first.volume) == (10, 12, 9, 11, 500)
        assert (first.ts, first.closed, first.source) == (START - timedelta(minutes=1), True, "alpaca")
        await send(websocket, bar(11.5, "u"))
        await rig.until(lambda: len(rig.bars) == 2)
        assert rig.bars[1].close == 11.5 and rig.bars[1].revision > first.revision
        assert not rig.letters and not rig.source.troubles()


async def test_a_halt_is_that_ticker_s_trouble_until_it_is_over(start: Start, websocket: WebSocketServer) -> None:
    status = {"T": "s", "S": "AAPL", "t": "2026-03-04T15:00:00Z", "rc": "T12", "z": "C"}
    async with start("AAPL", "MSFT") as rig:
        halt = {"sc": "H", "sm": "Trading Halt", "rm": "Trading Halted; \x1b[31mnews"}
        await send(websocket, status | halt, trade(1))
        await rig.until(lambda: rig.quotes)
        assert rig.source.troubles().keys() == {"AAPL"}
        assert rig.why("AAPL") == "trading is halted (Trading Halted; news)"
        await send(websocket, status | {"sc": "Q", "sm": "Quotation Resumption"}, status | {"sc": 7}, trade(2))
        await rig.until(lambda: len(rig.quotes) == 2)
        assert rig.why("AAPL")
        await send(websocket, status | {"sc": "T", "sm": "Trading Resumption"}, trade(3))
        await rig.until(lambda: len(rig.quotes) == 3)
        assert not rig.source.troubles()


@pytest.mark.parametrize(
    ("code", "words", "advice"),
    [
        (402, f"auth failed {SECRET}", "check APCA_API_KEY_ID and APCA_API_SECRET_KEY"),
        (409, "insufficient subscription", "the plan does not include"),
    ],
)
async def test_a_refusal_for_good_ends_the_feed_in_words_and_without_secrets(
    start: Start,
    websocket: WebSocketServer,
    caplog: pytest.LogCaptureFixture,
    code: int,
    words: str,
    advice: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    websocket.on(answering(lambda _: [CONNECTED, refusal(code, words)]))
    async with start() as rig:
        with pytest.raises(StreamRefusedError, match=rf"alpaca: Alpaca refuses .* \({code}.*{advice}") as caught:
            await rig.until(lambda: False)
    assert caught.value.permanent
    said = caplog.text + str(caught.value) + repr(AlpacaSettings(key_id=KEY_ID, secret=SECRET))
    assert KEY_ID not in said and SECRET not in said


@pytest.mark.parametrize(
    ("code", "words", "advice"),
    [
        (404, "auth timeout", "did not get the key in time"),
        (406, "connection limit exceeded", "another program is connected"),
        (407, "slow client", "too slow"),
        (500, "internal error", "has failed itself"),
    ],
)
async def test_one_for_now_is_waited_out(
    start: Start, websocket: WebSocketServer, code: int, words: str, advice: str
) -> None:
    websocket.on(answering(lambda _: [refusal(code, words)]), answering(answers))
    async with start() as rig:
        await rig.until(lambda: advice in rig.why("AAPL"))
        assert rig.source.troubles()["AAPL"].next_try is not None
        await rig.until(lambda: not rig.source.troubles())
        await eventually(lambda: len(websocket.received) >= 4)  # and everything is asked for again
        assert len(websocket.requests) == 2


async def test_a_limit_that_is_lower_than_the_setting_is_said_of_those_that_get_nothing(
    start: Start, websocket: WebSocketServer
) -> None:
    async with start("AAPL", "MSFT", "TSLA", max_symbols=2) as rig:
        await send(websocket, {"T": "error", "code": 405, "msg": "symbol limit exceeded"}, trade(1))
        await rig.until(lambda: rig.quotes)
        assert not rig.why("AAPL") and "lower alpaca.max_symbols" in rig.why("MSFT")
        assert rig.why("TSLA") == "Alpaca streams 2 symbols at a time (alpaca.max_symbols); TSLA is beyond them"


@pytest.mark.parametrize("behaviour", [closing(1013, "later"), refusing(429)], ids=["closed", "429"])
async def test_while_the_stream_is_away_every_ticker_says_so(
    start: Start, websocket: WebSocketServer, behaviour: Any
) -> None:
    websocket.on(behaviour)
    async with start("AAPL", "MSFT") as rig:
        await rig.until(lambda: rig.why("AAPL"))
        assert rig.why("AAPL") == rig.why("MSFT") and not rig.task.done()


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\xff",
        "nonsense",
        "{}",
        "[3]",
        "[" * 10_000,
        '[{"S": "AAPL"}]',
        '[{"T": "new"}]',
        refusal(400, "invalid syntax"),
        refusal(410, f"invalid subscribe action {SECRET} {KEY_ID}"),
        '[{"T": "error", "code": "402"}]',
        *(
            json.dumps([row])
            for row in (
                trade(0), trade(-1), trade("1"), trade(1e300), trade(1, at="noon"), trade(1, at="2026-03-04T15:00:00"),
                trade(1, at="0001-01-01T00:00:00+14:00"), trade(1, S=None), bar(13), bar(11, l=0), bar(11, v=-1),
                bar(11, h=None), bar(11, t="0001-01-01T00:00:00Z"),
            )
        ),
    ],
    ids=repr,
)  # fmt: skip
async def test_what_does_not_fit_is_a_dead_letter_and_the_stream_goes_on(
    start: Start, websocket: WebSocketServer, frame: str | bytes
) -> None:
    async with start() as rig:
        await eventually(lambda: len(websocket.received) >= 3)
        await websocket.send(frame, json.dumps([trade(10)]))
        await rig.until(lambda: rig.quotes and rig.letters)
        (letter,) = rig.letters
        said = letter.reason + letter.payload
        assert letter.topic == "alpaca:stream" and letter.reason and KEY_ID not in said and SECRET not in said
        assert [quote.price for quote in rig.quotes] == [10] and not rig.bars and len(websocket.requests) == 1


async def test_the_recorded_frames_are_understood(start: Start, websocket: WebSocketServer) -> None:
    recorded = require(RECORDED / "providers" / "alpaca" / "ws-data.ndjson").read_text().splitlines()
    async with start("AAPL", "STRR", "DJT", "SPIP") as rig:
        await eventually(lambda: len(websocket.received) >= 3)
        await websocket.send(*recorded)
        await rig.until(lambda: rig.quotes and rig.bars)
        (quote,), (minute,) = rig.quotes, rig.bars
        assert (quote.ticker, quote.price) == ("AAPL", 177.79)
        assert (minute.open, minute.close, minute.volume) == (177.94, 178.005, 8547)
        assert not rig.letters and not rig.source.troubles()


async def test_it_has_no_history(start: Start) -> None:
    async with start() as rig:
        with pytest.raises(SourceError, match="no history of AAPL"):
            await anext(rig.source.history("AAPL"))


@pytest.mark.parametrize(
    "options", [{}, {"key_id": KEY_ID}, {"secret": SECRET}, {"key_id": KEY_ID, "secret": SECRET, "stream_url": ""}]
)
def test_without_a_key_or_an_address_it_is_not_used(options: dict[str, str], tmp_path: Path) -> None:
    settings = Settings(alpaca=AlpacaSettings(**options))
    with pytest.raises(NotConfiguredError, match=r"APCA_API_KEY_ID|alpaca\.stream_url"):
        registry.make("alpaca", SourceContext(settings, tmp_path, FakeClock(), tmp_path))
