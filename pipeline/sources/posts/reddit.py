"""Posts from Reddit's search, with the credentials of an application (https://www.reddit.com/prefs/apps).

https://www.reddit.com/dev/api#GET_search and https://github.com/reddit-archive/reddit/wiki/OAuth2 (application only).
A listing is `{"kind": "Listing", "data": {"after": "t3_…", "children": [{"kind": "t3", "data": {…}}]}}`, newest first.
"""

import base64
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from pipeline import __version__
from pipeline.clock import Clock
from pipeline.config.sources import RedditSettings
from pipeline.model.messages import DeadLetter, Post
from pipeline.model.text import clean_html
from pipeline.net.errors import RateLimitedError, RefusedError
from pipeline.net.http import Http
from pipeline.sources.base import NotConfiguredError, Source, SourceContext, SourceError
from pipeline.sources.outside import number, number_or_none, text_or_none
from pipeline.sources.polling.feed import PolledSource
from pipeline.sources.polling.items import BlockedError, Page, ReplyError, decoded, misfit
from pipeline.sources.polling.round_robin import RoundRobin
from pipeline.sources.polling.seen import Seen
from pipeline.sources.posts.mentions import names, spoken

NAME: Final = "reddit"
SPACING: Final = 2.0
"""Seconds between two requests; Reddit allows 100 a minute, and says how many are left."""
LIMIT: Final = 100
TOKEN_MARGIN: Final = 60.0
"""Seconds before its end that a token is no longer used."""
TOKEN_LIFETIME: Final = 3600.0
"""Seconds of a token that does not say."""
_Lifetime = Annotated[float, Meta(ge=0, le=366 * 86_400)]


def create(context: SourceContext) -> Source:
    """Reddit as the settings want it.

    Raises:
        NotConfiguredError: if there are no credentials, or no subreddits.
    """
    settings = context.settings.reddit
    if not (settings.client_id and settings.client_secret):
        raise NotConfiguredError("no Reddit credentials (REDDIT_CLIENT_ID, REDDIT_CLIENT_SECRET)")
    if not settings.subreddits:
        raise NotConfiguredError("no subreddits (reddit.subreddits)")
    provider = Reddit(context.http, settings, context.clock)
    seen = Seen(context.space / f"{NAME}.json")
    return PolledSource(provider, seen, context.clock, RoundRobin(context.settings.schedule.social, SPACING))


class Reddit:
    """The search of the configured subreddits."""

    name = NAME

    def __init__(self, http: Http, settings: RedditSettings, clock: Clock) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._agent = settings.user_agent or f"{sys.platform}:fintrends-tui:v{__version__}"
        self._token = ""
        self._token_until = 0.0
        self._not_before = 0.0

    async def page(self, ticker: str, older: str | None) -> Page:
        """See `ItemProvider.page`. One refused token is replaced; a second refusal is an error."""
        try:
            body = await self._search(ticker, older)
        except RateLimitedError as error:
            reset = self._not_before - self._clock.monotonic()
            raise BlockedError(
                NAME, "too many requests (429)", retry_after=error.retry_after or max(0.0, reset) or None
            ) from error
        except RefusedError as error:
            if error.status != 401:
                raise _refusal(error) or error from error
            self._token = ""
            try:
                body = await self._search(ticker, older)
            except RefusedError as again:
                raise _refusal(again) or again from again
        return read_page(body, ticker, self._clock)

    async def _search(self, ticker: str, older: str | None) -> bytes:
        params = {
            "q": f'"{spoken(ticker)}"',
            "restrict_sr": "on",
            "sort": "new",
            "t": "month",
            "type": "link",
            "limit": str(LIMIT),
            "raw_json": "1",
        } | ({} if older is None else {"after": older})
        headers = {"Authorization": f"bearer {await self._valid_token()}", "User-Agent": self._agent}
        url = f"{self._settings.base_url}/r/{'+'.join(self._settings.subreddits)}/search"
        return await self._http.get(url, params=params, headers=headers, permit=self._permit, heard=self._hear)

    async def _valid_token(self) -> str:
        """The token, or a new one where it is about to expire.

        Raises:
            SourceError: if the credentials are refused.
            HttpError
        """
        if self._token and self._clock.monotonic() < self._token_until:
            return self._token
        credentials = base64.b64encode(f"{self._settings.client_id}:{self._settings.client_secret}".encode()).decode()
        try:
            body = await self._http.post(
                self._settings.token_url,
                data={"grant_type": "client_credentials"},
                headers={"Authorization": f"Basic {credentials}", "User-Agent": self._agent},
            )
        except RefusedError as error:
            if error.status in (400, 401):
                raise _bad_credentials(str(error.status)) from error
            raise _refusal(error) or error from error
        try:
            reply = _TOKEN.decode(body)
        except (ValueError, RecursionError) as error:
            raise ReplyError(NAME, f"the answer to the request for a token is not as documented: {error}") from error
        if reply.error or not reply.access_token:
            raise _bad_credentials(str(reply.error or "no token"))
        self._token = reply.access_token
        lifetime = number_or_none(reply.expires_in, _Lifetime)
        self._token_until = self._clock.monotonic() + (TOKEN_LIFETIME if lifetime is None else lifetime) - TOKEN_MARGIN
        return self._token

    async def _permit(self) -> None:
        """Wait where Reddit said that no requests are left."""
        await self._clock.sleep(max(0.0, self._not_before - self._clock.monotonic()))

    def _hear(self, headers: Mapping[str, str]) -> None:
        try:
            remaining = number(headers["x-ratelimit-remaining"])
            reset = number(headers["x-ratelimit-reset"])
        except (KeyError, ValueError):
            return
        if remaining is not None and reset is not None and remaining < 1 and 0 < reset < 3600:
            self._not_before = self._clock.monotonic() + reset


class _Token(Struct):
    access_token: str | None = None
    expires_in: Any = None
    error: Any = None


class _Listed(Struct):
    data: msgspec.Raw


class _ListingData(Struct):
    children: list[msgspec.Raw]
    after: Any = None


class _Listing(Struct):
    data: _ListingData


class _Submission(Struct):
    id: Annotated[str, Meta(pattern="^[0-9a-z]{1,12}$")]
    title: str
    created_utc: Annotated[float, Meta(ge=0, lt=253_339_228_800)]  # the year 9998
    selftext: Any = None
    author: Any = None
    permalink: Any = None


_TOKEN: Final = msgspec.json.Decoder(_Token)
_LISTING: Final = msgspec.json.Decoder(_Listing)
_LISTED: Final = msgspec.json.Decoder(_Listed)
_SUBMISSION: Final = msgspec.json.Decoder(_Submission)


def read_page(body: bytes, ticker: str, clock: Clock) -> Page:
    """The posts in a listing that really name the ticker; what does not fit becomes a dead letter and spoils no other.

    Raises:
        ReplyError, BlockedError: see `ItemProvider.page`.
    """
    listing = decoded(_LISTING, body, NAME)
    posts: list[tuple[int, Post | None]] = []
    misfits: list[DeadLetter] = []
    for raw in listing.data.children:
        try:
            posts.append(_post(_SUBMISSION.decode(_LISTED.decode(raw).data), ticker))
        except (ValueError, RecursionError) as error:
            misfits.append(misfit(NAME, ticker, bytes(raw), str(error), clock))
    return Page(posts, misfits, text_or_none(listing.data.after) or None)


def _post(submission: _Submission, ticker: str) -> tuple[int, Post | None]:
    """The number of the submission, and its post if it names the ticker."""
    number = int(submission.id, 36)
    text = clean_html(f"{submission.title}\n{text_or_none(submission.selftext) or ''}")
    if not names(text, ticker):
        return number, None
    path = (text_or_none(submission.permalink) or "").partition("?")[0]
    post = Post(
        ticker=ticker,
        ts=datetime.fromtimestamp(submission.created_utc, UTC),
        id=submission.id,
        text=text,
        author=text_or_none(submission.author) or "",
        url=f"https://www.reddit.com{path}" if path.startswith("/r/") else "",
        source=NAME,
    )
    return number, post


def _bad_credentials(what: str) -> SourceError:
    return SourceError(
        f"Reddit refuses the credentials ({what}); check REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET against "
        "https://www.reddit.com/prefs/apps"
    )


def _refusal(error: RefusedError) -> BlockedError | None:
    if error.status in (401, 403):
        return BlockedError(error.provider, f"it denies access for now ({error.status})")
    return None
