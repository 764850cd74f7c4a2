"""The port that every source implements, and what a source is made from."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from pipeline.clock import Clock
from pipeline.config.settings import Settings
from pipeline.contract.snapshot import BudgetView, ReplayView
from pipeline.model.messages import AnyMessage
from pipeline.model.outage import OutsideError
from pipeline.model.watchlist import Watchlist

if TYPE_CHECKING:  # slow to import, and most runs of simulator and replay never need it
    from pipeline.net.http import Http, Limits

FeedName = Literal["market", "news", "social", "economic"]


class SourceError(OutsideError):
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

        The next batch is asked for when the last one is acknowledged by the bus, so a slow bus slows the source; quotes
        may wait for longer, and of a ticker that has many the last are published (`QuotePacer`). Ends
        when the source is exhausted; a live one never does. It is started again when the watchlist changes after that,
        and then streams only what it has not handed out yet. Restarted after a failure, it may repeat itself. What the
        provider sent and does not fit is handed out as a dead letter, so that it spoils nothing else.
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
    """What a source also has if its provider limits requests."""

    def budgets(self) -> Sequence[BudgetView]: ...

    def ticker_notes(self) -> Mapping[str, str]:
        """Why a ticker has no data, by ticker."""


@dataclass(frozen=True, slots=True)
class TickerTrouble:
    """Why nothing comes for a ticker; times are UTC. Without a `next_try` it is not asked for again until something is
    changed, as for a symbol that the provider does not know."""

    why: str
    since: datetime
    next_try: datetime | None = None


@runtime_checkable
class Serving(Protocol):
    """What a source also has if it can fail for one ticker and serve the others."""

    def troubles(self) -> Mapping[str, TickerTrouble]:
        """The watched tickers that it cannot serve now. One that is out of reach altogether raises in its feeds."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a feed has to do of the work that several share: how many entries it serves. While it fails and nobody
    misses it, `stand_ins` are the sources that serve what it would."""

    entries: int
    stand_ins: Sequence[str] = ()


@runtime_checkable
class Routing(Protocol):
    """What a source also has if others are behind it, of which one serves a ticker at a time."""

    def serving(self, ticker: str) -> Sequence[str]:
        """The names of the ticker's sources of market data: that which serves it now, then those that could."""

    def shares(self) -> Mapping[str, Share]:
        """By the names of the feeds that share their work with others."""


@runtime_checkable
class Replaying(Protocol):
    """What a source also has if it plays what was recorded."""

    def replay(self) -> ReplayView: ...

    def set_replay(self, speed: float | Literal["max"] | None, paused: bool | None, *, step: bool) -> None:
        """Change the speed, or whether it is paused, unless these are None; a `step` goes on to the next bar of one
        that is paused."""


class Found(Protocol):
    """What a search finds: something that can be watched. The texts are clean, and "" where nothing is known."""

    @property
    def ticker(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def exchange(self) -> str: ...
    @property
    def kind(self) -> str: ...


@runtime_checkable
class Searching(Protocol):
    """What a source also has if it finds tickers by name."""

    async def search(self, text: str) -> Sequence[Found]:
        """What can be watched under that name, the best first.

        Raises:
            OutsideError: if no answer came. SourceError: if none of what is behind it can be searched.
        """


@runtime_checkable
class Finite(Protocol):
    """What a source also has if it comes to an end."""

    def failures(self) -> Mapping[str, str]:
        """Of tickers that were to have data and gave none, why. A process that meets one does not end with status 0."""


@dataclass(frozen=True)
class SourceContext:
    """What a source may need. Files of its own go into `data_dir`, under names that begin with its own, or into `space`
    if they are about what has been published, of which each namespace has its own. Plug-ins are looked for in
    `plugin_dir`, after everything that is installed. `limits` are those of `http`, its own by default."""

    settings: Settings
    data_dir: Path
    clock: Clock
    plugin_dir: Path
    limits: "Limits | None" = None

    @property
    def space(self) -> Path:
        """The directory of the user's namespace; simulated data need no files."""
        return self.data_dir / self.settings.pipeline.namespace

    @cached_property
    def http(self) -> "Http":
        """One client for all sources, made when the first asks for it. No source closes it."""
        from pipeline.net.http import Http

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
