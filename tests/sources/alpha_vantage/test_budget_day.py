"""A day on a free key, through the real HTTP client: what the provider sees of it."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from pipeline.config.settings import AlphaVantageSettings
from pipeline.model.messages import Bar
from pipeline.net.errors import UnavailableError
from pipeline.net.http import Http
from pipeline.sources.alpha_vantage import budget_of, client_of
from pipeline.sources.alpha_vantage.plan_state import Task
from pipeline.sources.alpha_vantage.scheduler import Answered
from pipeline.sources.alpha_vantage.source import AlphaVantageSource
from testkit.fake_provider import Bench, new_york
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, Request, answer
from tests.sources.alpha_vantage.replies import BAD_CALL, DAILY_LIMIT, KEY

FIVE = ["AAPL", "MSFT", "TSLA", "JPM", "APPL"]


class CountingSource(AlphaVantageSource):
    """Counts what has been answered, so that the test's clock can wait for real sockets."""

    answers = 0

    async def answer(self, task: Task) -> Answered:
        answered = await super().answer(task)
        self.answers += 1
        return answered


def served(bench: Bench) -> Behaviour:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await answer(_reply(bench, request.params))(request, writer)

    return behave


async def test_twenty_five_requests_and_no_more_with_an_unknown_ticker_among_five(tmp_path, server: HttpServer) -> None:
    bench = Bench(new_york("2026-03-04", "09:00"), tmp_path, key=KEY)
    await _day(bench, server, served(bench))
    functions = Counter(request.params["function"] for request in server.requests)
    assert functions["TIME_SERIES_DAILY"] == 5 + 4
    assert sum(functions.values()) == 25 == bench.budget.used
    asked = Counter(r.params["function"] for r in server.requests if "APPL" in r.params.values())
    assert asked == {"TIME_SERIES_DAILY": 1, "GLOBAL_QUOTE": 1, "NEWS_SENTIMENT": 1}
    assert [type(message) for message in bench.got if getattr(message, "ticker", "") == "AAPL"].count(Bar) == 2 * 2
    assert bench.source.ticker_notes() == {"APPL": "unknown to Alpha Vantage"}


async def test_the_daily_limit_in_its_own_words_ends_the_day(tmp_path, server: HttpServer, caplog) -> None:
    bench = Bench(new_york("2026-03-04", "09:00"), tmp_path, key=KEY)
    await _day(bench, server, answer(DAILY_LIMIT))
    assert 1 <= len(server.requests) <= 2  # the feeds' first, on their way at the same time
    assert bench.budget.refused
    assert KEY not in caplog.text + bench.scheduler.view().note + "".join(p.read_text() for p in tmp_path.iterdir())


@pytest.mark.parametrize(("plan", "attempts"), [("free", 1), ("premium", 3)])
async def test_a_rationed_day_is_not_spent_on_repeating(
    tmp_path, server: HttpServer, plan: Literal["free", "premium"], attempts: int
) -> None:
    server.on(answer(b"down", 503))
    clock = FakeClock(auto=True)
    options = AlphaVantageSettings(api_key=KEY, plan=plan, base_url=server.url)
    http = Http(clock)
    client = client_of(options, budget_of(options, tmp_path, clock), clock, http)
    with pytest.raises(UnavailableError):
        await client.daily("AAPL")
    await http.close()
    assert len(server.requests) == attempts


async def _day(bench: Bench, server: HttpServer, behaviour: Behaviour) -> None:
    server.on(behaviour)
    http = Http(bench.clock)
    options = replace(bench.settings.alpha_vantage, base_url=server.url)
    client = client_of(options, bench.budget, bench.clock, http)
    bench.source = source = CountingSource(client, bench.scheduler)
    bench.watchlist.add(FIVE)
    end = new_york("2026-03-04", "23:50")
    async with bench.running():
        while bench.clock.now() < end:
            await bench.clock.advance(120)
            while source.answers < bench.budget.used:
                await asyncio.sleep(0)
    await http.close()


def _reply(bench: Bench, params: Mapping[str, str]) -> dict[str, Any]:
    match params["function"]:
        case "TIME_SERIES_DAILY" if params["symbol"] == "APPL":
            return BAD_CALL
        case "GLOBAL_QUOTE" if params["symbol"] == "APPL":
            return {"Global Quote": {}}
        case "TIME_SERIES_DAILY":
            over = [s.day for s in bench.sessions if s.close + timedelta(hours=1) < bench.clock.now()][-2:]
            row = {"1. open": "10", "2. high": "11", "3. low": "9", "4. close": "10", "5. volume": "100"}
            return {
                "Meta Data": {"5. Time Zone": "US/Eastern"},
                "Time Series (Daily)": {day.isoformat(): row for day in reversed(over)},
            }
        case "GLOBAL_QUOTE":
            quote = {"01. symbol": params["symbol"], "05. price": "10", "07. latest trading day": "2026-03-03"}
            return {"Global Quote": quote}
        case "NEWS_SENTIMENT":
            return {"feed": []}
        case series:
            return {"name": series, "interval": "monthly", "unit": "", "data": [{"date": "2026-01-01", "value": "1"}]}
