"""Candles and pairs of Coinbase Exchange, by HTTP from a server on this machine."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.sources import CoinbaseSettings
from pipeline.model.messages import Bar
from pipeline.net.errors import RateLimitedError, RefusedError, TimedOutError, UnavailableError
from pipeline.sources.base import SourceError
from pipeline.sources.coinbase import create, replies
from pipeline.sources.crypto.exchange import UnreadableCandlesError
from testkit.data import RECORDED, require
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, answer, hang, reset, truncated
from tests.sources.coinbase.coinbase_server import CANDLES, PRODUCTS, minutes, moment, row, serve_all, traded_since
from tests.sources.crypto.exchanges import NOW, TODAY, history

LATER = FakeClock(datetime(2026, 3, 4, 15, 0, 30, tzinfo=UTC))


def settings(server: HttpServer) -> dict[str, Any]:
    return {"coinbase": CoinbaseSettings(base_url=server.url)}


class TestRows:
    def test_they_come_oldest_first_labelled_by_their_start(self) -> None:
        found = replies.candles(minutes(row(NOW - 120), row(NOW)).encode(), "BTC-USD", "1min", LATER)
        first, last = found.bars
        assert first == Bar(
            ticker="BTC-USD",
            interval="1min",
            ts=moment(NOW - 120),
            open=100,
            high=101,
            low=99,
            close=100.5,
            volume=2.5,
            currency="USD",
            closed=True,
            revision=(NOW + 30) * 1000,
            source="coinbase",
        )
        assert (last.ts, last.closed) == (moment(NOW), False)

    def test_a_day_begins_at_midnight_utc_and_is_closed_at_the_next(self) -> None:
        rows = minutes(row(TODAY), row(TODAY - 86_400))
        found = replies.candles(rows.encode(), "BTC-USD", "daily", LATER)
        assert [(bar.ts.isoformat(), bar.closed) for bar in found.bars] == [
            ("2026-03-03T00:00:00+00:00", True),
            ("2026-03-04T00:00:00+00:00", False),
        ]

    def test_values_may_be_text_and_the_volume_unknown(self) -> None:
        rows = json.dumps([[NOW, "0.00001324", "0.00001326", "0.00001325", "0.00001325", None]])
        (bar,) = replies.candles(rows.encode(), "SHIB-USD", "1min", LATER).bars
        assert (bar.close, bar.volume) == (0.00001325, None)

    @pytest.mark.parametrize(
        "bad",
        [
            None,
            {},
            [],
            [NOW],
            [None, 99, 101, 100, 100, 1],
            ["now", 99, 101, 100, 100, 1],
            [NOW + 1, 99, 101, 100, 100, 1],
            [NOW + 3600, 99, 101, 100, 100, 1],
            [1e300, 99, 101, 100, 100, 1],
            [NOW, 101, 99, 100, 100, 1],
            [NOW, 99, 101, 100, 500, 1],
            [NOW, 0, 101, 100, 100, 1],
            [NOW, 99, 101, 100, None, 1],
            [NOW, 99, 101, 100, True, 1],
            [NOW, 99, 101, 100, 100, -1],
        ],
        ids=str,
    )
    def test_one_that_does_not_fit_is_a_dead_letter_and_spoils_no_other(self, bad: Any) -> None:
        body = json.dumps([row(NOW), bad, row(NOW - 60)]).encode()
        found = replies.candles(body, "BTC-USD", "1min", LATER)
        assert [bar.ts for bar in found.bars] == [moment(NOW - 60), moment(NOW)]
        (letter,) = found.misfits
        assert letter.topic == "coinbase:BTC-USD" and letter.reason
        assert letter.payload == json.dumps(bad)
        assert replies.candles(body, "BTC-USD", "1min", LATER).misfits[0].offset == letter.offset

    @pytest.mark.parametrize("body", [b"", b"<html>", b'{"message":"x"}', b"[1", b"\xff", b"[" * 100_000], ids=repr)
    def test_an_answer_that_is_none_is_an_error_with_its_beginning(self, body: bytes) -> None:
        with pytest.raises(UnreadableCandlesError, match="Coinbase: its answer cannot be read") as caught:
            replies.candles(body, "BTC-USD", "1min", LATER)
        assert caught.value.misfit.topic == "coinbase:BTC-USD"

    def test_the_recorded_ones_are_all_read(self) -> None:
        body = require(RECORDED / "providers" / "coinbase" / "rest-candles-1m-2020-03-20.json").read_bytes()
        found = replies.candles(body, "BTC-USD", "1min", LATER)
        assert not found.misfits
        raw = sorted(json.loads(body))
        assert len(found.bars) == len(raw) == 300
        assert [[b.ts.timestamp(), b.low, b.high, b.open, b.close, b.volume] for b in found.bars] == raw


class TestProducts:
    def test_what_is_delisted_is_not_traded(self) -> None:
        assert replies.products(PRODUCTS.encode(), LATER) == {"BTC-USD", "ETH-EUR"}

    @pytest.mark.parametrize("body", [b"[]", b"{}", b'[{"no":"id"}]', b"<html>"], ids=repr)
    def test_none_at_all_is_no_answer(self, body: bytes) -> None:
        with pytest.raises(UnreadableCandlesError):
            replies.products(body, LATER)


class TestHistory:
    async def test_it_comes_page_by_page_oldest_first_and_without_a_gap(
        self, server: HttpServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        server.on(traded_since(0), path=CANDLES)
        chunks = await history(create, tmp_path, **settings(server))
        bars = [message for chunk in chunks for message in chunk.messages]
        days = [bar.ts for bar in bars if bar.interval == "daily"]
        recent = [bar.ts for bar in bars if bar.interval == "1min"]
        assert [bar.ts for bar in bars] == days + recent
        assert len(days) == len(set(days)) == 5 * 365 + 1 and days == sorted(days)
        assert len(recent) == len(set(recent)) == 2 * 1440 + 1 and recent == sorted(recent)
        assert days[-1] == moment(TODAY) and recent[-1] >= moment(NOW)
        assert [chunk.done for chunk in chunks] == sorted(chunk.done for chunk in chunks)
        assert (chunks[-1].done, chunks[-1].total) == (len(bars), len(bars))
        assert chunks[0].note.startswith("daily bars to 202")

    async def test_a_pair_younger_than_that_has_what_it_has(self, server: HttpServer, tmp_path: Path) -> None:
        serve_all(server)
        server.on(traded_since(NOW - 3 * 86_400), path=CANDLES)
        server.on(traded_since(NOW - 120), path=CANDLES, granularity="60")
        chunks = await history(create, tmp_path, **settings(server))
        assert len(chunks[0].messages) == 0
        found = [message for chunk in chunks for message in chunk.messages]
        assert [message.interval for message in found[:4]] == ["daily", "daily", "daily", "1min"]
        assert found[0].ts == moment(TODAY - 2 * 86_400)

    @pytest.mark.parametrize("ticker", ["XYZ-USD", "OLD-USD", "AAPL"])
    async def test_of_what_is_not_traded_there_is_none(self, server: HttpServer, tmp_path: Path, ticker: str) -> None:
        serve_all(server)
        with pytest.raises(SourceError, match=f"Coinbase does not trade {ticker}"):
            await history(create, tmp_path, ticker, **settings(server))
        assert [request.path for request in server.requests] == ["/products"]

    async def test_nor_of_what_is_no_longer_found(self, server: HttpServer, tmp_path: Path) -> None:
        serve_all(server)
        server.on(answer({"message": "NotFound"}, 404), path=CANDLES)
        with pytest.raises(SourceError, match="Coinbase does not trade BTC-USD"):
            await history(create, tmp_path, **settings(server))

    async def test_an_answer_that_cannot_be_read_is_said_and_handed_out(
        self, server: HttpServer, tmp_path: Path
    ) -> None:
        serve_all(server)
        server.on(answer("<html>come in</html>"), path=CANDLES)
        with pytest.raises(SourceError, match="Coinbase: its answer cannot be read"):
            await history(create, tmp_path, **settings(server))

    @pytest.mark.parametrize(
        ("behaviour", "error"),
        [
            (answer("slow down", 429, {"Retry-After": "7"}), RateLimitedError),
            (answer("no", 403), RefusedError),
            (answer("down", 503), UnavailableError),
            (truncated(b"[]"), UnavailableError),
            (reset, UnavailableError),
            (hang, TimedOutError),
        ],
    )
    async def test_what_may_pass_is_raised_so_that_the_load_is_tried_again(
        self, server: HttpServer, tmp_path: Path, behaviour: Behaviour, error: type[Exception]
    ) -> None:
        serve_all(server)
        server.on(behaviour, path=CANDLES)
        with pytest.raises(error) as caught:
            await history(create, tmp_path, **settings(server))
        assert type(caught.value) is error

    async def test_it_keeps_to_the_rate(self, server: HttpServer, tmp_path: Path) -> None:
        clock = FakeClock(auto=True)
        times: list[float] = []

        async def note(request: Any, writer: Any) -> None:
            times.append(clock.monotonic())
            await traded_since(0)(request, writer)

        serve_all(server)
        server.on(note, path=CANDLES)
        await history(create, tmp_path, clock=clock, **settings(server))
        assert len(times) == 7 + 10
        assert min(beyond - first for first, beyond in zip(times, times[3:], strict=False)) >= 1.0
