"""What Alpha Vantage says instead of data, and what is no answer at all."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pipeline.net.errors import HttpError, RateLimitedError, UnavailableError
from pipeline.net.http import Http
from pipeline.sources.alpha_vantage.client import AlphaVantageClient
from pipeline.sources.alpha_vantage.errors import (
    AlphaVantageError,
    BadKeyError,
    BadRequestError,
    BurstLimitError,
    DailyLimitError,
    DemoKeyError,
    FullOutputNotInPlanError,
    NotInPlanError,
    UnknownSymbolError,
    UnreadableReplyError,
)
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, answer, hang, reset, truncated
from tests.sources.alpha_vantage import replies as data

Call = Callable[[AlphaVantageClient], Awaitable[object]]
DAILY: Call = lambda client: client.daily("IBM")  # noqa: E731
QUOTE: Call = lambda client: client.quote("IBM")  # noqa: E731
NEWS: Call = lambda client: client.news("AAPL", since=None)  # noqa: E731
CPI: Call = lambda client: client.economic("CPI")  # noqa: E731

NOTICES: list[tuple[Call, dict[str, Any], type[AlphaVantageError]]] = [
    (DAILY, data.BAD_KEY, BadKeyError),
    (DAILY, data.BAD_CALL, UnknownSymbolError),
    (CPI, data.BAD_CALL, BadRequestError),
    (DAILY, data.NO_FUNCTION, BadRequestError),
    (DAILY, data.BURST, BurstLimitError),
    (DAILY, data.OLD_LIMIT, BurstLimitError),
    (DAILY, data.DAILY_LIMIT, DailyLimitError),
    (lambda client: client.intraday("IBM", "1min"), data.PREMIUM, NotInPlanError),
    (lambda client: client.daily("IBM", full=True), data.FULL, FullOutputNotInPlanError),
    (DAILY, data.DEMO, DemoKeyError),
    (NEWS, data.BAD_INPUTS, UnknownSymbolError),
    (DAILY, {}, UnknownSymbolError),
    (QUOTE, {"Global Quote": {}}, UnknownSymbolError),
    (CPI, {}, UnreadableReplyError),
    (DAILY, {"Information": f"Something new about {data.KEY}"}, UnreadableReplyError),
]


class TestNotices:
    @pytest.mark.parametrize(("call", "body", "error"), NOTICES)
    async def test_each_is_told_apart(
        self,
        server: HttpServer,
        client: AlphaVantageClient,
        caplog: pytest.LogCaptureFixture,
        call: Call,
        body: dict[str, Any],
        error: type[AlphaVantageError],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server.on(answer(body))
        with pytest.raises(AlphaVantageError) as caught:
            await call(client)
        assert type(caught.value) is error
        assert caught.value.permanent is (error in (BadKeyError, DemoKeyError))
        assert data.KEY not in f"{caught.value!r}{caught.value}{caplog.text}"
        assert len(server.requests) == 1, "none of them is worth asking again at once"

    @pytest.mark.parametrize(
        "body",
        [
            b"<html><body>Welcome</body></html>",
            b'{"Meta Data": {"1. Information"',
            b"",
            b"null",
            b"[]",
            b"\xff\xfe",
            b'{"Time Series (Daily)": {}}',
            b'{"Meta Data": {}, "Time Series (Daily)": {}}',
            b'{"Meta Data": {"5. Time Zone": "../Mars"}, "Time Series (Daily)": {}}',
            b'{"Meta Data": {"5. Time Zone": "US/Eastern"}, "Time Series (Daily)": []}',
            b'{"Meta Data": {"5. Time Zone": "US/Eastern"}, "Time Series (5min)": {}}',
            b'{"Error Message": 5}',
            b"[" * 100_000,
        ],
    )
    async def test_what_cannot_be_read_is_kept(
        self, server: HttpServer, client: AlphaVantageClient, body: bytes
    ) -> None:
        server.on(answer(body + data.KEY.encode() if body.startswith(b"<") else body))
        with pytest.raises(UnreadableReplyError, match="Alpha Vantage answered TIME_SERIES_DAILY with") as caught:
            await client.daily("IBM")
        misfit = caught.value.misfit
        assert misfit.topic == "alpha_vantage:TIME_SERIES_DAILY"
        assert misfit.payload.startswith(body[:20].decode("utf-8", "replace"))
        assert data.KEY not in repr(misfit) + str(caught.value)
        assert not caught.value.permanent

    async def test_a_key_across_the_cut_is_not_kept_in_part(
        self, server: HttpServer, client: AlphaVantageClient
    ) -> None:
        server.on(answer(b"x" * 2040 + data.KEY.encode()))
        with pytest.raises(UnreadableReplyError) as caught:
            await client.daily("IBM")
        assert caught.value.misfit.payload.endswith("x***")

    @pytest.mark.parametrize("call", [QUOTE, NEWS, CPI])
    async def test_another_shape(self, server: HttpServer, client: AlphaVantageClient, call: Call) -> None:
        server.on(answer(data.daily()))
        with pytest.raises(UnreadableReplyError, match="missing required field"):
            await call(client)


class TestTransport:
    @pytest.mark.parametrize(
        ("behaviour", "error", "sent"),
        [
            (answer(status=429, headers={"Retry-After": "60"}), RateLimitedError, 1),
            (answer(status=500), UnavailableError, 3),
            (answer("<html>", status=503, headers={"Retry-After": "600"}), UnavailableError, 1),
            (reset, UnavailableError, 3),
            (truncated(b"{}"), UnavailableError, 3),
            (hang, UnavailableError, 1),
        ],
        ids=["429", "500", "503", "reset", "truncated", "hung"],
    )
    async def test_what_is_no_answer(
        self,
        server: HttpServer,
        http: Http,
        clock: FakeClock,
        caplog: pytest.LogCaptureFixture,
        behaviour: Behaviour,
        error: type[HttpError],
        sent: int,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        permits: list[None] = []

        async def permit() -> None:
            permits.append(None)

        server.on(behaviour)
        client = AlphaVantageClient(http, data.KEY, base_url=server.url, clock=clock, permit=permit)
        with pytest.raises(error) as caught:
            await client.daily("IBM")
        assert len(permits) == len(server.requests) == sent
        assert data.KEY not in f"{caught.value!r}{caught.value.__cause__!r}{caplog.text}"
