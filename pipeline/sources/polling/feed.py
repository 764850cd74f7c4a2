"""What sources of posts and of articles have in common: they are asked for each ticker in turn, newest items first."""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pipeline.aio import first_of
from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Article, DeadLetter, Post
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import CircuitOpenError, HttpError, RateLimitedError, UnavailableError
from pipeline.sources.base import HistoryChunk, SourceError, TickerTrouble
from pipeline.sources.polling.items import BlockedError, ItemProvider, Kind, Page, SeenItems, UnknownTickerError
from pipeline.sources.polling.round_robin import RoundRobin

log = logging.getLogger(__name__)

PAGES: Final = 5
"""How far back to look for what was missed since the last time."""
HISTORY_PAGES: Final = 3
UNKNOWN_PAUSE: Final = 86_400.0
"""Seconds until a ticker that the provider did not know is asked for again."""
FAILING_PAUSE: Final = 60.0
"""Seconds until the next try when no ticker at all can be fetched."""
_REMEMBERED_MISFITS: Final = 1000

_IN_WORDS: Final[Mapping[Kind, str]] = {"social": "posts", "news": "news"}


@dataclass(slots=True)
class _Found:
    """What is new on a ticker: the items by number, the numbers of all that was looked at, and what did not fit."""

    items: dict[int, Post | Article] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    misfits: dict[int, DeadLetter] = field(default_factory=dict)

    def messages(self) -> list[AnyMessage]:
        """Oldest first."""
        order = sorted(self.items, key=lambda number: (self.items[number].ts, number))
        return [*(self.items[number] for number in order), *self.misfits.values()]


class PolledSource:
    """A source of posts or news: the provider, asked for each ticker once a period."""

    simulated: bool = False

    def __init__(
        self, provider: ItemProvider, seen: SeenItems, clock: Clock, round_robin: RoundRobin, kind: Kind = "social"
    ) -> None:
        self.name = provider.name
        self._provider = provider
        self._kind = kind
        self._feed = PolledFeed(provider, seen, clock, round_robin, kind)

    def feeds(self) -> Sequence["PolledFeed"]:
        return [self._feed]

    def troubles(self) -> Mapping[str, TickerTrouble]:
        return self._feed.troubles

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """The items of the newest pages.

        Raises:
            SourceError: if they cannot be had. HttpError: if the provider is not available for now.
        """
        found = _Found()
        older: str | None = None
        for _ in range(HISTORY_PAGES):
            try:
                page = await self._provider.page(ticker, older)
            except (UnavailableError, CircuitOpenError):
                raise
            except HttpError as error:
                raise SourceError(f"no {_IN_WORDS[self._kind]} of {ticker}: {error}") from error
            _collect(page, found)
            older = page.older
            if older is None:
                break
        messages = found.messages()
        yield HistoryChunk(messages, len(messages), len(messages))

    async def close(self) -> None:
        """Nothing is held open."""


class PolledFeed:
    """What is new on each ticker.

    A ticker the provider does not know is left out for a day. One that cannot be fetched is tried again at its next
    turn while the others go on; only when none can be fetched, or the provider blocks us, does the feed fail.
    """

    def __init__(
        self, provider: ItemProvider, seen: SeenItems, clock: Clock, round_robin: RoundRobin, kind: Kind = "social"
    ) -> None:
        self.name: Kind = kind
        self.troubles: dict[str, TickerTrouble] = {}
        """Of the tickers that were asked for in vain the last time."""
        self._provider = provider
        self._seen = seen
        self._clock = clock
        self._round_robin = round_robin
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
            ticker, wait = self._round_robin.next(tickers, self._clock.monotonic())
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
        pause, found, why = 0.0, None, ""
        try:
            found = await self._new(ticker)
        except UnknownTickerError as error:
            log.warning("%s is left out for a day: %s", ticker, error)
            pause, why = UNKNOWN_PAUSE, str(error)
            self._unknown.add(ticker)
        except RateLimitedError as error:
            raise BlockedError(error.provider, "too many requests (429)", retry_after=error.retry_after) from error
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
            log.warning("no %s of %s this time: %s", _IN_WORDS[self.name], ticker, error)
            why = str(error)
        else:
            self._unknown.discard(ticker)
            self._failing.clear()
        self._round_robin.asked(ticker, tickers, self._clock.monotonic(), pause)
        self._note(ticker, tickers, why)
        return found

    def _note(self, ticker: str, tickers: Sequence[str], why: str) -> None:
        """Keep why nothing came for the ticker, and forget those that are no longer watched or came."""
        before = self.troubles.pop(ticker, None)
        for gone in self.troubles.keys() - set(tickers):
            del self.troubles[gone]
        if why:
            now = self._clock.now()
            wait = self._round_robin.due(ticker) - self._clock.monotonic()
            self.troubles[ticker] = TickerTrouble(why, before.since if before else now, now + timedelta(seconds=wait))

    async def _new(self, ticker: str) -> _Found:
        """Page back from the newest item to one that is known; on a ticker of which none is, the first page."""
        found = _Found()
        older: str | None = None
        for _ in range(PAGES if self._seen.knows(ticker) else 1):
            page = await self._provider.page(ticker, older)
            _collect(page, found)
            older = page.older
            if older is None or not all(self._seen.is_new(ticker, number) for number, _ in page.items):
                break
        else:
            if self._seen.knows(ticker):
                log.warning(
                    "%s: more new %s on %s than %d pages; older ones are left out",
                    self._provider.name,
                    _IN_WORDS[self.name],
                    ticker,
                    PAGES,
                )
        found.items = {number: item for number, item in found.items.items() if self._seen.is_new(ticker, number)}
        found.misfits = {key: letter for key, letter in found.misfits.items() if key not in self._misfits}
        return found


def _collect(page: Page, found: _Found) -> None:
    found.numbers |= {number for number, _ in page.items}
    found.items |= {number: item for number, item in page.items if item is not None}
    found.misfits |= {letter.offset: letter for letter in page.misfits}
