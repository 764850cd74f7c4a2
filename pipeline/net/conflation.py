"""What waits for a slow consumer: the latest of what supersedes, and everything else, up to a bound.

A ticker's quote supersedes the one before, and so does a bar that forms what it was before.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from pipeline.model.messages import AnyMessage, Bar, Quote

_BarKey = tuple[str, str, datetime]
"""Ticker, interval and time."""


class Conflation:
    """Between one that puts and one that takes. Quotes never make it full, for there is one of each ticker at most."""

    def __init__(self, most: int) -> None:
        """`most` is the number of messages other than quotes from which on `put` waits."""
        self._most = most
        self._quotes: dict[str, Quote] = {}
        self._forming: dict[_BarKey, Bar] = {}
        self._others: list[AnyMessage] = []
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        return len(self._others) + len(self._forming) >= self._most

    async def put(self, messages: Sequence[AnyMessage]) -> None:
        """Add all of them, then wait until there is room for more."""
        for message in messages:
            match message:
                case Quote():
                    waiting = self._quotes.get(message.ticker)
                    if waiting is None or supersedes(message, waiting):
                        self._quotes[message.ticker] = message
                case Bar(closed=False):
                    self._forming[message.ticker, message.interval, message.ts] = message
                case _:
                    self._others.append(message)
        if messages:
            self._filled.set()
        if self.full:
            self._room.clear()
            await self._room.wait()

    async def wait(self) -> None:
        """Until there is something to take."""
        await self._filled.wait()

    def take(self) -> list[AnyMessage]:
        """All that waits: what is complete first, quotes last."""
        taken = [*self._others, *self._forming.values(), *self._quotes.values()]
        self._others, self._forming, self._quotes = [], {}, {}
        self._filled.clear()
        self._room.set()
        return taken


def supersedes(quote: Quote, other: Quote) -> bool:
    """Whether it is as late as the other, of the same ticker and source, or later."""
    return (quote.revision, quote.ts) >= (other.revision, other.ts)
