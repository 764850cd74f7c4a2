"""Yahoo's headlines on a ticker, by RSS and without a key.

`/rss/2.0/headline?s=AAPL&region=US&lang=en-US`: about twenty of the newest, each with title, address, time and `guid`,
often a summary, no publisher. Not documented any more, but served; see `docs/sources.md`.
"""

from typing import Final

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import Article, DeadLetter
from pipeline.net.errors import RefusedError
from pipeline.net.http import Http, Permit, unlimited
from pipeline.net.rate_limit import RateLimiter
from pipeline.net.request_budget import RateLimit
from pipeline.sources.base import NotConfiguredError, Source, SourceContext
from pipeline.sources.news import rss
from pipeline.sources.news.article import article, polled
from pipeline.sources.polling.items import (
    BlockedError,
    Page,
    ReplyError,
    UnknownTickerError,
    digest_of,
    misfit,
    web_page,
)
from pipeline.sources.yahoo.symbols import symbol_of

NAME: Final = "yahoo_news"
SPACING: Final = 5.0
"""Seconds between two tickers."""
RATES: Final = (RateLimit(1, 1.0),)
NEWEST: Final = 100
"""Headlines of one page that are looked at."""


def create(context: SourceContext) -> Source:
    """Yahoo's headlines as the settings want them.

    Raises:
        NotConfiguredError: if they are turned off.
    """
    settings = context.settings.yahoo_news
    if not settings.enabled:
        raise NotConfiguredError("turned off (yahoo_news.enabled)")
    limiter = RateLimiter(context.clock, RATES, at_once=1)
    return polled(context, YahooNews(context.http, settings.base_url, context.clock, limiter.permit), SPACING)


class YahooNews:
    """The headlines of symbols."""

    name = NAME

    def __init__(self, http: Http, base_url: str, clock: Clock, permit: Permit = unlimited) -> None:
        """`permit` is awaited before each request that leaves."""
        self._http = http
        self._url = f"{base_url}/rss/2.0/headline"
        self._clock = clock
        self._permit = permit

    async def page(self, ticker: str, older: str | None) -> Page:  # noqa: ARG002
        """The newest headlines; there are no older ones. See `ItemProvider.page`."""
        symbol = symbol_of(ticker)
        params = {"s": symbol, "region": "US", "lang": "en-US"}
        try:
            body = await self._http.get(self._url, params=params, permit=self._permit)
        except RefusedError as error:
            match error.status:
                case 404:
                    raise UnknownTickerError(NAME, f"it does not know {symbol} (404)") from error
                case 401 | 403:
                    raise BlockedError(NAME, f"it denies access for now ({error.status})") from error
                case _:
                    raise
        return read_page(body, ticker, self._clock)


def read_page(body: bytes, ticker: str, clock: Clock) -> Page:
    """The articles in a document; an entry that does not fit becomes a dead letter and spoils no other.

    Raises:
        BlockedError, ReplyError: see `ItemProvider.page`.
    """
    try:
        entries = rss.entries(body)
    except rss.NotAFeedError as error:
        if error.html:
            raise web_page(NAME) from error
        raise ReplyError(NAME, f"the answer is no RSS: {error}") from error
    items: list[tuple[int, Article]] = []
    misfits: list[DeadLetter] = []
    for entry in entries[:NEWEST]:
        try:
            items.append((digest_of((entry.id or entry.url).encode()), _article(entry, ticker)))
        except ValueError as error:
            misfits.append(misfit(NAME, ticker, msgspec.json.encode(entry), str(error), clock))
    return Page(items, misfits)


def _article(entry: rss.FeedEntry, ticker: str) -> Article:
    return article(
        entry.published,
        entry.id,
        entry.title,
        entry.url,
        ticker=ticker,
        summary=entry.summary,
        publisher=entry.publisher,
        source=NAME,
    )
