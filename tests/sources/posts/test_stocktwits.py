"""StockTwits by real HTTP from a server on this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import Settings
from pipeline.config.sources import StockTwitsSettings
from pipeline.model.messages import decode, encode, topic_of
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import TimedOutError, UnavailableError
from pipeline.net.http import Http, Limits
from pipeline.sources.base import SourceContext
from pipeline.sources.polling.items import BlockedError, ReplyError, UnknownTickerError
from pipeline.sources.posts.stocktwits import StockTwits, create, symbol_of
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, Request, answer, hang, serve, truncated
from testkit.recorded_posts import CLOUDFLARE, messages, paged, stream


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serve() as local:
        local.on(answer(stream([])))
        yield local


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(FakeClock(auto=True), limits=Limits(silence=1.0, attempts=2))
    yield client
    await client.close()


@pytest.fixture
def provider(server: HttpServer, http: Http) -> StockTwits:
    return StockTwits(http, server.url, FakeClock())


async def test_loads_and_the_feed_together_keep_to_the_rate_of_the_provider(server: HttpServer, tmp_path: Path) -> None:
    clock = FakeClock(auto=True)
    times: list[float] = []

    async def note(request: Request, writer: asyncio.StreamWriter) -> None:
        times.append(clock.monotonic())
        await paged(messages(), 2)(request, writer)

    server.on(note)
    context = SourceContext(Settings(stocktwits=StockTwitsSettings(base_url=server.url)), tmp_path, clock, tmp_path)
    source = create(context)
    tickers = [f"T{number}" for number in range(65)]
    for ticker in tickers:
        async with aclosing(source.history(ticker)) as chunks:
            assert [chunk.done async for chunk in chunks] == [6]
    (feed,) = source.feeds()
    async with aclosing(feed.stream(Watchlist(tickers))) as batches:
        for _ in tickers[:10]:
            await anext(batches)
    await context.close()
    assert len(times) == 65 * 3 + 10
    assert min(b - a for a, b in pairwise(times)) >= 2.0
    assert min(beyond - first for first, beyond in zip(times, times[200:], strict=False)) >= 3600.0


class TestPage:
    async def test_the_recorded_posts_come_with_tags_times_and_links(
        self, provider: StockTwits, server: HttpServer
    ) -> None:
        recorded = messages()
        server.on(answer(stream(recorded, more=True)))
        page = await provider.page("TSLA", None)
        posts = [post for _, post in page.items if post is not None]
        assert [request.path for request in server.requests] == ["/api/2/streams/symbol/TSLA.json"]
        assert [number for number, _ in page.items] == [message["id"] for message in recorded]
        assert [post.tag for post in posts].count("bullish") == 2
        assert [post.tag for post in posts].count("bearish") == 2
        assert [post.tag for post in posts].count(None) == 2
        assert posts[0].ts == datetime.fromisoformat(recorded[0]["created_at"])
        assert posts[0].ts.tzinfo is UTC
        assert (posts[0].ticker, posts[0].source) == ("TSLA", "stocktwits")
        author = recorded[0]["user"]["username"]
        assert (posts[0].author, posts[0].url) == (
            author,
            f"https://stocktwits.com/{author}/message/{recorded[0]['id']}",
        )
        assert page.older == str(recorded[-1]["id"])
        assert not page.misfits

    async def test_entities_are_decoded(self, provider: StockTwits, server: HttpServer) -> None:
        escaped = next(message for message in messages("tail") if "&#39;" in message["body"])
        amp = escaped | {"id": 1, "body": "S&amp;P &lt;b&gt; &quot;up&quot;"}
        server.on(answer(stream([escaped, amp])))
        first, second = [post for _, post in (await provider.page("TSLA", None)).items if post is not None]
        assert "That'll be the headline on Monday morning" in first.text
        assert second.text == 'S&P <b> "up"'

    async def test_the_last_page_has_no_older(self, provider: StockTwits, server: HttpServer) -> None:
        server.on(answer(stream(messages(), more=False)))
        assert (await provider.page("TSLA", "9")).older is None
        assert server.requests[-1].params == {"max": "9"}

    async def test_nothing_is_an_empty_page(self, provider: StockTwits) -> None:
        page = await provider.page("TSLA", None)
        assert (list(page.items), list(page.misfits), page.older) == ([], [], None)

    @pytest.mark.parametrize(
        "change",
        [
            {"user": None},
            {"user": 3},
            {"user": {}},
            {"user": {"username": 7}},
            {"entities": None},
            {"entities": []},
            {"entities": {"sentiment": "Bullish"}},
            {"entities": {"sentiment": {"basic": {"x": 1}}}},
        ],
        ids=str,
    )
    async def test_what_is_optional_does_not_take_its_message_with_it(
        self, provider: StockTwits, server: HttpServer, change: dict[str, Any]
    ) -> None:
        first, second = messages()[:2]
        server.on(answer(stream([first, second | {"entities": {"sentiment": None}} | change])))
        page = await provider.page("TSLA", None)
        assert page.misfits == []
        (_, post) = page.items[1]
        assert post is not None
        assert (post.id, post.tag) == (str(second["id"]), None)
        assert "user" not in change or (post.author, post.url) == ("", "")

    @pytest.mark.parametrize(
        ("text", "time"),
        [
            ("2022-04-03T16:59Z", datetime(2022, 4, 3, 16, 59, tzinfo=UTC)),
            ("2022-04-03T16:59:26.5+02:00", datetime(2022, 4, 3, 14, 59, 26, 500_000, tzinfo=UTC)),
        ],
    )
    async def test_a_time_may_have_seconds_or_not(
        self, provider: StockTwits, server: HttpServer, text: str, time: datetime
    ) -> None:
        server.on(answer(stream([messages()[0] | {"created_at": text}])))
        ((_, post),) = (await provider.page("TSLA", None)).items
        assert post is not None
        assert post.ts == time

    @pytest.mark.parametrize(
        ("cursor", "older"),
        [
            (None, None),
            ([], None),
            ({"more": False, "max": 5}, None),
            ({"more": None, "max": 5}, None),
            ({"more": True, "max": 5}, "5"),
            ({"more": True}, "oldest"),
            ({"more": True, "max": None}, "oldest"),
            ({"more": True, "max": "none"}, "oldest"),
        ],
    )
    async def test_that_there_is_more_is_not_overlooked(
        self, provider: StockTwits, server: HttpServer, cursor: object, older: str | None
    ) -> None:
        found = messages()[:3]
        server.on(answer({"response": {"status": 200}, "cursor": cursor, "messages": found}))
        page = await provider.page("TSLA", None)
        assert page.older == (str(found[-1]["id"]) if older == "oldest" else older)

    @pytest.mark.parametrize(
        "change",
        [
            {"id": "x"},
            {"id": -1},
            {"body": None},
            {"created_at": "yesterday"},
            {"created_at": "2022-04-03T16:59:26"},
            {"created_at": "0001-01-01T00:00:00Z"},
            {"created_at": "20220403T165926"},
            {"created_at": None},
        ],
        ids=str,
    )
    async def test_one_that_does_not_fit_becomes_a_dead_letter_and_spoils_no_other(
        self, provider: StockTwits, server: HttpServer, change: dict[str, Any]
    ) -> None:
        good, bad, last = messages()[:3]
        server.on(answer(stream([good, bad | change, last])))
        page = await provider.page("TSLA", None)
        assert [number for number, _ in page.items] == [good["id"], last["id"]]
        (letter,) = page.misfits
        assert (letter.topic, letter.partition) == ("stocktwits:TSLA", 0)
        assert letter.reason
        again = await provider.page("TSLA", None)
        assert again.misfits[0].offset == letter.offset

    async def test_an_odd_tag_is_no_tag(self, provider: StockTwits, server: HttpServer) -> None:
        odd = [
            messages()[0] | {"id": n, "entities": e} for n, e in ((1, None), (2, {"sentiment": {"basic": "Neutral"}}))
        ]
        server.on(answer(stream(odd)))
        assert [post.tag for _, post in (await provider.page("TSLA", None)).items if post] == [None, None]

    @pytest.mark.parametrize(
        ("behaviour", "error"),
        [
            (answer(CLOUDFLARE, 403), BlockedError),
            (answer(CLOUDFLARE, 200), BlockedError),
            (answer(stream([], status=403)), BlockedError),
            (answer(stream([], status=429)), BlockedError),
            (answer(stream([], status=404), 404), UnknownTickerError),
            (answer(stream([], status=404)), UnknownTickerError),
            (answer(stream([], status=500)), ReplyError),
            (answer(b'{"response":{"status":200},"messages":[{"id":1,"bo'), ReplyError),
            (answer(b'{"response":{"status":200},"messages":3}'), ReplyError),
            (answer(b"[]"), ReplyError),
            (answer(b""), ReplyError),
            (answer(b"\xff\xfe"), ReplyError),
            (answer(b"[" * 100_000), ReplyError),
            (truncated(stream([])), UnavailableError),
            (hang, TimedOutError),
            (answer(b"down", 503), UnavailableError),
        ],
    )
    async def test_what_is_wrong_is_told_apart(
        self, provider: StockTwits, server: HttpServer, behaviour: Behaviour, error: type[Exception]
    ) -> None:
        server.on(behaviour)
        with pytest.raises(error) as caught:
            await provider.page("TSLA", None)
        assert type(caught.value) is error
        assert "\n" not in str(caught.value)

    def test_a_pair_has_a_name_of_its_own_there(self) -> None:
        assert [symbol_of(t) for t in ("BTC-USD", "BRK.B", "TSLA")] == ["BTC.X", "BRK.B", "TSLA"]


class TestHostile:
    TEXT = "\x1b[31m\x1b]0;owned\x07 \u202eevil\u202c &#27;[2J [bold red]x[/] [$TSLA] \x00\x9b" + "A" * 1_000_000

    async def test_a_post_is_plain_text_of_bounded_length(self, provider: StockTwits, server: HttpServer) -> None:
        hostile = messages()[0] | {"body": self.TEXT}
        hostile["user"] = hostile["user"] | {"username": "\x1b[2J../../x?y#\u202e"}
        server.on(answer(stream([hostile])))
        ((_, post),) = (await provider.page("TSLA", None)).items
        assert post is not None
        assert len(post.text) == 4096
        assert post.text.startswith("evil [2J [bold red]x[/] [$TSLA] AAAA")
        assert not set(post.text + post.author + post.url) & {"\x1b", "\u202e", "\x07", "\x00", "\x9b"}
        assert post.url.startswith("https://stocktwits.com/%")
        assert decode(topic_of(post), encode(post)) == post
