"""Yahoo's headlines by real HTTP from a server on this machine."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import Settings
from pipeline.config.sources import YahooNewsSettings
from pipeline.model.messages import Article, DeadLetter, decode, encode, topic_of
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import HttpError, TimedOutError, UnavailableError
from pipeline.net.http import Http
from pipeline.sources.base import NotConfiguredError, Serving, Source, SourceContext, SourceError
from pipeline.sources.news.yahoo_news import NAME, YahooNews, create
from pipeline.sources.polling.feed import UNKNOWN_PAUSE
from pipeline.sources.polling.items import BlockedError, ReplyError, UnknownTickerError
from testkit.data import RECORDED, require
from testkit.fakes import START, FakeClock
from testkit.http_fixtures import LIMITS
from testkit.http_server import Behaviour, HttpServer, answer, hang, reset, truncated
from tests.sources.news.test_rss import BOMB, rss

PATH = "/rss/2.0/headline"


def item(number: int, title: str = "News", time: str = "Wed, 04 Mar 2026 14:00:00 +0000") -> str:
    link = f"<link>https://example.com/{number}</link>"
    return f"<guid>g-{number}</guid><title>{title} {number}</title>{link}<pubDate>{time}</pubDate>"


@pytest.fixture
def provider(server: HttpServer, http: Http) -> YahooNews:
    return YahooNews(http, server.url, FakeClock())


@pytest.fixture
async def started(server: HttpServer, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Callable[[], Source]]:
    """The source as after a start of the pipeline."""
    settings = Settings(yahoo_news=YahooNewsSettings(base_url=server.url))
    context = SourceContext(settings, tmp_path, clock, tmp_path, LIMITS)
    context.space.mkdir(parents=True, exist_ok=True)
    yield lambda: create(context)
    await context.close()


def stream_of(source: Source, *tickers: str) -> Any:
    (feed,) = source.feeds()
    assert feed.name == "news"
    return aclosing(feed.stream(Watchlist(tickers or ("AAPL",))))


class TestPage:
    async def test_the_recorded_headlines(self, provider: YahooNews, server: HttpServer) -> None:
        server.on(answer(require(RECORDED / "providers" / "rss" / "yahoo-headline-AAPL.made.xml").read_bytes()))
        page = await provider.page("AAPL", None)
        articles = [article for _, article in page.items]
        assert [article.id for article in articles] == [
            "11111111-2222-3333-4444-555555555555",
            "66666666-7777-8888-9999-000000000000",
        ]
        assert articles[0].url == "https://finance.yahoo.com/news/example-one-120000123.html?.tsrc=rss"
        assert {(article.source, article.ticker) for article in articles} == {(NAME, "AAPL")}
        assert not page.misfits and page.older is None

    async def test_a_ticker_is_asked_for_as_yahoo_writes_it(self, provider: YahooNews, server: HttpServer) -> None:
        server.on(answer(rss()))
        assert list((await provider.page("BRK.B", None)).items) == []
        (request,) = server.requests
        assert (request.path, request.params) == (PATH, {"s": "BRK-B", "region": "US", "lang": "en-US"})
        assert request.headers["user-agent"].startswith("fintrends-tui/")

    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            ("<title>t</title><link>https://e.com</link>", "no time"),
            (item(1, time="the day after"), "no time"),
            (item(1).replace("News 1", " "), "no title"),
            (item(1).replace("https://example.com/1", "javascript:alert(1)"), "no address"),
            (item(1).replace("https://example.com/1", ""), "no address"),
            (item(1, time="Fri, 01 Jan 0001 00:00:00 +0000"), ""),
        ],
    )
    async def test_one_that_does_not_fit_is_a_dead_letter_and_spoils_no_other(
        self, provider: YahooNews, server: HttpServer, bad: str, why: str
    ) -> None:
        server.on(answer(rss(bad, item(2))))
        page = await provider.page("AAPL", None)
        assert [article.title for _, article in page.items] == ["News 2"]
        (letter,) = page.misfits
        assert letter.topic == "yahoo_news:AAPL" and why in letter.reason
        assert (await provider.page("AAPL", None)).misfits[0].offset == letter.offset

    @pytest.mark.parametrize(
        ("behaviour", "error", "words"),
        [
            (answer(b"Edge: Too Many Requests", 429), HttpError, "status 429"),
            (answer(b"<html>no</html>", 403), BlockedError, "denies access for now .403"),
            (answer(b"", 401), BlockedError, "denies access"),
            (answer(b"Not Found", 404), UnknownTickerError, "it does not know AAPL"),
            (answer(b"bad", 400), HttpError, "status 400"),
            (answer(b"<!DOCTYPE html><html></html>"), BlockedError, "web page"),
            (answer(b"Edge: Too Many Requests"), ReplyError, "no RSS: it is not well-formed"),
            (answer(BOMB), ReplyError, "document type"),
            (answer(rss(item(1))[:-9]), ReplyError, "not well-formed"),
            (answer(rss("<title>" + "A" * 10_000_000 + "</title>")), HttpError, "larger than 1 MiB"),
            (answer(b"", 302, {"Location": "https://consent.example.com/"}), HttpError, "redirects elsewhere"),
            (truncated(rss(item(1))), UnavailableError, "broke off"),
            (reset, UnavailableError, "broke off"),
            (hang, TimedOutError, "silent"),
        ],
    )
    async def test_what_is_wrong_is_told_apart(
        self, provider: YahooNews, server: HttpServer, behaviour: Behaviour, error: type[Exception], words: str
    ) -> None:
        server.on(behaviour)
        with pytest.raises(error, match=words) as caught:
            await provider.page("AAPL", None)
        assert "\n" not in str(caught.value)

    async def test_what_is_hostile_is_plain_text_of_bounded_length(
        self, provider: YahooNews, server: HttpServer
    ) -> None:
        title = "&#27;[31m&lt;script&gt;alert(1)&lt;/script&gt; \u202eevil [bold]x[/] [$AAPL] " + "A" * 100_000
        server.on(answer(rss(item(1, title).replace("&#27;", "\u009b"))))
        ((_, article),) = (await provider.page("AAPL", None)).items
        assert isinstance(article, Article)
        assert len(article.title) == 512 and "alert(1) evil [bold]x[/] [$AAPL] AAAA" in article.title
        assert not set(article.title) & set("\x1b\x9b\u202e<>")
        assert decode(topic_of(article), encode(article)) == article


class TestFeed:
    async def test_only_what_is_new_comes_oldest_first_and_a_restart_repeats_nothing(
        self, started: Callable[[], Source], server: HttpServer, clock: FakeClock
    ) -> None:
        first = "Wed, 04 Mar 2026 09:00:00 +0000"
        server.on(answer(rss(item(2), item(1, time=first))), answer(rss(item(3), item(2), "<title>odd</title>")))
        async with stream_of(started()) as batches:
            assert [article.id for article in await anext(batches)] == ["g-1", "g-2"]
            article, letter = await anext(batches)
            assert article.id == "g-3" and isinstance(letter, DeadLetter)
            assert clock.monotonic() == 1200.0  # schedule.news
            server.on(answer(rss(item(4, time=first), item(3))))
            assert [article.id for article in await anext(batches)] == ["g-4"]  # late, and older than what is known
            server.on(answer(rss(item(5))))
            await anext(batches)
        server.on(answer(rss(item(6), item(5), item(4))))
        async with stream_of(started()) as batches:
            assert [article.id for article in await anext(batches)] == ["g-5", "g-6"]  # 5 was never acknowledged

    async def test_one_ticker_s_trouble_is_nobody_else_s(
        self, started: Callable[[], Source], server: HttpServer, clock: FakeClock
    ) -> None:
        server.on(answer(rss(item(1))))
        server.on(answer(b"", 404), s="NOPE")
        server.on(answer(b"gibberish"), s="ODD")
        source = started()
        assert isinstance(source, Serving)
        async with stream_of(source, "NOPE", "ODD", "AAPL") as batches:
            (article,) = await anext(batches)
            assert article.ticker == "AAPL"
            troubles = source.troubles()
            assert troubles.keys() == {"NOPE", "ODD"}
            assert "does not know NOPE" in troubles["NOPE"].why and "no RSS" in troubles["ODD"].why
            unknown, odd = troubles["NOPE"].next_try, troubles["ODD"].next_try
            assert unknown is not None and (unknown - START).total_seconds() == pytest.approx(UNKNOWN_PAUSE, abs=10)
            assert odd is not None and 1200 <= (odd - START).total_seconds() <= 1600  # its next turn
            server.on(answer(rss(item(2))), s="ODD")
            (article,) = await anext(batches)
            server.on(answer(rss(item(3))), s="AAPL")
            await anext(batches)
            assert (article.ticker, source.troubles().keys()) == ("ODD", {"NOPE"})

    @pytest.mark.parametrize(("behaviour", "pause"), [(answer(b"", 429), 1800.0), (answer(b"<html>", 403), 1800.0)])
    async def test_one_that_refuses_us_is_left_alone_for_a_while(
        self, started: Callable[[], Source], server: HttpServer, behaviour: Behaviour, pause: float
    ) -> None:
        server.on(behaviour)
        async with stream_of(started(), "AAPL", "MSFT") as batches:
            with pytest.raises(BlockedError) as caught:
                await anext(batches)
        assert caught.value.retry_after == pause and not caught.value.permanent
        assert len(server.requests) == 1

    async def test_history_is_what_is_shown(self, started: Callable[[], Source], server: HttpServer) -> None:
        server.on(answer(rss(item(2), item(1))))
        async with aclosing(started().history("AAPL")) as chunks:
            (chunk,) = [chunk async for chunk in chunks]
        assert (len(chunk.messages), chunk.done, chunk.total) == (2, 2, 2)
        server.on(answer(b"", 404))
        with pytest.raises(SourceError, match=r"no news of AAPL: .*does not know"):
            await anext(started().history("AAPL"))


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    context = SourceContext(Settings(yahoo_news=YahooNewsSettings(enabled=False)), tmp_path, FakeClock(), tmp_path)
    with pytest.raises(NotConfiguredError, match=r"yahoo_news\.enabled"):
        create(context)
