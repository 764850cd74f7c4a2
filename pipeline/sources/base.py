"""The port that every source fills, and what a source is made from."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from pipeline.clock import Clock
from pipeline.messages import AnyMessage
from pipeline.settings import Settings
from pipeline.snapshot import BudgetView
from pipeline.watchlist import Watchlist

if TYPE_CHECKING:  # slow to import, and most runs of simulator and replay never need it
    from pipeline.http import Http, Limits

FeedName = Literal["market", "news", "social", "economic"]


class SourceError(Exception):
    """The source cannot be used as configured; the message says what to do. Trying again would change nothing."""

    permanent = True


class NotConfiguredError(SourceError):
    """The source lacks something that only the user can give, such as credentials; the message says what, and where
    to put it. Where the source would only have run beside another, that other runs without it."""


@dataclass(frozen=True, slots=True)
class HistoryChunk:
    """A part of a ticker's history: messages, and how many of how many have now been handed out.

    `total` is 0 until it is known; `note` says what the load waits for, or with the last chunk, what was left out.
    """

    messages: Sequence[AnyMessage]
    done: int
    total: int
    note: str = ""


class Feed(Protocol):
    """One stream of a source; each is run by a producer of its own, so that one can fail alone."""

    @property
    def name(self) -> str:
        """What it is called among the services: a `FeedName`, and beside feeds of others then whose it is."""

    def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """Batches of messages for the tickers on the watchlist, whose changes it follows while it runs.

        The next batch is asked for when the last one is acknowledged by the bus, so a slow bus slows the source.
        Ends when the source is exhausted; a live one never does. It is started again when the watchlist changes after
        that, and then streams only what it has not handed out yet. Started anew after a failure, it may repeat itself.
        What the provider sent and does not fit is handed out as a dead letter, so that it spoils nothing else.
        """


def kind_of(feed: Feed) -> str:
    """What the feed carries, a `FeedName`."""
    return feed.name.partition(" ")[0]


class Source(Protocol):
    """A provider of data. Making one opens nothing: that is left to the first request."""

    name: str
    simulated: bool

    def feeds(self) -> Sequence[Feed]:
        """Its live streams."""

    def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """What it knows of the ticker's past, oldest first.

        Raises:
            SourceError: if it has none; the message says why.
        """

    async def close(self) -> None: ...


@runtime_checkable
class Reporting(Protocol):
    """What a source has besides if its provider limits requests."""

    def budgets(self) -> Sequence[BudgetView]: ...

    def ticker_notes(self) -> Mapping[str, str]:
        """Why a ticker has no data, by ticker."""


@dataclass(frozen=True)
class SourceContext:
    """What a source may need. Files of its own go into `data_dir`, under names that begin with its own; plug-ins are
    looked for in `plugin_dir`, after everything that is installed. `limits` are those of `http`, its own by default."""

    settings: Settings
    data_dir: Path
    clock: Clock
    plugin_dir: Path
    limits: "Limits | None" = None

    @cached_property
    def http(self) -> "Http":
        """One client for all sources, made when the first asks for it. No source closes it."""
        from pipeline.http import Http

        return Http(self.clock, limits=self.limits)

    async def close(self) -> None:
        """Close what the sources share."""
        if "http" in self.__dict__:
            await self.http.close()


Factory = Callable[[SourceContext], Source]
"""Makes a source.

Raises:
    SourceError: if it cannot be used as configured.
"""
