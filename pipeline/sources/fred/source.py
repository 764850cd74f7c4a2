"""FRED as a source: a feed that looks for new values a few times a day, and the whole series as history."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Final

from pipeline.aio import first_of
from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, DeadLetter, EconomicPoint
from pipeline.model.watchlist import Watchlist
from pipeline.net.errors import CircuitOpenError, HttpError, RateLimitedError
from pipeline.sources.base import Feed, FeedName, HistoryChunk
from pipeline.sources.fred.client import FredClient
from pipeline.sources.fred.replies import SOURCE
from pipeline.sources.fred.series import SERIES, FredSeries

log = logging.getLogger(__name__)

LOOK_BACK: Final = timedelta(days=5 * 366)
"""How far back live values are asked for: as much as publishers correct."""
FAILING_PAUSE: Final = 300.0
"""Seconds until the next try when no series at all can be had, and the provider does not say."""


class FredSource:
    """The eight series that Alpha Vantage gives, from where it has them."""

    name: str = SOURCE
    simulated: bool = False

    def __init__(self, client: FredClient, clock: Clock, period: float) -> None:
        """`period` is in seconds, from one look at a series to the next."""
        self._client = client
        self._feed = EconomicFeed(client, clock, period)
        self._loaded: set[FredSeries] = set()
        self._loading = asyncio.Lock()

    def feeds(self) -> Sequence[Feed]:
        return [self._feed]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:  # noqa: ARG002
        """Every series from its first value on, a chunk each. They are of no ticker: the first load has them all, and a
        later one what the first could not get.

        Raises:
            SourceError: if the key is refused. HttpError: if a series cannot be had, once the others have come.
        """
        async with self._loading:
            wanted = [series for series in SERIES if series not in self._loaded]
            failure: HttpError | None = None
            for done, series in enumerate(wanted, 1):
                messages: list[AnyMessage] = []
                try:
                    points, misfits = await self._client.observations(series)
                    messages = [*points, *misfits]
                except HttpError as error:
                    failure = error
                yield HistoryChunk(messages, done, len(wanted))
                if messages:
                    self._loaded.add(series)
            if failure is not None:
                raise failure

    async def close(self) -> None:
        """Nothing is held open."""


class EconomicFeed:
    """What is new or corrected, one series after the other.

    One that cannot be had is tried again at its next turn. Only when none can, the feed fails.
    """

    name: FeedName = "economic"

    def __init__(self, client: FredClient, clock: Clock, period: float) -> None:
        self._client = client
        self._clock = clock
        self._period = period
        self._values: dict[tuple[str, datetime], float | None] = {}
        self._misfits: set[tuple[str, int]] = set()
        self._due: dict[FredSeries, float] = {}
        self._failing: set[FredSeries] = set()
        """Asked for in vain since one was last had."""

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`. The series are of no ticker; all are streamed while anything is watched.

        Raises:
            SourceError: if the key is refused.
            HttpError: if nothing can be had for now.
        """
        while True:
            version = watchlist.version
            if not watchlist:
                await watchlist.changed_since(version)
                continue
            series = min(SERIES, key=lambda series: self._due.get(series, 0.0))
            wait = self._due.get(series, 0.0) - self._clock.monotonic()
            if wait > 0:
                await first_of(self._clock.sleep(wait), watchlist.changed_since(version))
                continue
            found = await self._ask(series)
            if found:
                yield found
            # Only now are they published; a feed stopped before finds them again.
            for message in found:
                if isinstance(message, EconomicPoint):
                    self._values[message.series, message.ts] = message.value
                elif isinstance(message, DeadLetter):
                    self._misfits.add((message.topic, message.offset))
            self._due[series] = self._clock.monotonic() + self._period

    async def _ask(self, series: FredSeries) -> Sequence[AnyMessage]:
        """What is new in the series, nothing if it cannot be had this time."""
        try:
            since = (self._clock.now() - LOOK_BACK).date()
            points, misfits = await self._client.observations(series, since)
        except RateLimitedError as error:
            error.retry_after = error.retry_after or FAILING_PAUSE
            raise
        except CircuitOpenError as error:
            error.retry_after = max(0.0, (error.until - self._clock.now()).total_seconds())
            raise
        except HttpError as error:
            self._failing.add(series)
            if len(self._failing) == len(SERIES):
                error.retry_after = error.retry_after or FAILING_PAUSE
                raise
            log.warning("no values of %s this time: %s", series.name, error)
            return []
        self._failing.clear()
        return [*self._new(points), *self._unknown(misfits)]

    def _new(self, points: Sequence[EconomicPoint]) -> list[EconomicPoint]:
        """Those whose value is another than the one handed out last."""
        return [p for p in points if self._values.get((p.series, p.ts), "none yet") != p.value]

    def _unknown(self, misfits: Sequence[DeadLetter]) -> list[DeadLetter]:
        return [letter for letter in misfits if (letter.topic, letter.offset) not in self._misfits]
