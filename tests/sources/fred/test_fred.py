"""FRED by real HTTP from a server on this machine, with a key and without."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import Settings
from pipeline.config.sources import FredSettings
from pipeline.model.messages import DeadLetter, EconomicPoint
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import CircuitOpenError, HttpError, RateLimitedError
from pipeline.sources.alpha_vantage.series import PERIODS
from pipeline.sources.base import NotConfiguredError, Source, SourceContext, SourceError
from pipeline.sources.fred import create
from pipeline.sources.fred.series import SERIES
from pipeline.sources.simulator.economy import SERIES as SIMULATED
from testkit.data import RECORDED, require
from testkit.fakes import FakeClock
from testkit.http_fixtures import LIMITS
from testkit.http_server import Behaviour, HttpServer, answer, reset, truncated

CSV, API = "/graph/fredgraph.csv", "/fred/series/observations"
KEY = "abcdef0123456789abcdef0123456789"
RECORDINGS = RECORDED / "providers" / "fred"
JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def table(name: str, *rows: str) -> bytes:
    return "\n".join([f"observation_date,{name}", *rows, ""]).encode()


def empty_tables(server: HttpServer) -> None:
    for series in SERIES:
        server.on(answer(table(series.id)), path=CSV, id=series.id)


@pytest.fixture
async def made(server: HttpServer, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Callable[..., Source]]:
    contexts = []

    def make(api_key: str = "") -> Source:
        settings = Settings(fred=FredSettings(base_url=server.url, api_url=server.url, api_key=api_key))
        contexts.append(SourceContext(settings, tmp_path, clock, tmp_path, LIMITS))
        return create(contexts[-1])

    yield make
    for context in contexts:
        await context.close()


def stream_of(source: Source) -> Any:
    (feed,) = source.feeds()
    assert feed.name == "economic"
    return aclosing(feed.stream(Watchlist(["economic_general"])))


def test_the_series_are_those_of_the_other_sources() -> None:
    assert {series.name for series in SERIES} == PERIODS.keys()
    units = {spec.name: spec.unit for spec in SIMULATED}
    assert {series.name: series.unit for series in SERIES} == units
    intervals = {spec.name: spec.frequency for spec in SIMULATED} | {"TREASURY_YIELD": "daily"}
    assert {series.name: series.interval for series in SERIES} == intervals


class TestWithoutAKey:
    async def test_values_come_with_names_intervals_and_units(
        self, made: Callable[..., Source], server: HttpServer, clock: FakeClock
    ) -> None:
        empty_tables(server)
        server.on(answer(table("UNRATE", "2026-02-01,.", "2026-01-01,4.3")), path=CSV, id="UNRATE")
        async with stream_of(made()) as batches:
            batch = await anext(batches)
        shared = {"series": "UNEMPLOYMENT", "interval": "monthly", "unit": "percent", "source": "fred"}
        revision = int(clock.now().timestamp() * 1000)
        assert batch == [
            EconomicPoint(ts=JANUARY, value=4.3, revision=revision, **shared),
            EconomicPoint(ts=FEBRUARY, value=None, revision=revision, **shared),
        ]
        request = server.requests[-1]
        assert request.params == {"id": "UNRATE", "cosd": "2021-02-28"}
        assert request.headers["user-agent"].startswith("fintrends-tui/")

    async def test_only_what_is_new_or_corrected_comes_a_few_times_a_day(
        self, made: Callable[..., Source], server: HttpServer, clock: FakeClock
    ) -> None:
        empty_tables(server)
        server.on(
            answer(table("UNRATE", "2026-01-01,4.3")),
            answer(table("UNRATE", "2026-01-01,4.4", "2026-02-01,", "oops,1")),
            answer(table("UNRATE", "2026-01-01,4.4", "2026-02-01,4.5", "oops,1")),
            path=CSV,
            id="UNRATE",
        )
        async with stream_of(made()) as batches:
            assert [point.value for point in await anext(batches)] == [4.3]
            *points, letter = await anext(batches)
            assert [point.value for point in points] == [4.4, None]
            assert isinstance(letter, DeadLetter) and letter.topic == "fred:UNRATE"
            assert [point.value for point in await anext(batches)] == [4.5]
        asked = [request for request in server.requests if request.params["id"] == "UNRATE"]
        assert len(asked) == 3 and 2 * 14_400 <= clock.monotonic() <= 2 * 14_400 + 60

    async def test_nothing_is_asked_while_another_source_serves(
        self, made: Callable[..., Source], server: HttpServer
    ) -> None:
        empty_tables(server)
        server.on(answer(table("GDPC1", "2026-01-01,1")), path=CSV, id="GDPC1")
        (feed,) = made().feeds()
        held = Watchlist()
        async with aclosing(feed.stream(held)) as batches:
            step = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0)
            assert not server.requests
            held.add(["economic_general"])
            assert [point.series for point in await step] == ["REAL_GDP"]
            held.become([])
            step = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0.01)
            assert len(server.requests) == 1
            step.cancel()
            await asyncio.gather(step, return_exceptions=True)

    async def test_what_was_not_acknowledged_comes_again(self, made: Callable[..., Source], server: HttpServer) -> None:
        empty_tables(server)
        server.on(answer(table("UNRATE", "2026-01-01,4.3")), path=CSV, id="UNRATE")
        source = made()
        for _ in range(2):
            async with stream_of(source) as batches:
                assert [point.value for point in await anext(batches)] == [4.3]

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ("2026-01-01,four", "could not convert"),
            ("2026-01-01,1e999", "not a finite"),
            ("2026-01-01", "1 columns"),
            ("2026-01-01,1,2", "3 columns"),
            ("01/01/2026,4", "not a time"),
            ("2027-01-01,4", "time to come"),
            ("0001-01-01,4", "out of range"),
        ],
    )
    async def test_a_row_that_does_not_fit_spoils_no_other(
        self, made: Callable[..., Source], server: HttpServer, row: str, why: str
    ) -> None:
        empty_tables(server)
        server.on(answer(table("UNRATE", row, "2026-02-01,4.1")), path=CSV, id="UNRATE")
        async with stream_of(made()) as batches:
            point, letter = await anext(batches)
        assert point.value == 4.1 and why in letter.reason and letter.payload == row

    async def test_one_series_that_cannot_be_had_holds_up_no_other(
        self, made: Callable[..., Source], server: HttpServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        empty_tables(server)
        server.on(answer(b"<!DOCTYPE html><html>gone</html>", 404), path=CSV, id="GDPC1")
        server.on(answer(b"<!DOCTYPE html><html>a page</html>"), path=CSV, id="CPIAUCNS")
        server.on(answer(table("PAYNSA", "2026-01-01,156728")), path=CSV, id="PAYNSA")
        async with stream_of(made()) as batches:
            (point,) = await anext(batches)
        assert (point.series, point.value) == ("NONFARM_PAYROLL", 156728.0)
        assert "no values of REAL_GDP this time" in caplog.text and "CPIAUCNS is a web page" in caplog.text

    @pytest.mark.parametrize(
        ("behaviour", "error", "words"),
        [
            (answer(b"Too many", 429), RateLimitedError, "429"),
            (answer(b"", 403), HttpError, "403"),
            (answer(b"<html></html>"), HttpError, "web page"),
            (answer(b""), HttpError, "no table"),
            (answer(b"\xff\xfe"), HttpError, "no table"),
            (answer(b'"unfinished'), HttpError, "another table"),
            (answer(table("OTHER", "2026-01-01,1")), HttpError, "another table"),
            (truncated(table("UNRATE")), CircuitOpenError, "broke off"),
            (reset, CircuitOpenError, "broke off"),
            (answer(b"", 503), CircuitOpenError, "503"),
            (answer(b"", 302, {"Location": "https://elsewhere.example.com/"}), HttpError, "redirects elsewhere"),
        ],
    )
    async def test_when_nothing_can_be_had_the_feed_says_why_and_when_it_tries_again(
        self, made: Callable[..., Source], server: HttpServer, behaviour: Behaviour, error: type[HttpError], words: str
    ) -> None:
        server.on(behaviour)
        async with stream_of(made()) as batches:
            with pytest.raises(error, match=words) as caught:
                await anext(batches)
        assert caught.value.retry_after and 0 < caught.value.retry_after <= 300


class TestHistory:
    async def test_it_is_every_series_from_the_beginning_once(
        self, made: Callable[..., Source], server: HttpServer, clock: FakeClock
    ) -> None:
        clock.jump(90 * 86_400)  # the recordings are of May
        empty_tables(server)
        server.on(answer(require(RECORDINGS / "UNRATE.made.csv").read_bytes()), path=CSV, id="UNRATE")
        server.on(answer(require(RECORDINGS / "DGS10-gaps.made.csv").read_bytes()), path=CSV, id="DGS10")
        source = made()
        async with aclosing(source.history("AAPL")) as chunks:
            found = [chunk async for chunk in chunks]
        assert [(chunk.done, chunk.total) for chunk in found] == [(n, 8) for n in range(1, 9)]
        points = [point for chunk in found for point in chunk.messages]
        with (RECORDINGS / "UNRATE.made.csv").open(newline="") as file:
            truth = [(row["observation_date"], row["UNRATE"]) for row in csv.DictReader(file)]
        unemployment = [point for point in points if point.series == "UNEMPLOYMENT"]
        assert [(f"{p.ts:%Y-%m-%d}", "." if p.value is None else str(p.value)) for p in unemployment] == truth
        yields = [point.value for point in points if point.series == "TREASURY_YIELD"]
        assert yields == [None, 4.19, 4.17, None, 4.3]
        assert all("cosd" not in request.params for request in server.requests)
        server.requests.clear()
        async with aclosing(source.history("MSFT")) as chunks:
            again = [chunk async for chunk in chunks]
        assert {request.params["id"] for request in server.requests} == {
            series.id for series in SERIES if series.name not in ("UNEMPLOYMENT", "TREASURY_YIELD")
        }, "only what has given nothing yet is asked for again"
        assert not any(chunk.messages for chunk in again)

    async def test_what_fails_is_said_once_the_others_have_come(
        self, made: Callable[..., Source], server: HttpServer
    ) -> None:
        empty_tables(server)
        server.on(answer(b"", 404), path=CSV, id="GDPC1")
        server.on(answer(table("PAYNSA", "2026-01-01,156728")), path=CSV, id="PAYNSA")
        async with aclosing(made().history("AAPL")) as chunks:
            found = [point for _ in SERIES for point in (await anext(chunks)).messages]
            assert [point.value for point in found] == [156728.0]
            with pytest.raises(HttpError, match="404"):
                await anext(chunks)


class TestWithAKey:
    async def test_the_api_is_asked(self, made: Callable[..., Source], server: HttpServer, clock: FakeClock) -> None:
        clock.jump(90 * 86_400)
        server.on(answer({"observations": []}), path=API)
        recorded = require(RECORDINGS / "observations.made.json").read_bytes()
        server.on(answer(recorded), path=API, series_id="UNRATE")
        async with stream_of(made(KEY)) as batches:
            points = await anext(batches)
        assert [(f"{point.ts:%Y-%m}", point.value) for point in points] == [
            ("2025-10", None),
            ("2026-02", 4.4),
            ("2026-03", 4.3),
        ]
        assert server.requests[-1].params == {
            "series_id": "UNRATE",
            "api_key": KEY,
            "file_type": "json",
            "observation_start": "2021-05-29",
        }

    async def test_a_bad_key_is_refused_for_good_and_never_shown(
        self, made: Callable[..., Source], server: HttpServer
    ) -> None:
        said = {"error_code": 400, "error_message": f"Bad Request.  The value for variable api_key ({KEY}) is bad."}
        server.on(answer(said, 400), path=API)
        for stream in (stream_of(made(KEY)), aclosing(made(KEY).history("AAPL"))):
            async with stream as batches:
                with pytest.raises(SourceError, match="FRED_API_KEY") as caught:
                    await anext(batches)
            assert caught.value.permanent and KEY not in str(caught.value)

    async def test_the_recorded_refusal_is_understood(self, made: Callable[..., Source], server: HttpServer) -> None:
        server.on(answer(require(RECORDINGS / "error-bad-key.made.json").read_bytes(), 400), path=API)
        with pytest.raises(SourceError, match="FRED_API_KEY"):
            await anext(made(KEY).history("AAPL"))

    @pytest.mark.parametrize(
        "body",
        [b"{}", b'{"observations": 3}', b"[]", b"", b"\xff", b"[" * 100_000, b"<html>", b'{"observations":[{"da'],
    )
    async def test_what_is_no_answer_is_said_to_be_none(
        self, made: Callable[..., Source], server: HttpServer, body: bytes
    ) -> None:
        server.on(answer(body), path=API)
        async with stream_of(made(KEY)) as batches:
            with pytest.raises(HttpError, match=r"not as documented|a web page") as caught:
                await anext(batches)
        assert KEY not in str(caught.value)

    async def test_a_dead_letter_holds_no_key(self, made: Callable[..., Source], server: HttpServer) -> None:
        rows = [{"date": KEY, "value": KEY}, {"date": "2026-01-01", "value": [1]}, {"date": "2026-01-01", "value": 4}]
        server.on(answer(json.dumps({"observations": rows}).encode()), path=API)
        async with stream_of(made(KEY)) as batches:
            point, *letters = await anext(batches)
        assert point.value == 4.0 and len(letters) == 2
        assert not any(KEY in letter.reason + letter.payload for letter in letters)


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    settings = Settings(fred=FredSettings(enabled=False))
    with pytest.raises(NotConfiguredError, match=r"fred\.enabled"):
        create(SourceContext(settings, tmp_path, FakeClock(), tmp_path))
