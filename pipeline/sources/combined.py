"""Several sources as one."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from msgspec.structs import replace

from pipeline.clock import SystemClock
from pipeline.contract.snapshot import BudgetView
from pipeline.model.messages import AnyMessage
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import (
    Feed,
    Found,
    HistoryChunk,
    Reporting,
    Searching,
    Serving,
    Source,
    SourceError,
    TickerTrouble,
)
from pipeline.sources.first_seen import FirstSeen

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NamedFeed:
    """A feed under the name of its kind and of its provider: two providers of posts are two services."""

    name: str
    feed: Feed
    simulated: bool
    first_seen: FirstSeen

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        async with aclosing(self.feed.stream(watchlist)) as batches:
            async for batch in batches:
                yield self.first_seen.bound(marked(batch, self.simulated))


class CombinedSource:
    """The feeds of all its sources, and the history that each of them knows. The first gives the name."""

    def __init__(
        self,
        sources: Sequence[Source],
        close_shared: Callable[[], Awaitable[None]],
        first_seen: FirstSeen | None = None,
    ) -> None:
        """`close_shared` closes what the sources have in common, once they are closed. `first_seen` bounds the times of
        their items; by default one that forgets with the process.

        Raises:
            SourceError: if two of them have the same name.
        """
        names = [source.name for source in sources]
        if len(set(names)) < len(names):
            raise SourceError(f"two sources have the same name, of {', '.join(names)}")
        self.name = names[0] if names else "none"
        self.simulated = any(source.simulated for source in sources)
        self._sources = sources
        self._close_shared = close_shared
        self._first_seen = first_seen = first_seen or FirstSeen(None, SystemClock())
        self._feeds = [
            NamedFeed(f"{feed.name} {source.name}", feed, source.simulated, first_seen)
            for source in sources
            for feed in source.feeds()
        ]

    def feeds(self) -> Sequence[Feed]:
        return self._feeds

    def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """See `histories`."""
        return histories(ticker, self._sources, self._first_seen)

    def budgets(self) -> Sequence[BudgetView]:
        return budgets_of(self._sources)

    def ticker_notes(self) -> Mapping[str, str]:
        """Of the first source, whose market data is what a ticker's row shows."""
        first = [source for source in self._sources[:1] if isinstance(source, Reporting)]
        return first[0].ticker_notes() if first else {}

    def troubles(self) -> Mapping[str, TickerTrouble]:
        """Of the first source, as `ticker_notes`."""
        first = [source for source in self._sources[:1] if isinstance(source, Serving)]
        return first[0].troubles() if first else {}

    async def search(self, text: str) -> Sequence[Found]:
        """See `Searching`: by the first source that can."""
        return await search(text, self._sources)

    async def close(self) -> None:
        await close_all(self._sources, self._close_shared)


def budgets_of(sources: Iterable[Source]) -> list[BudgetView]:
    """Those of all sources that have any."""
    return [budget for source in sources if isinstance(source, Reporting) for budget in source.budgets()]


async def close_all(sources: Iterable[Source], close_shared: Callable[[], Awaitable[None]]) -> None:
    """Close the sources, and then what they have in common."""
    async with AsyncExitStack() as closing:  # one that cannot be closed keeps none of the others open
        closing.push_async_callback(close_shared)
        for source in sources:
            closing.push_async_callback(source.close)


async def search(text: str, sources: Iterable[Source]) -> Sequence[Found]:
    """What the first source that can be searched finds.

    Raises:
        SourceError: if none can.
    """
    for source in sources:
        if isinstance(source, Searching):
            return await source.search(text)
    raise SourceError("none of the sources can be searched by name; add tickers as they are")


def marked(messages: Sequence[AnyMessage], simulated: bool) -> Sequence[AnyMessage]:
    """What a simulated source gives is simulated, also where its author forgot to say so in each message."""
    if not simulated or all(message.simulated for message in messages):
        return messages
    return [replace(message, simulated=True) for message in messages]


async def histories(ticker: str, sources: Sequence[Source], first_seen: FirstSeen) -> AsyncGenerator[HistoryChunk]:
    """What each source knows of the ticker's past, one after the other. What one after the first cannot give is left
    out, and the last note says so.

    Raises:
        SourceError: if the first source has none, after what the others have.
        Exception: what else the first source raises; at once, if trying again may help.
    """
    done = 0
    notes: list[str] = []
    refusal: Exception | None = None
    for source in sources:
        chunk = HistoryChunk([], 0, 0)
        try:
            async with aclosing(source.history(ticker)) as chunks:
                async for chunk in chunks:
                    total = done + chunk.total if chunk.total else 0
                    note = "; ".join(filter(None, [*notes, chunk.note]))
                    messages = first_seen.bound(marked(chunk.messages, source.simulated))
                    yield HistoryChunk(messages, done + chunk.done, total, note)
        except Exception as error:
            if source is sources[0]:
                if not getattr(error, "permanent", False):
                    raise
                refusal = error
            else:
                log.warning("the history of %s is loaded without %s: %s", ticker, source.name, error)
                notes.append(f"without {source.name}: {error}")
        done += chunk.done
        notes += [chunk.note] if chunk.note else []
    if refusal is not None:
        raise refusal
    if notes:
        yield HistoryChunk([], done, done, "; ".join(notes))
