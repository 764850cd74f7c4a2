"""The feed of posts as a service: what is asked for and when, and what comes of failures. Requests are real, by HTTP
to a server on this machine; pauses are not."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.clock import Clock
from pipeline.config.settings import SupervisorSettings
from pipeline.model.messages import DeadLetter, Post, decode
from pipeline.model.watchlist import Watchlist
from pipeline.net.http import Http, Limits
from pipeline.sources.base import HistoryChunk, SourceError
from pipeline.sources.polling.feed import FAILING_PAUSE, UNKNOWN_PAUSE, PolledSource
from pipeline.sources.polling.items import BLOCKED_PAUSE
from pipeline.sources.polling.round_robin import RoundRobin
from pipeline.sources.polling.seen import Seen
from pipeline.sources.posts.stocktwits import StockTwits
from pipeline.stages.producer import Producer
from pipeline.stages.quote_pacer import QuotePacer
from pipeline.supervision.supervisor import Service, Supervisor
from testkit.fakes import FakeClock
from testkit.http_server import HttpServer, answer, hang, serve
from testkit.recorded_posts import CLOUDFLARE, paged, stream

PERIOD = 600.0


def message(number: int, body: str = "up it goes") -> dict[str, Any]:
    return {"id": number, "body": body, "created_at": "2022-04-03T16:59:26Z", "user": {"username": "somebody"}}


def path_of(symbol: str) -> str:
    return f"/api/2/streams/symbol/{symbol}.json"


def newest(number: int) -> list[dict[str, Any]]:
    """The messages from that number down to 1."""
    return [message(n) for n in range(number, 0, -1)]


def ids(batch: Any) -> list[int]:
    return [int(item.id) for item in batch if isinstance(item, Post)]


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serve() as local:
        local.on(answer(stream([])))
        yield local


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(FakeClock(auto=True), limits=Limits(silence=1.0, attempts=1))
    yield client
    await client.close()


@pytest.fixture
def source(server: HttpServer, http: Http, tmp_path: Path) -> Callable[..., PolledSource]:
    """A source as it is after a start of the pipeline."""

    def make(clock: Clock | None = None) -> PolledSource:
        clock = clock or FakeClock(auto=True)
        return PolledSource(StockTwits(http, server.url, clock), Seen(tmp_path / "x.json"), clock, RoundRobin(PERIOD))

    return make


def stream_of(source: PolledSource, *tickers: str) -> Any:
    (feed,) = source.feeds()
    return aclosing(feed.stream(Watchlist(tickers or ("TSLA",))))


class TestPages:
    async def test_they_go_back_to_what_is_known_and_come_oldest_first(
        self, source: Callable[..., PolledSource], server: HttpServer
    ) -> None:
        server.on(paged(newest(8), 4))
        async with stream_of(source()) as batches:
            assert ids(await anext(batches)) == [5, 6, 7, 8]  # one page, for nothing is known yet
            server.on(paged(newest(18), 4))
            server.requests.clear()
            assert ids(await anext(batches)) == list(range(9, 19))
            assert [request.params.get("max") for request in server.requests] == [None, "15", "11"]

    async def test_one_that_is_late_or_on_two_pages_comes_once(
        self, source: Callable[..., PolledSource], server: HttpServer
    ) -> None:
        server.on(answer(stream([message(9), message(7)])))
        async with stream_of(source()) as batches:
            assert ids(await anext(batches)) == [7, 9]
            first, second = [message(11), message(10)], [message(10), message(9), message(8)]
            server.on(answer(stream(first, more=True)), answer(stream(second)))
            assert ids(await anext(batches)) == [8, 10, 11]

    async def test_their_number_is_bounded_and_what_is_left_out_is_told(
        self, source: Callable[..., PolledSource], server: HttpServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.on(paged(newest(4), 4))
        async with stream_of(source()) as batches:
            await anext(batches)
            server.on(paged(newest(100), 4))
            assert ids(await anext(batches)) == list(range(81, 101))
        assert "older ones are left out" in caplog.text

    async def test_a_restart_repeats_nothing_that_was_published_and_leaves_out_nothing_that_was_not(
        self, source: Callable[..., PolledSource], server: HttpServer
    ) -> None:
        server.on(paged(newest(4), 4))
        async with stream_of(source()) as batches:
            assert ids(await anext(batches)) == [1, 2, 3, 4]
            server.on(paged(newest(6), 4))
            assert ids(await anext(batches)) == [5, 6]  # which says that the first four are published
        async with stream_of(source()) as batches:
            assert ids(await anext(batches)) == [5, 6]

    async def test_a_misfit_is_handed_out_once(self, source: Callable[..., PolledSource], server: HttpServer) -> None:
        server.on(answer(stream([message(2), {"id": "bad"}, message(1)])))
        async with stream_of(source()) as batches:
            *posts, letter = await anext(batches)
            assert ids(posts) == [1, 2]
            assert isinstance(letter, DeadLetter)
            server.on(answer(stream([message(3), message(2), {"id": "bad"}, message(1)])))
            assert [type(item) for item in await anext(batches)] == [Post]

    async def test_history_is_some_pages_and_a_refusal_is_the_loads(
        self, source: Callable[..., PolledSource], server: HttpServer
    ) -> None:
        server.on(paged(newest(20), 4))
        async with aclosing(source().history("TSLA")) as chunks:
            (chunk,) = [chunk async for chunk in chunks]
        assert ids(chunk.messages) == list(range(9, 21))
        assert chunk == HistoryChunk(chunk.messages, 12, 12)
        server.on(answer(CLOUDFLARE, 403))
        with pytest.raises(SourceError, match=r"no posts of TSLA: .*denies access"):
            await anext(source().history("TSLA"))


class TestService:
    """Under a real supervisor, publishing to a real bus."""

    @pytest.fixture
    async def bus(self, tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
        bus = EmbeddedBus(tmp_path / "bus.sqlite")
        await bus.open()
        yield bus
        await bus.close()

    @asynccontextmanager
    async def running(
        self, source: PolledSource, bus: EmbeddedBus, clock: FakeClock, *tickers: str
    ) -> AsyncIterator[Service]:
        supervisor = Supervisor(SupervisorSettings(max_restarts=2), clock)
        (feed,) = source.feeds()
        supervisor.add("social stocktwits", "producer", Producer(feed, bus, Watchlist(tickers), QuotePacer(clock)).run)
        try:
            yield supervisor.services[0]
        finally:
            assert await supervisor.stop(5)

    async def test_blocked_is_said_in_a_sentence_waited_for_and_never_given_up(
        self, source: Callable[..., PolledSource], bus: EmbeddedBus, server: HttpServer
    ) -> None:
        server.on(answer(CLOUDFLARE, 403))
        clock = FakeClock()
        async with self.running(source(clock), bus, clock, "TSLA") as service:
            for tries in range(1, 7):
                await until(lambda: service.state == "backing off")
                assert len(server.requests) == tries
                view = service.view()
                assert view.error == f"{server.url.removeprefix('http://')}: it denies access for now (403)"
                assert view.retry_in == BLOCKED_PAUSE
                await clock.advance(BLOCKED_PAUSE - 1)
                assert service.state == "backing off"
                await clock.advance(1)
                await until(lambda tries=tries: len(server.requests) > tries)
            server.on(answer(stream(newest(3))))
            await until(lambda: service.state == "backing off")
            await clock.advance(BLOCKED_PAUSE)
            await until(lambda: service.rate.total == 3)
            assert service.state == "running"

    async def test_a_rate_limit_is_kept_to(
        self, source: Callable[..., PolledSource], bus: EmbeddedBus, server: HttpServer
    ) -> None:
        server.on(answer(b"slow down", 429, {"Retry-After": "77"}))
        clock = FakeClock()
        async with self.running(source(clock), bus, clock, "TSLA") as service:
            await until(lambda: service.state == "backing off")
            assert service.view().retry_in == 77
            assert "too many requests (429)" in (service.error or "")

    async def test_the_others_go_on_when_one_is_unknown_and_one_fails(
        self,
        source: Callable[..., PolledSource],
        bus: EmbeddedBus,
        server: HttpServer,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        server.on(answer(stream(newest(2))))
        server.on(answer(stream([], status=404), 404), path=path_of("NONE"))
        server.on(answer(b'{"response":{"sta'), path=path_of("BROKEN"))
        clock = FakeClock(auto=True)
        async with self.running(source(clock), bus, clock, "NONE", "BROKEN", "TSLA", "MSFT") as service:
            await until(lambda: service.rate.total == 4 and len(server.requests) > 20)
            assert (service.state, service.restarts, service.error) == ("running", 0, None)
        assert {"social_tsla", "social_msft"} <= set(await bus.topics())
        assert [request.path for request in server.requests].count(path_of("NONE")) == 1
        assert clock.monotonic() < UNKNOWN_PAUSE
        assert "NONE is left out for a day" in caplog.text
        assert "no posts of BROKEN this time" in caplog.text

    async def test_when_none_can_be_fetched_the_feed_says_so_and_tries_again(
        self, source: Callable[..., PolledSource], bus: EmbeddedBus, server: HttpServer
    ) -> None:
        server.on(hang)
        clock = FakeClock()
        async with self.running(source(clock), bus, clock, "TSLA") as service:
            await until(lambda: service.state == "backing off")
            assert "silent for 1 s" in (service.error or "")
            assert service.view().retry_in == FAILING_PAUSE
            server.on(answer(stream(newest(1))))
            await clock.advance(FAILING_PAUSE)
            await until(lambda: service.rate.total == 1)

    async def test_a_hostile_post_is_harmless_on_the_bus_and_in_the_log(
        self,
        source: Callable[..., PolledSource],
        bus: EmbeddedBus,
        server: HttpServer,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        hostile = "\x1b[2J\x1b]0;owned\x07 \u202e[bold]x[/] &#27;[31m" + "A" * 1_000_000
        server.on(answer(stream([message(1, hostile), message(2, hostile) | {"created_at": hostile}])))
        clock = FakeClock()
        async with self.running(source(clock), bus, clock, "TSLA") as service:
            await until(lambda: service.rate.total == 2)
        for topic in ("social_tsla", "dead_letter"):
            ((where, (begin, end)),) = (await bus.offsets([topic])).items()
            (record,) = [record async for batch in bus.read(where, begin, end) for record in batch]
            assert len(record.value) < 16_384
            fields = msgspec.structs.asdict(decode(topic, record.value))
            assert not set("".join(map(str, fields.values()))) & {"\x1b", "\u202e", "\x07"}
        assert not set(caplog.text) & {"\x1b", "\u202e", "\x07"}
        assert len(caplog.text) < 20_000


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
