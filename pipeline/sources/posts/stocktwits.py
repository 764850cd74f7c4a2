"""Posts from StockTwits, whose public streams need no key and may be closed to us at any time.

https://api.stocktwits.com/developers/docs/api#streams-symbol-docs: `{"response": {"status": 200}, "cursor": {"more":
true, "since": 1, "max": 2}, "messages": […]}`, at most 30 messages, newest first; `max` asks for those below a number,
and 200 requests an hour are allowed. Pages are asked for from the newest back to what is known rather than by `since`,
so that a post that moderation let through late is found, too.
"""

from typing import Annotated, Final, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from pipeline.budget import Budget, Rate
from pipeline.clock import Clock
from pipeline.http import Http, Permit, unlimited
from pipeline.http_errors import RefusedError
from pipeline.messages import DeadLetter, Post, Ts
from pipeline.sources.base import NotConfiguredError, Source, SourceContext
from pipeline.sources.posts import BlockedError, Page, PostsSource, ReplyError, UnknownTickerError, misfit
from pipeline.sources.rota import Rota
from pipeline.sources.seen import Seen
from pipeline.text import clean_html

NAME: Final = "stocktwits"
SPACING: Final = 20.0
"""Seconds between two tickers: 180 an hour."""
RATES: Final = (Rate(1, 2.0), Rate(190, 3600.0))
"""What may leave at most, further pages and initial loads included; a little below the 200 an hour."""
BUDGET_FILE: Final = f"{NAME}_budget.json"


def create(context: SourceContext) -> Source:
    """StockTwits as the settings want it.

    Raises:
        NotConfiguredError: if it is turned off.
    """
    settings = context.settings.stocktwits
    if not settings.enabled:
        raise NotConfiguredError("turned off (stocktwits.enabled)")
    budget = Budget(
        context.data_dir / BUDGET_FILE, context.clock, key="", rates=RATES, per_day=None, zone=ZoneInfo("UTC")
    )
    provider = StockTwits(context.http, settings.base_url, context.clock, budget.permit)
    seen = Seen(context.data_dir / f"{NAME}.json")
    return PostsSource(provider, seen, context.clock, Rota(context.settings.schedule.social, SPACING))


class StockTwits:
    """The streams of symbols."""

    name = NAME

    def __init__(self, http: Http, base_url: str, clock: Clock, permit: Permit = unlimited) -> None:
        """`permit` is awaited before each request that leaves."""
        self._http = http
        self._base_url = base_url
        self._clock = clock
        self._permit = permit

    async def page(self, ticker: str, older: str | None) -> Page:
        """See `PostProvider.page`."""
        url = f"{self._base_url}/api/2/streams/symbol/{quote(symbol_of(ticker), safe='')}.json"
        try:
            body = await self._http.get(url, params={} if older is None else {"max": older}, permit=self._permit)
        except RefusedError as error:
            raise _refusal(error.status, error.provider, ticker) or error from error
        return read_page(body, ticker, self._clock)


def symbol_of(ticker: str) -> str:
    """What StockTwits calls the ticker: `BTC.X` for the pair `BTC-USD`."""
    return f"{ticker.removesuffix('-USD')}.X" if ticker.endswith("-USD") else ticker


class _Response(Struct):
    status: int


class _Cursor(Struct):
    more: bool = False
    max: int | None = None


class _Reply(Struct):
    response: _Response
    messages: list[msgspec.Raw] = []
    cursor: _Cursor | None = None


class _User(Struct):
    username: str


class _Sentiment(Struct):
    basic: str | None = None


class _Entities(Struct):
    sentiment: _Sentiment | None = None


class _Message(Struct):
    id: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    body: str
    created_at: Ts
    user: _User
    entities: _Entities | None = None


_TAGS: Final[dict[str | None, Literal["bullish", "bearish"]]] = {"Bullish": "bullish", "Bearish": "bearish"}
_REPLY: Final = msgspec.json.Decoder(_Reply)
_MESSAGE: Final = msgspec.json.Decoder(_Message)


def read_page(body: bytes, ticker: str, clock: Clock) -> Page:
    """The posts in an answer; a message that does not fit becomes a dead letter and spoils no other.

    Raises:
        UnknownTickerError, BlockedError, ReplyError: see `PostProvider.page`.
    """
    try:
        reply = _REPLY.decode(body)
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
        if body.lstrip().startswith(b"<"):
            raise BlockedError(NAME, "it shows a web page instead of its data, so it blocks programs") from error
        raise ReplyError(NAME, f"the answer is not as documented: {error}") from error
    if reply.response.status != 200:
        cause = f"status {reply.response.status} in its answer"
        raise _refusal(reply.response.status, NAME, ticker) or ReplyError(NAME, cause)
    posts: list[tuple[int, Post | None]] = []
    misfits: list[DeadLetter] = []
    for raw in reply.messages:
        try:
            posts.append(_post(_MESSAGE.decode(raw), ticker))
        except (ValueError, RecursionError) as error:
            misfits.append(misfit(NAME, ticker, bytes(raw), str(error), clock))
    cursor = reply.cursor
    return Page(posts, misfits, str(cursor.max) if cursor is not None and cursor.more and cursor.max else None)


def _post(message: _Message, ticker: str) -> tuple[int, Post]:
    sentiment = message.entities.sentiment if message.entities else None
    author = message.user.username
    post = Post(
        ticker=ticker,
        ts=message.created_at,
        id=str(message.id),
        text=clean_html(message.body),
        author=author,
        url=f"https://stocktwits.com/{quote(author, safe='')}/message/{message.id}",
        tag=_TAGS.get(sentiment.basic) if sentiment else None,
        source=NAME,
    )
    return message.id, post


def _refusal(status: int, provider: str, ticker: str) -> UnknownTickerError | BlockedError | None:
    """What a status other than 200 means, in the answer or of it."""
    match status:
        case 404:
            return UnknownTickerError(provider, f"it does not know {symbol_of(ticker)} (404)")
        case 401 | 403 | 429:
            return BlockedError(provider, f"it does not let us in for now ({status})")
        case _:
            return None
