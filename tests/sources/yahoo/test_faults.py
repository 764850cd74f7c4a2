"""What goes wrong at Yahoo: what the feed raises, what is a ticker's trouble, and who goes on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.model.outage import OutsideError
from pipeline.net.circuit_breaker import PAUSE
from pipeline.net.errors import HttpError, RateLimitedError, RefusedError, TimedOutError, UnavailableError
from pipeline.net.http import Limits
from pipeline.sources.yahoo.feed import RATE_LIMITED_PAUSE
from pipeline.sources.yahoo.troubles import FAILED_PAUSE, NOTHING_PAUSE, UNKNOWN_PAUSE
from testkit.fake_yahoo import FakeYahoo, refusal, reply
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, answer, hang, reset, serve, truncated
from tests.sources.yahoo.bench import Bench

HTML = "<!DOCTYPE html><html><body>Yahoo is part of the Yahoo family of brands</body></html>"
GONE = answer(refusal("Not Found", "No data found, symbol may be delisted"), 404)
CONSENT = answer(status=307, headers={"Location": "https://guce.yahoo.com/consent?brandType=nonEu"})
UNAUTHORIZED = {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
ALL = [
    ("429 as text", answer("Too Many Requests\r\n", 429), RateLimitedError, "429"),
    ("429 of the edge", answer("Edge: Too Many Requests", 429), RateLimitedError, "429"),
    ("401", answer(UNAUTHORIZED, 401), RefusedError, "401"),
    ("403", answer("Forbidden", 403), RefusedError, "403"),
    ("404 of a proxy", answer(HTML, 404), UnavailableError, "404"),
    ("500", answer("", 500), UnavailableError, "500"),
    ("503", answer(HTML, 503), UnavailableError, "503"),
    ("HTML", answer(HTML), UnavailableError, "a web page instead of data"),
    ("text", answer("Will be right back"), UnavailableError, "instead of data"),
    ("nothing", answer(""), UnavailableError, "instead of data"),
    ("consent", CONSENT, HttpError, "redirects elsewhere, to https://guce.yahoo.com"),
    ("truncated", truncated(b'{"chart": {"result": ['), UnavailableError, "broke off"),
    ("reset", reset, UnavailableError, "broke off"),
]
ONE = [
    ("404", GONE, "knows no symbol MSFT: No data found, symbol may be delisted", UNKNOWN_PAUSE),
    ("400", answer(refusal("Bad Request", "Invalid input"), 400), "Invalid input", NOTHING_PAUSE),
    ("422", answer(refusal("Unprocessable Entity", "no such interval"), 422), "no such interval", NOTHING_PAUSE),
    ("nothing", answer(reply({"symbol": "MSFT"}, [])), "no price of MSFT", NOTHING_PAUSE),
    ("another symbol", answer(reply({"symbol": "AAPL"}, [])), "it is about AAPL", FAILED_PAUSE),
    ("wrong types", answer({"chart": {"result": "none"}}), "cannot be read", FAILED_PAUSE),
    ("no chart", answer({"finance": {}}), "cannot be read", FAILED_PAUSE),
    ("cut JSON", answer('{"chart": {"result": [{"meta"'), "cannot be read", FAILED_PAUSE),
    ("500", answer("", 500), "500", FAILED_PAUSE),
    ("HTML", answer(HTML), "a web page", FAILED_PAUSE),
    ("truncated", truncated(b"{"), "broke off", FAILED_PAUSE),
]


@pytest.mark.parametrize(("fault", "kind", "words"), [case[1:] for case in ALL], ids=[case[0] for case in ALL])
@pytest.mark.parametrize("tickers", [["AAPL"], ["AAPL", "MSFT", "VOD.L", "BTC-USD"]], ids=len)
async def test_yahoo_out_of_reach_ends_the_feed_until_it_is_back(
    bench: Bench, fault: Behaviour, kind: type[HttpError], words: str, tickers: list[str]
) -> None:
    bench.yahoo.faults["*"] = fault
    with pytest.raises(OutsideError, match=words) as caught:
        await bench.run(30, *tickers)
    assert type(caught.value) is kind
    assert bench.got == []
    del bench.yahoo.faults["*"]
    bench.clock.jump(FAILED_PAUSE)
    await bench.run(30)
    assert all(bench.bars(ticker) for ticker in tickers)
    assert bench.source.troubles() == {}


async def test_many_tickers_get_on_again_at_the_first_try_after_a_long_outage(bench: Bench) -> None:
    tickers = ("AAPL", "MSFT", "VOD.L", "BTC-USD", "^GSPC", "7203.T")
    bench.yahoo.faults["*"] = reset
    for _ in range(4):  # until the host is left alone, and its one try is all there is
        with pytest.raises(OutsideError, match="broke off"):
            await bench.run(30, *tickers)
        bench.clock.jump(PAUSE)
    del bench.yahoo.faults["*"]
    bench.clock.jump(PAUSE)
    await bench.run(30)
    assert all(bench.bars(ticker) for ticker in tickers)


@pytest.mark.parametrize(("fault", "words", "pause"), [case[1:] for case in ONE], ids=[case[0] for case in ONE])
async def test_the_trouble_of_one_ticker_is_nobody_elses(
    bench: Bench, fault: Behaviour, words: str, pause: float
) -> None:
    bench.yahoo.faults["MSFT"] = fault
    await bench.run(10, "AAPL", "MSFT")
    assert bench.bars("AAPL") and not bench.bars("MSFT")
    trouble = bench.source.troubles()["MSFT"]
    assert words in trouble.why
    assert trouble.next_try is not None
    left = (trouble.next_try - bench.clock.now()).total_seconds()
    assert pause - 10 <= left <= pause
    asked = len(bench.asked("MSFT"))
    bench.clock.jump(left - 5)
    await bench.run(1)
    assert len(bench.asked("MSFT")) == asked, "it is not asked for before that"
    bench.yahoo.faults.clear()
    await bench.run(15)
    assert bench.bars("MSFT")
    assert bench.source.troubles() == {}


async def test_a_trouble_that_stays_has_the_same_beginning(bench: Bench) -> None:
    bench.yahoo.faults["MSFT"] = answer("", 500)
    await bench.run(10, "AAPL", "MSFT")
    first = bench.source.troubles()["MSFT"]
    await bench.run(130)
    later = bench.source.troubles()["MSFT"]
    assert later.since == first.since
    assert later.next_try != first.next_try


async def test_a_ticker_that_is_no_longer_watched_is_in_no_trouble(bench: Bench) -> None:
    bench.yahoo.faults["MSFT"] = GONE
    await bench.run(5, "AAPL", "MSFT")
    assert list(bench.source.troubles()) == ["MSFT"]
    await bench.run(5, "AAPL")
    assert bench.source.troubles() == {}


async def test_of_tickers_that_yahoo_does_not_know_none_ends_the_feed(bench: Bench) -> None:
    await bench.run(30, "NONE", "NADA")
    assert sorted(bench.source.troubles()) == ["NADA", "NONE"]
    assert len(bench.yahoo.asked) == 2


async def test_what_does_not_fit_is_a_dead_letter_once(bench: Bench) -> None:
    bench.yahoo.faults["MSFT"] = answer({"chart": {"result": "none"}})
    await bench.run(200, "AAPL", "MSFT")
    assert len(bench.asked("MSFT")) > 2
    assert [letter.reason[:6] for letter in bench.letters] == ["MSFT: "]


@pytest.mark.parametrize(("headers", "pause"), [({}, RATE_LIMITED_PAUSE), ({"Retry-After": "90"}, 90.0)])
async def test_who_asks_too_often_is_told_for_how_long_to_wait(
    bench: Bench, headers: dict[str, str], pause: float
) -> None:
    bench.yahoo.faults["*"] = answer("Too Many Requests", 429, headers)
    with pytest.raises(RateLimitedError) as caught:
        await bench.run(30, "AAPL", "MSFT")
    assert caught.value.retry_after == pause


@pytest.mark.parametrize(("status", "permanent"), [(403, True), (429, False)])
async def test_a_refusal_is_final_or_not(bench: Bench, status: int, permanent: bool) -> None:
    bench.yahoo.faults["*"] = answer("", status)
    with pytest.raises(OutsideError) as caught:
        await bench.run(30, "AAPL")
    assert caught.value.permanent is permanent


class TestHosts:
    """Yahoo has two with the same data."""

    @pytest.fixture
    async def second(self, clock: FakeClock) -> AsyncIterator[tuple[HttpServer, FakeYahoo]]:
        async with serve() as server:
            yield server, FakeYahoo(clock).serve_on(server)

    @pytest.fixture
    async def bench(
        self,
        server: HttpServer,
        yahoo: FakeYahoo,
        second: tuple[HttpServer, FakeYahoo],
        clock: FakeClock,
        tmp_path: Path,
    ) -> AsyncIterator[Bench]:
        bench = Bench(server.url, yahoo, clock, tmp_path, fallback_url=second[0].url)
        yield bench
        await bench.close()

    async def test_the_second_is_asked_where_the_first_fails_which_is_then_left_for_a_while(
        self, bench: Bench, second: tuple[HttpServer, FakeYahoo]
    ) -> None:
        bench.yahoo.faults["*"] = answer("", 502)
        await bench.run(30, "AAPL")
        assert bench.bars("AAPL")
        assert len(bench.yahoo.asked) == 1
        assert len(second[1].asked) == 2
        del bench.yahoo.faults["*"]
        await bench.run(70)
        assert len(bench.yahoo.asked) == 2
        assert len(second[1].asked) == 2

    async def test_the_second_is_not_asked_to_evade_a_refusal(
        self, bench: Bench, second: tuple[HttpServer, FakeYahoo]
    ) -> None:
        bench.yahoo.faults["*"] = answer("", 429)
        with pytest.raises(RateLimitedError):
            await bench.run(30, "AAPL")
        assert second[1].asked == []

    async def test_neither_answers(self, bench: Bench, second: tuple[HttpServer, FakeYahoo]) -> None:
        bench.yahoo.faults["*"] = answer(HTML)
        second[1].faults["*"] = reset
        with pytest.raises(UnavailableError):
            await bench.run(30, "AAPL", "MSFT", "VOD.L")
        times = sorted(at for at, _, _ in [*bench.yahoo.asked, *second[1].asked])
        assert all(third - first >= 1.0 for first, third in zip(times, times[2:], strict=False))


async def test_a_yahoo_that_hangs_is_given_up(
    server: HttpServer, yahoo: FakeYahoo, clock: FakeClock, tmp_path: Path
) -> None:
    bench = Bench(server.url, yahoo, clock, tmp_path, limits=Limits(silence=0.05, total=0.2))
    yahoo.faults["*"] = hang
    with pytest.raises(TimedOutError):
        await bench.run(30, "AAPL")
    await bench.close()
