"""Several sources as one."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from pipeline.messages import AnyMessage
from pipeline.snapshot import BudgetView
from pipeline.sources.base import Feed, HistoryChunk, Reporting, Source, SourceError
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _NamedFeed:
    """A feed under the name of its kind and of its provider: two providers of posts are two services."""

    name: str
    feed: Feed

    def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        return self.feed.stream(watchlist)


class CombinedSource:
    """The feeds of all its sources, and the history that each of them knows. The first gives the name."""

    def __init__(self, sources: Sequence[Source], close_shared: Callable[[], Awaitable[None]]) -> None:
        """`close_shared` closes what the sources have in common, once they are closed.

        Raises:
            SourceError: if two of them have the same name.
        """
        names = [source.name for source in sources]
        if len(set(names)) < len(names):
            raise SourceError(f"two sources have the same name, of {', '.join(names)}")
        self.name = sources[0].name
        self.simulated = any(source.simulated for source in sources)
        self._sources = sources
        self._close_shared = close_shared
        self._feeds = [_NamedFeed(f"{feed.name} {source.name}", feed) for source in sources for feed in source.feeds()]

    def feeds(self) -> Sequence[Feed]:
        return self._feeds

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """One source after the other; what one of the others cannot give is left out, and the last note says so.

        Raises:
            SourceError: if the first source has none, after what the others have.
            Exception: what else the first source raises; at once, if trying again may help.
        """
        done = 0
        notes: list[str] = []
        refusal: Exception | None = None
        for source in self._sources:
            chunk = HistoryChunk([], 0, 0)
            try:
                async with aclosing(source.history(ticker)) as chunks:
                    async for chunk in chunks:
                        total = done + chunk.total if chunk.total else 0
                        note = "; ".join(filter(None, [*notes, chunk.note]))
                        yield HistoryChunk(chunk.messages, done + chunk.done, total, note)
            except Exception as error:
                if source is self._sources[0]:
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

    def budgets(self) -> Sequence[BudgetView]:
        return [budget for source in self._sources if isinstance(source, Reporting) for budget in source.budgets()]

    def ticker_notes(self) -> Mapping[str, str]:
        """Of the first source, whose market data is what a ticker's row shows."""
        return first.ticker_notes() if isinstance(first := self._sources[0], Reporting) else {}

    async def close(self) -> None:
        async with AsyncExitStack() as closing:  # one that cannot be closed keeps none of the others open
            closing.push_async_callback(self._close_shared)
            for source in self._sources:
                closing.push_async_callback(source.close)
