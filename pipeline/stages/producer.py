"""Producers publish what a feed of the source yields."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NoReturn

from pipeline.aio import first_of
from pipeline.bus.base import Bus, BusError
from pipeline.model.messages import AnyMessage, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed
from pipeline.stages.back_pressure import BackPressure
from pipeline.stages.publish import publish
from pipeline.stages.quote_pacer import QuotePacer
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)


class Producer:
    """Runs one feed for what this process holds of the watchlist, while that is anything.

    Quotes wait their turn in `quotes`. What waits there is published whatever ends the feed, and whoever holds its
    ticker then: a pause, a removal or another owner concern what comes after it.
    """

    def __init__(
        self, feed: Feed, bus: Bus, held: Watchlist, quotes: QuotePacer, pressure: BackPressure | None = None
    ) -> None:
        """With `pressure` the feed, which can wait, is held back while others cannot follow."""
        self._pressure = pressure
        self._feed = feed
        self._bus = bus
        self._held = held
        self._quotes = quotes
        self._exhausted_at: int | None = None

    @property
    def exhausted(self) -> bool:
        """Whether the feed has nothing more to give for what is held now."""
        return not self._held or self._exhausted_at == self._held.version

    async def run(self, context: Context) -> None:
        """Publish until asked to stop. An exhausted feed is asked again when what is held changes."""
        try:
            await first_of(self._follow(context), self._publish_due(context))
        except BusError:
            raise  # what waits is published in the next run
        except Exception:
            await self._publish_quotes(self._quotes.waiting, context)
            raise
        await self._publish_quotes(self._quotes.waiting, context)

    async def _follow(self, context: Context) -> None:
        while not context.stopping.is_set():
            version = self._held.version
            self._exhausted_at = None
            context.ready()
            if self._held:
                await self._take_feed(context)
            if not context.stopping.is_set():
                await self._publish_quotes(self._quotes.waiting, context)
                self._exhausted_at = version
                if self._held:
                    log.info("%s: the source is exhausted", self._feed.name)
                await first_of(context.stopping.wait(), self._held.changed_since(version))

    async def _take_feed(self, context: Context) -> None:
        async with aclosing(taken(self._feed.stream(self._held), context)) as batches:
            async for batch in batches:
                if not self._held:  # all is another's now, also this batch
                    return
                if self._pressure is not None:
                    await self._pressure.wait(len(batch), context.stopping)
                # Publishing is awaited before the next batch is asked for: that is the back-pressure.
                await self._publish(self._quotes.hold(batch), context)
                context.count(len(batch))

    async def _publish_due(self, context: Context) -> NoReturn:
        while True:
            await self._publish_quotes(await self._quotes.due(), context)

    async def _publish_quotes(self, quotes: Sequence[Quote], context: Context) -> None:
        await self._publish(quotes, context)
        self._quotes.published(quotes)

    async def _publish(self, messages: Sequence[AnyMessage], context: Context) -> None:
        if messages:
            with context.effect():
                await publish(self._bus, messages)


async def taken[T](stream: AsyncGenerator[T], context: Context) -> AsyncGenerator[T]:
    """What the stream yields until it ends or the service is asked to stop, held back while the service is paused."""
    async with aclosing(stream):
        while not context.stopping.is_set():
            await context.checkpoint()
            step = asyncio.ensure_future(anext(stream, None))
            await first_of(step, context.stopping.wait())
            item = None if step.cancelled() else step.result()
            if item is None:
                return
            await context.checkpoint()
            yield item
