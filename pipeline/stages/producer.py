"""Producers publish what a feed of the source yields."""

import asyncio
import logging
from contextlib import aclosing

from pipeline.bus.base import Bus
from pipeline.records import records_of
from pipeline.sources.base import Feed
from pipeline.supervisor import Context, first_of
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)


class Producer:
    """Runs one feed. `exhausted` is set while the feed has nothing more to give for the tickers watched now."""

    def __init__(self, feed: Feed, bus: Bus, watchlist: Watchlist) -> None:
        self._feed = feed
        self._bus = bus
        self._watchlist = watchlist
        self.exhausted = False

    async def run(self, context: Context) -> None:
        """Publish until told to stop. An exhausted feed is asked again when the watchlist changes."""
        while not context.stopping.is_set():
            version = self._watchlist.version
            self.exhausted = False
            context.ready()
            await self._drain_feed(context)
            if not context.stopping.is_set():
                self.exhausted = self._watchlist.version == version
                log.info("%s: the source is exhausted", self._feed.name)
                await first_of(context.stopping.wait(), self._watchlist.changed_since(version))

    async def _drain_feed(self, context: Context) -> None:
        async with aclosing(self._feed.stream(self._watchlist)) as stream:
            while not context.stopping.is_set():
                await context.checkpoint()
                step = asyncio.ensure_future(anext(stream, None))
                await first_of(step, context.stopping.wait())
                batch = None if step.cancelled() else step.result()
                if batch is None:
                    return
                # Publishing is awaited before the next batch is asked for: that is the back-pressure.
                await self._bus.publish(records_of(batch))
                context.count(len(batch))
