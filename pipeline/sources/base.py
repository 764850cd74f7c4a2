"""The port that every source fills."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from pipeline.messages import AnyMessage
from pipeline.snapshot import BudgetView
from pipeline.watchlist import Watchlist

FeedName = Literal["market", "news", "social", "economic"]


class SourceError(Exception):
    """The source cannot be used as configured; the message says what to do. Trying again would change nothing."""

    permanent = True


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

    name: FeedName

    def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """Batches of messages for the tickers on the watchlist, whose changes it follows while it runs.

        The next batch is asked for when the last one is acknowledged by the bus, so a slow bus slows the source.
        Ends when the source is exhausted; a live one never does. It is started again when the watchlist changes after
        that, and then streams only what it has not handed out yet. Started anew after a failure, it may repeat itself.
        """


class Source(Protocol):
    """A provider of data."""

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
