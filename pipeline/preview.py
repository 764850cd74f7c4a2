"""A preview of simulated data while no provider can be reached and nothing live was ever stored here.

It is a pipeline of its own, in the namespace of simulated data, that gives way to the live one as soon as a provider
answers. Whoever uses Kafka or MongoDB, or asks for a source, for one role or for an end, never gets one.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from msgspec.structs import replace

from pipeline.aio import Backoff, first_of
from pipeline.clock import Clock
from pipeline.config.settings import Loaded
from pipeline.config.sources import AUTO
from pipeline.contract.snapshot import ServiceView
from pipeline.model.messages import Bar, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed, Source, kind_of
from pipeline.store.base import Store, StoreError

log = logging.getLogger(__name__)

AFTER: Final = 6.0
"""Seconds without an answer from any provider until the preview begins."""
_LOOK: Final = 0.5
_RETRY: Final = Backoff(initial=10.0, maximum=60.0)


def is_allowed(loaded: Loaded, *, ends_by_itself: bool) -> bool:
    """Whether a run with these settings may show simulated data without having been asked to."""
    settings = loaded.settings
    engines = settings.kafka.bootstrap_servers or settings.mongodb.uri
    whole = {"producer", "processor", "sink"} <= {*settings.pipeline.roles}
    return settings.pipeline.source == AUTO and not engines and whole and not ends_by_itself


def watching(loaded: Loaded, tickers: Watchlist, source: str = AUTO) -> Loaded:
    """The same run from that source, for what is watched now."""
    pipeline = replace(loaded.settings.pipeline, source=source, tickers=list(tickers))
    return replace(loaded, settings=replace(loaded.settings, pipeline=pipeline))


async def until_unreachable(
    services: Callable[[], list[ServiceView]], store: Store, clock: Clock, after: float = AFTER
) -> str:
    """Why no provider of market data can be reached, once none has answered for `after` seconds. Never returns where
    one has answered, or where live data are stored: their last values are shown then, with their age."""
    began = clock.monotonic()
    while True:
        await clock.sleep(_LOOK)
        feeds = [service for service in services() if service.role == "producer" and service.name.startswith("market ")]
        if any(feed.total for feed in feeds) or await _holds_any(store):
            await asyncio.Event().wait()  # it is live, and stays so
        away = [feed for feed in feeds if feed.failing_since is not None and feed.error]
        if away and clock.monotonic() - began >= after:
            return "; ".join(dict.fromkeys(feed.error for feed in away if feed.error))


async def _holds_any(store: Store) -> bool:
    try:
        return bool((await store.counts()).get("stock_data"))
    except StoreError as error:
        log.debug("cannot tell whether anything is stored: %s", error)
        return True  # nothing is made up on a guess


async def until_answered(source: Source, watchlist: Watchlist, clock: Clock) -> None:
    """Until one of the source's feeds of market data gives a price of what is watched. The source is closed then."""
    try:
        feeds = [feed for feed in source.feeds() if kind_of(feed) == "market"]
        await first_of(*(_answered(feed, watchlist, clock) for feed in feeds))
    finally:
        await source.close()


async def _answered(feed: Feed, watchlist: Watchlist, clock: Clock) -> None:
    failures = 0
    while True:
        try:
            async with aclosing(feed.stream(watchlist)) as batches:
                async for batch in batches:
                    if any(isinstance(message, Bar | Quote) for message in batch):
                        return
        except Exception as error:  # whatever it is, the live pipeline will say it
            log.debug("%s: still no answer: %s", feed.name, error)
        failures += 1
        await clock.sleep(_RETRY.delay(failures))
