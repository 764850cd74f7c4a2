"""Every fault of the provider through the whole pipeline: its services, what the screen says, and the other ticker."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.contract.snapshot import Snapshot
from pipeline.net.http import Limits
from testkit.http_server import Behaviour, HttpServer, Request, answer, hang, reset, trickle, truncated
from testkit.live_pipeline import healthy, live_pipeline, misbehave
from tests.sources.alpha_vantage import replies as data
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import SMALL
from tests.ui.running import running

SHAPELESS = {"Meta Data": 5, "Time Series (Daily)": {"2026-03-03": []}, "feed": {}, "Global Quote": 7}


class Case(NamedTuple):
    """`says` is on a terminal of 80 columns; a fault `of` one ticker leaves the other its data."""

    behaviour: Behaviour
    says: str
    of: str | None = "MSFT"
    state: str = "running"
    plan: str = "free"
    limits: Limits | None = None


IMPATIENT = Limits(silence=0.2, total=0.4)

CASES = {
    "bad key": Case(answer(data.BAD_KEY), "Alpha Vantage does not accept the API key; chec", of=None, state="failed"),
    "demo key": Case(answer(data.DEMO), "the API key demo answers only the exa", of=None, state="failed"),
    "unknown symbol": Case(answer(data.BAD_CALL), "MSFT     unknown to Alpha Vantage"),
    "unknown function": Case(answer(data.NO_FUNCTION), "MSFT     Alpha Vantage does not accept this request for TI"),
    "burst limit": Case(answer(data.BURST), "Alpha Vantage: it asks for fewer requests", of=None),
    "burst limit of one": Case(answer(data.BURST), "Alpha Vantage: it asks for fewer requests"),
    "old limit": Case(answer(data.OLD_LIMIT), "Alpha Vantage: it asks for fewer requests", of=None),
    "daily limit": Case(answer(data.DAILY_LIMIT), "Alpha Vantage: it reports that the daily limit is reached", of=None),
    "premium": Case(answer(data.PREMIUM), "MSFT     Alpha Vantage offers TIME_SERIES_DAILY only with a pr"),
    "premium refused on a premium plan": Case(
        answer(data.PREMIUM), "MSFT     Alpha Vantage offers TIME_SERIES_DAILY only with a pr", plan="premium"
    ),
    "bad inputs": Case(answer(data.BAD_INPUTS), "MSFT     unknown to Alpha Vantage"),
    "empty object": Case(answer({}), "MSFT     unknown to Alpha Vantage"),
    "notice not known": Case(answer({"Information": f"New for {data.KEY}"}), "MSFT     Alpha Vantage answered TIME_S"),
    "HTML page": Case(answer(f"<html>{data.KEY}</html>"), "records could not be processed"),
    "truncated JSON": Case(answer(b'{"Meta Data": {"1. Inf'), "records could not be processed"),
    "wrong types": Case(answer(SHAPELESS), "records could not be processed"),
    "429": Case(answer(data.KEY, 429), "Alpha Vantage: status 429 Too Many Requests", of=None),
    "429 of one": Case(answer(data.KEY, 429), "MSFT     Alpha Vantage: status 429 Too Many Requests"),
    "500": Case(answer(data.KEY, 500), "Alpha Vantage: status 500 Internal Server", of=None),
    "500 of one": Case(answer(data.KEY, 500), "MSFT     Alpha Vantage: status 500 Internal Server Error"),
    "503 with a pause": Case(
        answer(status=503, headers={"Retry-After": "600"}), "Alpha Vantage: status 503 Service Unav", of=None
    ),
    "503 of one": Case(answer(status=503), "MSFT     Alpha Vantage: status 503 Service Unavailable"),
    "cut off": Case(truncated(b"{}"), "MSFT     Alpha Vantage: the connection broke off"),
    "hung": Case(hang, "MSFT     Alpha Vantage: silent for 0.2 s", limits=IMPATIENT),
    "hung for all": Case(hang, "Alpha Vantage: silent for 0.2 s", of=None, limits=IMPATIENT),
    "trickle": Case(trickle, "MSFT     Alpha Vantage: no complete answer within 0.4 s", limits=IMPATIENT),
    "reset": Case(reset, "MSFT     Alpha Vantage: the connection broke off"),
    "reset for all": Case(reset, "Alpha Vantage: the connection broke off", of=None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_fault_is_said_and_the_other_ticker_goes_on(case: Case, server: HttpServer, tmp_path: Path) -> None:
    misbehave(server, case.behaviour, case.of)
    async with live_pipeline(server, tmp_path, data.KEY, case.limits, plan=case.plan) as live:
        snapshot = await live.until(lambda s: states(s) == {case.state} and is_said(s, case.says))
        screen = await screen_of(snapshot)
        assert case.says in screen
        if case.of == "MSFT":
            await live.until(lambda s: s.tickers[1].price == 10.5)
            bars = [item for item in await live.stored("stock_data", 2) if item["interval"] == "daily"]
            assert [(bar["ticker"], bar["close"]) for bar in bars] == [("AAPL", 10.5)] * 2
            assert {row["ticker"] for row in await live.stored("indicators", 2)} == {"AAPL"}
        told = "".join(
            [live.log, repr(snapshot), screen, repr(await live.stored("dead_letter", snapshot.pipeline.dead_letters))]
        )
    assert data.KEY not in told + "".join(path.read_text() for path in (tmp_path / "data").glob("*.json"))


async def test_one_that_always_fails_does_not_take_the_turns_of_one_that_did_once(
    server: HttpServer, tmp_path: Path
) -> None:
    misbehave(server, reset, "MSFT")
    others = iter([reset])

    async def at_first(request: Request, writer: asyncio.StreamWriter) -> None:
        await next(others, answer(healthy(request.params)))(request, writer)

    server.on(at_first, symbol="AAPL")
    async with live_pipeline(server, tmp_path, data.KEY, plan="free") as live:
        await live.until(lambda s: s.tickers[1].price == 10.5)
    asked = [request.params["symbol"] for request in server.requests if "symbol" in request.params]
    assert asked[:4] == ["MSFT", "AAPL", "MSFT", "AAPL"]


def states(snapshot: Snapshot) -> set[str]:
    """Of the services that ask for prices and for economic series; that of news waits for prices."""
    return {service.state for service in snapshot.services if service.name.startswith(("market ", "economic "))}


def is_said(snapshot: Snapshot, sentence: str) -> bool:
    """Whether the screen can say so now."""
    return sentence in "\n".join(
        [f"{ticker.ticker:<8} {ticker.note}" for ticker in snapshot.tickers]
        + [f"{budget.name}: {budget.trouble}" for budget in snapshot.budgets]
        + [f"{service.error}" for service in snapshot.services]
        + (["records could not be processed"] if snapshot.pipeline.dead_letters else [])
    )


async def screen_of(snapshot: Snapshot) -> str:
    """What is on a small terminal."""
    async with running(FakeLink(snapshot), SMALL) as dash:
        dash.now = snapshot.at
        await dash.repaint()
        return dash.text
