"""Quotes on their way to the bus: of each ticker the last, and that so many times a second at most."""

import asyncio
import math
from collections.abc import Sequence
from typing import Final

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, MarketSession, Quote
from pipeline.net.conflation import supersedes

_LOOKS: Final = 4
"""Times in the pause between two quotes of a ticker that those of all tickers are looked at, to publish them
together."""
_ROUNDING: Final = 1e-6
"""Seconds: four quarters of a pause are a whole one."""

_Key = tuple[str, str, MarketSession | None]
"""Ticker, source and part of the day: the last price of regular trading is wanted, whatever comes after the close."""


class QuotePacer:
    """Between a feed and the bus. A quote waits until it is said to be published, or a later one takes its place.

    Holds one quote of each ticker, source and part of the day at most, so that a feed need not wait for room.
    """

    def __init__(self, clock: Clock, per_second: float = math.inf) -> None:
        """`per_second` is the most of each that become due; infinite for all, none of which then waits."""
        self._clock = clock
        self._pause = 1 / per_second
        self._waiting: dict[_Key, Quote] = {}
        self._filled = asyncio.Event()
        self._published: dict[_Key, float] = {}
        """When one was found due, of those for which that is less than a pause ago."""
        self._looked = -math.inf

    @property
    def waiting(self) -> Sequence[Quote]:
        return list(self._waiting.values())

    def hold(self, messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
        """Take the quotes; returned is what need not wait."""
        if not self._pause:
            return messages
        others: list[AnyMessage] = []
        for message in messages:
            if not isinstance(message, Quote):
                others.append(message)
            elif (waiting := self._waiting.get(key := _key(message))) is None or supersedes(message, waiting):
                self._waiting[key] = message
        if self._waiting:
            self._filled.set()
        return others

    async def due(self) -> Sequence[Quote]:
        """Those that may be published, as soon as there are any."""
        while True:
            await self._filled.wait()
            rest = self._looked + self._pause / _LOOKS - self._clock.monotonic()
            if rest > 0:
                await self._clock.sleep(rest)
            self._looked = now = self._clock.monotonic()
            latest = now - self._pause + _ROUNDING
            self._published = {key: at for key, at in self._published.items() if at > latest}
            if due := [quote for key, quote in self._waiting.items() if key not in self._published]:
                return due

    def published(self, quotes: Sequence[Quote]) -> None:
        """Say that these need not wait any longer, as of when `due` returned last."""
        for quote in quotes:
            key = _key(quote)
            self._published[key] = self._looked
            if self._waiting.get(key) is quote:
                del self._waiting[key]
        if not self._waiting:
            self._filled.clear()


def _key(quote: Quote) -> _Key:
    return quote.ticker, quote.source, quote.session
