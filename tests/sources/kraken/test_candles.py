"""Candles of Kraken, by HTTP from a server on this machine."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.sources import KrakenSettings
from pipeline.model.messages import Bar
from pipeline.net.errors import HttpError, RateLimitedError, RefusedError, TimedOutError, UnavailableError
from pipeline.sources.base import SourceError
from pipeline.sources.crypto.exchange import NotTradedError, UnreadableCandlesError
from pipeline.sources.kraken import create, replies
from testkit.data import RECORDED, require
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, answer, hang, reset, truncated
from tests.sources.crypto.exchanges import NOW, TODAY, history
from tests.sources.kraken.kraken_server import PATH, reply, row, saying, serve_all

LATER = FakeClock(datetime(2026, 3, 4, 15, 0, 30, tzinfo=UTC))


def at(server: HttpServer) -> dict[str, Any]:
    return {"kraken": KrakenSettings(base_url=server.url)}


class TestRows:
    def test_they_come_oldest_first_and_the_last_one_forms(self) -> None:
        found = replies.candles(reply(row(NOW), row(NOW - 60)).encode(), "BTC-USD", "1min", LATER)
        assert found.bars[0] == Bar(
            ticker="BTC-USD",
            interval="1min",
            ts=datetime(2026, 3, 4, 14, 59, tzinfo=UTC),
            open=100,
            high=101,
            low=99,
            close=100.5,
            volume=2.5,
            currency="USD",
            revision=(NOW + 30) * 1000,
            source="kraken",
        )
        assert [bar.closed for bar in found.bars] == [True, False]

    @pytest.mark.parametrize(
        "bad",
        [None, [], [NOW], ["now", *row(NOW)[1:]], row(NOW + 30), row(NOW + 3600), [*row(NOW)[:4], "", "1", "1", 7]],
        ids=str,
    )
    def test_one_that_does_not_fit_is_a_dead_letter_and_spoils_no_other(self, bad: Any) -> None:
        found = replies.candles(reply(row(NOW - 60), bad, row(NOW)).encode(), "BTC-USD", "1min", LATER)
        assert len(found.bars) == 2
        (letter,) = found.misfits
        assert letter.topic == "kraken:BTC-USD" and letter.payload == json.dumps(bad)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b"\xff",
            b"[" * 100_000,
            b'{"error":[]}',
            b'{"error":[],"result":{"last":1}}',
            b'{"error":[],"result":{"A":[],"B":[],"last":1}}',
            b'{"error":[],"result":{"A":{}}}',
            b'{"error":"E"}',
        ],
        ids=repr,
    )
    def test_an_answer_that_is_none_is_an_error_with_its_beginning(self, body: bytes) -> None:
        with pytest.raises(UnreadableCandlesError, match="Kraken: its answer cannot be read") as caught:
            replies.candles(body, "BTC-USD", "1min", LATER)
        assert caught.value.misfit.topic == "kraken:BTC-USD"

    @pytest.mark.parametrize(
        ("said", "error", "words"),
        [
            ("EQuery:Unknown asset pair", NotTradedError, "Kraken does not trade BTC-USD"),
            ("EGeneral:Too many requests", RateLimitedError, "too many requests"),
            ("EAPI:Rate limit exceeded", RateLimitedError, "too many requests"),
            ("EService:Unavailable", UnavailableError, "not in service (EService:Unavailable)"),
            ("EService:Busy", UnavailableError, "not in service"),
            ("EGeneral:Invalid \x1b[31marguments", HttpError, "it refuses the request (EGeneral:Invalid arguments)"),
        ],
    )
    def test_what_it_says_in_place_of_candles(self, said: str, error: type[Exception], words: str) -> None:
        with pytest.raises(error) as caught:
            replies.candles(json.dumps({"error": [said]}).encode(), "BTC-USD", "1min", LATER)
        assert type(caught.value) is error
        assert words in str(caught.value)

    def test_the_recorded_ones_are_all_read(self) -> None:
        body = require(RECORDED / "providers" / "kraken" / "rest-ohlc-XXBTZUSD.json").read_bytes()
        found = replies.candles(body, "BTC-USD", "1min", LATER)
        raw = json.loads(body)["result"]["XXBTZUSD"]
        assert not found.misfits
        assert len(found.bars) == len(raw) > 700
        assert [[b.ts.timestamp(), b.open, b.high, b.low, b.close, b.volume] for b in found.bars] == [
            [time, *(float(value) for value in (open_, high, low, close, volume))]
            for time, open_, high, low, close, _, volume, _ in raw
        ]


class TestHistory:
    async def test_it_is_two_answers_and_says_what_is_missing(self, server: HttpServer, tmp_path: Path) -> None:
        serve_all(server)
        chunks = await history(create, tmp_path, **at(server))
        found = [message for chunk in chunks for message in chunk.messages]
        assert [message.interval for message in found] == ["daily"] * 3 + ["1min"] * 2
        assert (chunks[-1].done, chunks[-1].total) == (5, 5)
        assert chunks[-1].note == "Kraken has no more than the newest 720 bars of each interval"
        assert [request.params for request in server.requests] == [
            {"pair": "XBTUSD", "interval": "1440", "since": str(TODAY - 720 * 86_400 - 1)},
            {"pair": "XBTUSD", "interval": "1", "since": str(NOW - 720 * 60 - 1)},
        ]

    async def test_of_what_is_not_traded_there_is_none(self, server: HttpServer, tmp_path: Path) -> None:
        server.on(saying("EQuery:Unknown asset pair"), path=PATH)
        for ticker in ("XYZ-USD", "AAPL"):
            with pytest.raises(SourceError, match=f"Kraken does not trade {ticker}"):
                await history(create, tmp_path, ticker, **at(server))
        assert [request.params["pair"] for request in server.requests] == ["XYZUSD"]

    @pytest.mark.parametrize(
        ("behaviour", "error"),
        [
            (saying("EGeneral:Too many requests"), RateLimitedError),
            (saying("EService:Unavailable"), UnavailableError),
            (answer("slow down", 429), RateLimitedError),
            (answer("no", 403), RefusedError),
            (answer("down", 520), UnavailableError),
            (truncated(b"{}"), UnavailableError),
            (reset, UnavailableError),
            (hang, TimedOutError),
            (answer("<html>"), SourceError),
        ],
    )
    async def test_what_may_pass_is_raised_so_that_the_load_is_tried_again(
        self, server: HttpServer, tmp_path: Path, behaviour: Behaviour, error: type[Exception]
    ) -> None:
        server.on(behaviour, path=PATH)
        with pytest.raises(error) as caught:
            await history(create, tmp_path, **at(server))
        assert type(caught.value) is error
