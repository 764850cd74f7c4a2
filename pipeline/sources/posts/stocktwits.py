"""Posts from StockTwits, whose public streams need no key and may be closed to us at any time.

https://api.stocktwits.com/developers/docs/api#streams-symbol-docs: `{"response": {"status": 200}, "cursor": {"more":
true, "since": 1, "max": 2}, "messages": […]}`, at most 30 messages, newest first; `max` asks for those below a number,
and 200 requests an hour are allowed. Pages are asked for from the newest back to what is known rather than by `since`,
so that a post that moderation let through late is found, too.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from pipeline.clock import Clock
from pipeline.model.messages import DeadLetter, Post
from pipeline.model.text import clean_html
from pipeline.net.errors import RefusedError
from pipeline.net.http import Http, Permit, unlimited
from pipeline.net.request_budget import Budget, RateLimit
from pipeline.sources.base import NotConfiguredError, Source, SourceContext
from pipeline.sources.outside import moment, text_or_none
from pipeline.sources.polling.feed import PolledSource
from pipeline.sources.polling.items import BlockedError, Page, ReplyError, UnknownTickerError, decoded, misfit
from pipeline.sources.polling.round_robin import RoundRobin
from pipeline.sources.polling.seen import Seen
from pipeline.sources.posts.mentions import cashtag_of

NAME: Final = "stocktwits"
SPACING: Final = 20.0
"""Seconds between two tickers: 180 an hour."""
RATES: Final = (RateLimit(1, 2.0), RateLimit(190, 3600.0))
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
    seen = Seen(context.space / f"{NAME}.json")
    return PolledSource(provider, seen, context.clock, RoundRobin(context.settings.schedule.social, SPACING))


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
        """See `ItemProvider.page`."""
        url = f"{self._base_url}/api/2/streams/symbol/{quote(symbol_of(ticker), safe='')}.json"
        try:
            body = await self._http.get(url, params={} if older is None else {"max": older}, permit=self._permit)
        except RefusedError as error:
            raise _refusal(error.status, error.provider, ticker) or error from error
        return read_page(body, ticker, self._clock)


def symbol_of(ticker: str) -> str:
    """What StockTwits calls the ticker: `BTC.X` for the pair `BTC-USD`."""
    return cashtag_of(ticker)


class _Response(Struct):
    status: int


class _Reply(Struct):
    response: _Response
    messages: list[msgspec.Raw] = []
    cursor: Any = None


class _Message(Struct):
    """A message needs a number, a text and a time; `created_at` has a zone, and may have seconds."""

    id: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    body: str
    created_at: str
    user: Any = None
    entities: Any = None


_TAGS: Final[dict[object, Literal["bullish", "bearish"]]] = {"Bullish": "bullish", "Bearish": "bearish"}
_REPLY: Final = msgspec.json.Decoder(_Reply)
_MESSAGE: Final = msgspec.json.Decoder(_Message)


def read_page(body: bytes, ticker: str, clock: Clock) -> Page:
    """The posts in an answer; a message that does not fit becomes a dead letter and spoils no other.

    Raises:
        UnknownTickerError, BlockedError, ReplyError: see `ItemProvider.page`.
    """
    reply = decoded(_REPLY, body, NAME)
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
    return Page(posts, misfits, _older(reply.cursor, posts))


def _older(cursor: object, posts: Sequence[tuple[int, Post | None]]) -> str | None:
    """What asks for the next page, None on the last: where it does not say from where on, from the oldest of this."""
    if _field(cursor, "more") is not True:
        return None
    below = _field(cursor, "max")
    if isinstance(below, int) and not isinstance(below, bool) and below > 0:
        return str(below)
    return str(min(number for number, _ in posts)) if posts else None


def _field(value: object, name: str) -> object:
    """What an object that may be none holds under that name."""
    return value.get(name) if isinstance(value, dict) else None


def _post(message: _Message, ticker: str) -> tuple[int, Post]:
    author = text_or_none(_field(message.user, "username")) or ""
    tag = text_or_none(_field(_field(message.entities, "sentiment"), "basic"))
    post = Post(
        ticker=ticker,
        ts=moment(message.created_at, None),
        id=str(message.id),
        text=clean_html(message.body),
        author=author,
        url=f"https://stocktwits.com/{quote(author, safe='')}/message/{message.id}" if author else "",
        tag=_TAGS.get(tag),
        source=NAME,
    )
    return message.id, post


def _refusal(status: int, provider: str, ticker: str) -> UnknownTickerError | BlockedError | None:
    """What a status other than 200 means, in the answer or of it."""
    match status:
        case 404:
            return UnknownTickerError(provider, f"it does not know {symbol_of(ticker)} (404)")
        case 401 | 403 | 429:
            return BlockedError(provider, f"it denies access for now ({status})")
        case _:
            return None
