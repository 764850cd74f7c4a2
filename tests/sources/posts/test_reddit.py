"""Reddit by real HTTP from a server on this machine."""

import base64
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipeline.config.sources import RedditSettings
from pipeline.model.messages import Post
from pipeline.net.errors import HttpError, TimedOutError, UnavailableError
from pipeline.net.http import Http, Limits
from pipeline.sources.base import SourceError
from pipeline.sources.polling.items import BlockedError, ReplyError
from pipeline.sources.posts.reddit import Reddit
from testkit.fakes import FakeClock
from testkit.http_server import Behaviour, HttpServer, answer, hang, serve, truncated
from testkit.recorded_posts import CLOUDFLARE, listing

TOKEN = "/api/v1/access_token"  # noqa: S105
SEARCH = "/r/stocks+wallstreetbets/search"
SECRETS = ("MY-ID", "MY-SECRET", "T0K3N")


def token(name: str = "T0K3N", **more: object) -> Behaviour:
    return answer({"access_token": name, "token_type": "bearer", "expires_in": 3600, "scope": "*"} | more)


def found(*posts: dict[str, Any], after: str | None = None) -> bytes:
    children = [{"kind": "t3", "data": post} for post in posts]
    return json.dumps({"kind": "Listing", "data": {"children": children, "after": after}}).encode()


def post(number: int, title: str = "TSLA to the moon", **more: object) -> dict[str, Any]:
    values = {
        "id": f"a{number}",
        "title": title,
        "created_utc": 1_700_000_000.0 + number,
        "selftext": "",
        "author": "me",
    }
    return values | {"permalink": f"/r/stocks/comments/a{number}/x/?ref=search"} | more


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serve() as local:
        local.on(token(), path=TOKEN)
        local.on(answer(found()), path=SEARCH)
        yield local


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(auto=True)


@pytest.fixture
async def provider(server: HttpServer, clock: FakeClock) -> AsyncIterator[Reddit]:
    settings = RedditSettings(
        client_id="MY-ID",
        client_secret="MY-SECRET",  # noqa: S106
        subreddits=("stocks", "wallstreetbets"),
        base_url=server.url,
        token_url=server.url + TOKEN,
    )
    http = Http(clock, limits=Limits(silence=1.0, attempts=1))
    yield Reddit(http, settings, clock)
    await http.close()


def asked(server: HttpServer, path: str) -> list[Any]:
    return [request for request in server.requests if request.path == path]


class TestListing:
    async def test_the_recorded_search_gives_the_posts_that_name_it(self, provider: Reddit, server: HttpServer) -> None:
        recorded = listing()
        submissions = [child["data"] for child in recorded["data"]["children"]]
        server.on(answer(recorded), path=SEARCH)
        page = await provider.page("PRAW", None)
        naming = [s for s in submissions if re.search(r"\bPRAW\b", f"{s['title']} {s['selftext']}")]
        assert 0 < len(naming) < len(submissions) == len(page.items)
        posts = [p for _, p in page.items if p is not None]
        assert [p.id for p in posts] == [s["id"] for s in naming]
        for p, s in zip(posts, naming, strict=True):
            assert (p.author, p.ts.timestamp(), p.source, p.tag) == (s["author"], s["created_utc"], "reddit", None)
            assert p.url == f"https://www.reddit.com{s['permalink'].partition('?')[0]}"
            assert p.text.startswith(s["title"])
        assert [number for number, _ in page.items] == [int(s["id"], 36) for s in submissions]
        assert (page.misfits, page.older) == ([], None)

    async def test_what_is_asked_for(self, provider: Reddit, server: HttpServer) -> None:
        await provider.page("^GSPC", "t3_zzz")
        (request,) = asked(server, SEARCH)
        wanted = {"q": '"GSPC"', "restrict_sr": "on", "sort": "new", "after": "t3_zzz", "limit": "100", "raw_json": "1"}
        assert wanted.items() <= request.params.items()
        assert request.headers["authorization"] == "bearer T0K3N"
        assert re.fullmatch(r"\w+:fintrends-tui:v[\d.]+", request.headers["user-agent"])
        (request,) = asked(server, TOKEN)
        assert request.headers["authorization"] == "Basic " + base64.b64encode(b"MY-ID:MY-SECRET").decode()
        assert request.body == b"grant_type=client_credentials"

    async def test_title_and_text_are_one_with_entities_decoded(self, provider: Reddit, server: HttpServer) -> None:
        server.on(answer(found(post(1, "TSLA &amp; co", selftext="it&#39;s\n\n&#x200B;\n\nup"))), path=SEARCH)
        ((_, it),) = (await provider.page("TSLA", None)).items
        assert it is not None
        assert it.text == "TSLA & co it's up"

    async def test_a_short_symbol_counts_only_as_a_cashtag(self, provider: Reddit, server: HttpServer) -> None:
        server.on(answer(found(post(1, "A PLAN"), post(2, "long $A"), after="t3_a1")), path=SEARCH)
        page = await provider.page("A", None)
        assert [it is not None for _, it in page.items] == [False, True]
        assert page.older == "t3_a1"

    @pytest.mark.parametrize(
        "change",
        [{"id": 3}, {"id": "../x"}, {"title": None}, {"created_utc": "x"}, {"created_utc": 1e300}, {"created_utc": -1}],
        ids=str,
    )
    async def test_one_that_does_not_fit_becomes_a_dead_letter_and_spoils_no_other(
        self, provider: Reddit, server: HttpServer, change: dict[str, Any]
    ) -> None:
        server.on(answer(found(post(1), post(2) | change, post(3))), path=SEARCH)
        page = await provider.page("TSLA", None)
        assert [it.id for _, it in page.items if it] == ["a1", "a3"]
        assert [letter.topic for letter in page.misfits] == ["reddit:TSLA"]

    @pytest.mark.parametrize("field", ["selftext", "author", "permalink"])
    @pytest.mark.parametrize("value", [None, 3, {"x": 1}, []], ids=str)
    async def test_what_is_optional_does_not_take_its_post_with_it(
        self, provider: Reddit, server: HttpServer, field: str, value: object
    ) -> None:
        server.on(answer(found(post(1, **{field: value}))), path=SEARCH)
        page = await provider.page("TSLA", None)
        ((_, it),) = page.items
        assert it is not None and page.misfits == []
        assert (it.text, it.author, it.url == "") == (
            "TSLA to the moon",
            "" if field == "author" else "me",
            field == "permalink",
        )

    @pytest.mark.parametrize("after", [None, 7, "", {}], ids=str)
    async def test_a_cursor_that_is_none_ends_the_listing_and_keeps_its_posts(
        self, provider: Reddit, server: HttpServer, after: Any
    ) -> None:
        server.on(answer(found(post(1), after=after)), path=SEARCH)
        page = await provider.page("TSLA", None)
        assert (len(page.items), page.older) == (1, None)

    async def test_a_hostile_one_is_plain_text_of_bounded_length(self, provider: Reddit, server: HttpServer) -> None:
        hostile = post(
            1,
            "TSLA \x1b[31m\u202e[bold]x[/]",
            selftext="\x1b]0;owned\x07" + "A" * 1_000_000,
            author="\x1b[2Jme",
            permalink="//evil.example/\x1b[2J",
        )
        server.on(answer(found(hostile)), path=SEARCH)
        ((_, it),) = (await provider.page("TSLA", None)).items
        assert isinstance(it, Post)
        assert it.text.startswith("TSLA [bold]x[/] AAAA")
        assert (len(it.text), it.author, it.url) == (4096, "me", "")

    @pytest.mark.parametrize(
        ("behaviour", "error"),
        [
            (answer(CLOUDFLARE, 403), BlockedError),
            (answer(CLOUDFLARE), BlockedError),
            (answer(b'{"kind":"Listing","data":{"chil'), ReplyError),
            (answer(b'{"kind":"Listing","data":{"children":3}}'), ReplyError),
            (answer(b"[]"), ReplyError),
            (answer(b""), ReplyError),
            (truncated(found()), UnavailableError),
            (hang, TimedOutError),
            (answer(b"down", 503), UnavailableError),
        ],
    )
    async def test_what_is_wrong_is_told_apart(
        self, provider: Reddit, server: HttpServer, behaviour: Behaviour, error: type[Exception]
    ) -> None:
        server.on(behaviour, path=SEARCH)
        with pytest.raises(error) as caught:
            await provider.page("TSLA", None)
        assert type(caught.value) is error


class TestToken:
    async def test_one_serves_until_shortly_before_it_expires(
        self, provider: Reddit, server: HttpServer, clock: FakeClock
    ) -> None:
        for _ in range(3):
            await provider.page("TSLA", None)
        assert len(asked(server, TOKEN)) == 1
        clock.jump(3600 - 59)
        await provider.page("TSLA", None)
        assert len(asked(server, TOKEN)) == 2

    @pytest.mark.parametrize("expires", [None, "soon", -1, 1e300, []], ids=str)
    async def test_one_that_does_not_say_how_long_it_lasts_is_good_for_an_hour(
        self, provider: Reddit, server: HttpServer, clock: FakeClock, expires: object
    ) -> None:
        server.on(token(expires_in=expires), path=TOKEN)
        await provider.page("TSLA", None)
        clock.jump(3600 - 61)
        await provider.page("TSLA", None)
        assert len(asked(server, TOKEN)) == 1

    async def test_one_that_is_refused_is_replaced_once(self, provider: Reddit, server: HttpServer) -> None:
        server.on(token("OLD"), token("NEW"), path=TOKEN)
        server.on(answer(b"", 401), answer(found(post(1))), path=SEARCH)
        assert len((await provider.page("TSLA", None)).items) == 1
        assert [r.headers["authorization"] for r in asked(server, SEARCH)] == ["bearer OLD", "bearer NEW"]
        server.on(answer(b"", 401), path=SEARCH)
        with pytest.raises(BlockedError):
            await provider.page("TSLA", None)
        assert len(asked(server, SEARCH)) == 4

    @pytest.mark.parametrize(
        "behaviour",
        [
            answer({"error": "invalid_grant"}),
            answer({"error": 401, "message": "Unauthorized"}),
            answer({"message": "Unauthorized", "error": 401}, 401),
            answer({"error": "unsupported_grant_type"}, 400),
            answer({}),
        ],
    )
    async def test_refused_credentials_are_said_and_not_tried_again(
        self, provider: Reddit, server: HttpServer, behaviour: Behaviour
    ) -> None:
        server.on(behaviour, path=TOKEN)
        with pytest.raises(SourceError, match=r"Reddit refuses the credentials .*REDDIT_CLIENT_ID") as caught:
            await provider.page("TSLA", None)
        assert caught.value.permanent
        assert not any(secret in str(caught.value) for secret in SECRETS)
        assert asked(server, SEARCH) == []

    @pytest.mark.parametrize("behaviour", [answer(CLOUDFLARE, 403), answer(b"{"), answer(b"", 500), hang])
    async def test_what_may_pass_is_no_fault_of_the_credentials(
        self, provider: Reddit, server: HttpServer, behaviour: Behaviour
    ) -> None:
        server.on(behaviour, path=TOKEN)
        with pytest.raises(HttpError) as caught:
            await provider.page("TSLA", None)
        assert not any(secret in str(caught.value) for secret in SECRETS)


class TestRateLimit:
    async def test_when_no_requests_are_left_the_next_waits(
        self, provider: Reddit, server: HttpServer, clock: FakeClock
    ) -> None:
        spent = {"X-Ratelimit-Remaining": "0.0", "X-Ratelimit-Used": "100", "X-Ratelimit-Reset": "120"}
        server.on(answer(found(), headers=spent), answer(found()), path=SEARCH)
        await provider.page("TSLA", None)
        before = clock.monotonic()
        await provider.page("TSLA", None)
        assert clock.monotonic() - before == pytest.approx(120)
        await provider.page("TSLA", None)
        assert clock.monotonic() - before == pytest.approx(120)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-Ratelimit-Remaining": "99.0", "X-Ratelimit-Reset": "120"},
            {"X-Ratelimit-Remaining": "x", "X-Ratelimit-Reset": "y"},
            {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "nan"},
            {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1e99"},
        ],
    )
    async def test_otherwise_nothing_does(
        self, provider: Reddit, server: HttpServer, clock: FakeClock, headers: dict[str, str]
    ) -> None:
        server.on(answer(found(), headers=headers), path=SEARCH)
        for _ in range(2):
            await provider.page("TSLA", None)
        assert clock.monotonic() == 0

    async def test_a_refusal_says_when_to_come_back(self, provider: Reddit, server: HttpServer) -> None:
        server.on(
            answer(b"", 429, {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "33"}),
            answer(b"", 429, {"Retry-After": "44"}),
            path=SEARCH,
        )
        for seconds in (33, 44):
            with pytest.raises(BlockedError) as caught:
                await provider.page("TSLA", None)
            assert caught.value.retry_after == pytest.approx(seconds)
