"""What the sources of posts have in common: they are asked for each ticker in turn, page by page, newest first."""

import hashlib
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.clock import Clock
from pipeline.http_errors import CircuitOpenError, HttpError, RateLimitedError
from pipeline.messages import AnyMessage, DeadLetter, Post
from pipeline.sources.base import FeedName, HistoryChunk, SourceError
from pipeline.sources.rota import Rota
from pipeline.sources.seen import Seen
from pipeline.supervisor import first_of
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)

PAGES: Final = 5
"""How far back to look for what was missed since the last time."""
HISTORY_PAGES: Final = 3
UNKNOWN_PAUSE: Final = 86_400.0
"""Seconds until a ticker that the provider did not know is asked for again."""
BLOCKED_PAUSE: Final = 1800.0
"""Seconds to leave a provider alone that refuses to talk and does not say for how long."""
FAILING_PAUSE: Final = 60.0
"""Seconds until the next try when no ticker at all can be fetched."""
_REMEMBERED_MISFITS: Final = 1000


class ReplyError(HttpError):
    """The provider answered with something else than what it promises."""


class BlockedError(HttpError):
    """The provider refuses to talk to us at all for now; `retry_after` says when to try again."""

    def __init__(self, provider: str, cause: str, *, retry_after: float | None = None) -> None:
        super().__init__(provider, cause, retry_after=BLOCKED_PAUSE if retry_after is None else retry_after)


class UnknownTickerError(HttpError):
    """The provider does not know the ticker."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a ticker's posts, newest first, each with its number; None in place of one that is of no interest.

    `older` is the cursor of the next page, None on the last.
    """

    posts: Sequence[tuple[int, Post | None]]
    misfits: Sequence[DeadLetter] = ()
    older: str | None = None


class PostProvider(Protocol):
    """Where posts come from. Posts have numbers that grow with the time of posting."""

    name: str

    async def page(self, ticker: str, older: str | None) -> Page:
        """The newest posts on the ticker, or those that the cursor stands for.

        Raises:
            UnknownTickerError: if the provider does not know it.
            BlockedError: if the provider does not talk to us for now.
            SourceError: if the settings keep it from working.
            HttpError: for everything else; only this ticker may be concerned.
        """


@dataclass(slots=True)
class _Found:
    """What is new on a ticker: the posts by number, the numbers of all that was looked at, and what did not fit."""

    posts: dict[int, Post] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    misfits: dict[int, DeadLetter] = field(default_factory=dict)

    def messages(self) -> list[AnyMessage]:
        """Oldest first."""
        return [*(self.posts[number] for number in sorted(self.posts)), *self.misfits.values()]


class PostsSource:
    """A source of posts: the provider, asked for each ticker once a period."""

    simulated: bool = False

    def __init__(self, provider: PostProvider, seen: Seen, clock: Clock, rota: Rota) -> None:
        self.name = provider.name
        self._provider = provider
        self._feed = PostsFeed(provider, seen, clock, rota)

    def feeds(self) -> Sequence["PostsFeed"]:
        return [self._feed]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """The posts of the newest pages.

        Raises:
            SourceError: if they cannot be had.
        """
        found = _Found()
        older: str | None = None
        for _ in range(HISTORY_PAGES):
            try:
                page = await self._provider.page(ticker, older)
            except HttpError as error:
                raise SourceError(f"no posts of {ticker}: {error}") from error
            _collect(page, found)
            older = page.older
            if older is None:
                break
        messages = found.messages()
        yield HistoryChunk(messages, len(messages), len(messages))

    async def close(self) -> None:
        """Nothing is held open."""


class PostsFeed:
    """What is new on each ticker.

    A ticker the provider does not know is left out for a day. One that cannot be fetched is tried again at its next
    turn while the others go on; only when none can be fetched, or the provider blocks us, does the feed fail.
    """

    name: FeedName = "social"

    def __init__(self, provider: PostProvider, seen: Seen, clock: Clock, rota: Rota) -> None:
        self._provider = provider
        self._seen = seen
        self._clock = clock
        self._rota = rota
        self._unknown: set[str] = set()
        self._failing: set[str] = set()
        self._misfits: dict[int, None] = {}

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`.

        Raises:
            SourceError: if the settings keep the provider from working.
            HttpError: if nothing can be had from the provider for now.
        """
        while True:
            version, tickers = watchlist.version, watchlist.tickers
            if not tickers:
                await watchlist.changed_since(version)
                continue
            ticker, wait = self._rota.next(tickers, self._clock.monotonic())
            if wait > 0:
                await first_of(self._clock.sleep(wait), watchlist.changed_since(version))
                continue
            found = await self._ask(ticker, tickers)
            if found is None:
                continue
            if messages := found.messages():
                yield messages
            # Only now are they published; a feed stopped before finds them again.
            self._seen.add(ticker, found.numbers)
            self._misfits |= dict.fromkeys(found.misfits)
            for old in list(self._misfits)[:-_REMEMBERED_MISFITS]:
                del self._misfits[old]

    async def _ask(self, ticker: str, tickers: Sequence[str]) -> _Found | None:
        """What is new on the ticker, which has then had its turn; None if it cannot be had this time."""
        pause, found = 0.0, None
        try:
            found = await self._new(ticker)
        except UnknownTickerError as error:
            log.warning("%s is left out for a day: %s", ticker, error)
            pause = UNKNOWN_PAUSE
            self._unknown.add(ticker)
        except RateLimitedError as error:
            raise BlockedError(error.provider, "asked too often (429)", retry_after=error.retry_after) from error
        except CircuitOpenError as error:
            error.retry_after = max(0.0, (error.until - self._clock.now()).total_seconds())
            raise
        except BlockedError:
            raise
        except HttpError as error:
            self._failing.add(ticker)
            if self._failing | self._unknown >= set(tickers):
                error.retry_after = error.retry_after or FAILING_PAUSE
                raise
            log.warning("no posts of %s this time: %s", ticker, error)
        else:
            self._unknown.discard(ticker)
            self._failing.clear()
        self._rota.asked(ticker, tickers, self._clock.monotonic(), pause)
        return found

    async def _new(self, ticker: str) -> _Found:
        """Page back from the newest post to one that is known; on a ticker of which none is, the first page."""
        found = _Found()
        older: str | None = None
        for _ in range(PAGES if self._seen.knows(ticker) else 1):
            page = await self._provider.page(ticker, older)
            _collect(page, found)
            older = page.older
            if older is None or not all(self._seen.is_new(ticker, number) for number, _ in page.posts):
                break
        else:
            if self._seen.knows(ticker):
                log.warning(
                    "%s: more new posts on %s than %d pages; older ones are left out",
                    self._provider.name,
                    ticker,
                    PAGES,
                )
        found.posts = {number: post for number, post in found.posts.items() if self._seen.is_new(ticker, number)}
        found.misfits = {key: letter for key, letter in found.misfits.items() if key not in self._misfits}
        return found


def misfit(provider: str, ticker: str, item: bytes, reason: str, clock: Clock) -> DeadLetter:
    """A dead letter for an item that is not what the provider promises; the same item always has the same offset."""
    offset = int.from_bytes(hashlib.blake2b(item, digest_size=6).digest())
    return DeadLetter(
        ts=clock.now(),
        topic=f"{provider}:{ticker}",
        partition=0,
        offset=offset,
        reason=reason,
        payload=item[:4096].decode("utf-8", "replace"),
    )


def _collect(page: Page, found: _Found) -> None:
    found.numbers |= {number for number, _ in page.posts}
    found.posts |= {number: post for number, post in page.posts if post is not None}
    found.misfits |= {letter.offset: letter for letter in page.misfits}
