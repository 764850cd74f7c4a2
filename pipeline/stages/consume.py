"""The loop that every consuming stage runs: poll, take effect, commit."""

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from pipeline.bus.base import AssignmentListener, Bus, BusError, Consumer, Received
from pipeline.bus.lag import read_lag
from pipeline.bus.records import dead_letter
from pipeline.model.messages import DeadLetter
from pipeline.model.redaction import sentence
from pipeline.model.topics import GENERAL, ours, split_topic, topic_for
from pipeline.model.watchlist import Watchlist
from pipeline.stages.publish import send_to_dead_letter
from pipeline.store.base import StoreError
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)

BATCH: Final = 1000
CAREFUL_BATCH: Final = 50
"""After a failure: an engine that has just come back may not manage a full batch in time, over and over."""
POLL_SECONDS: Final = 0.5
DRAIN_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 10.0
"""How often a stage looks for topics that other processes created."""
HOPELESS: Final = 2 * BATCH
"""If this many records in a row fail, the records are not the cause."""

_OF_THE_MACHINE: Final = (BusError, StoreError, OSError, MemoryError)
"""Errors that are not caused by a record."""

Handle = Callable[[Sequence[Received]], Awaitable[None]]


class Subscription:
    """The topics a stage reads: those of its kinds that exist on the bus or belong to a watched ticker.

    A ticker that is removed keeps its topics, so that what is already in them is still processed.
    """

    def __init__(self, bus: Bus, watchlist: Watchlist, kinds: Collection[str]) -> None:
        self._bus = bus
        self._watchlist = watchlist
        self._kinds = kinds
        self._version = -1
        self._looked = 0.0
        self._known: tuple[int, frozenset[str]] | None = None
        """The version of the watchlist and the topics of the bus that `topics` follow from."""
        self.topics: set[str] = set()

    @property
    def outdated(self) -> bool:
        """Whether the watchlist has changed since the last `refresh`, or that is long enough ago that another process
        may have made topics meanwhile."""
        return self._version != self._watchlist.version or time.monotonic() - self._looked > LOOK_SECONDS

    async def refresh(self) -> set[str]:
        """Look again; return the topics."""
        found = frozenset(await self._bus.topics())
        known, self._known = self._known, (self._watchlist.version, found)
        self._version = self._watchlist.version
        self._looked = time.monotonic()
        if known == self._known:
            return self.topics
        # Of every ticker the bus knows: records derived from its topics may still follow.
        tickers = {*self._watchlist, *filter(None, (split_topic(topic)[1] for topic in ours(found)))}
        self.topics |= {kind for kind in self._kinds if kind in GENERAL}
        self.topics |= {topic_for(kind, t) for kind in self._kinds if kind not in GENERAL for t in tickers}
        return self.topics


async def consume(
    bus: Bus,
    group: str | None,
    subscription: Subscription,
    handle: Handle,
    context: Context,
    listener: AssignmentListener | None = None,
    *,
    whole_topics: bool = False,
) -> None:
    """Hand batches to `handle` and commit each after it returned, until asked to stop; then drain first: what is in the
    partitions that are this consumer's, because other members drain theirs.

    An error of bus or store ends the loop without a commit, so the batch is delivered again. Any other error is an
    error in this program that some record triggers: the records that `handle` fails on go to `dead_letter`, and the
    others take effect. Where nearly all fail, that ends the loop too.
    """
    topics = frozenset(await subscription.refresh())
    consumer = bus.consumer(group, topics, listener, whole_topics=whole_topics)
    skipped = failing = 0
    try:
        context.ready()
        while not (context.stopping.is_set() and context.hurry):
            await context.checkpoint()
            if subscription.outdated and (found := frozenset(await subscription.refresh())) != topics:
                topics = found
                await consumer.subscribe(topics)
            size = CAREFUL_BATCH if context.recovering else BATCH
            batch = await consumer.poll(size, DRAIN_SECONDS if context.stopping.is_set() else POLL_SECONDS)
            if consumer.skipped > skipped:
                context.skip(consumer.skipped - skipped)
                skipped = consumer.skipped
            if batch:
                with context.effect():
                    failed = await _handle_what_can_be(handle, batch)
                    failing = failing + len(failed) if len(failed) == len(batch) else 0
                    if failing > HOPELESS:
                        raise failed[0][1]
                    if group is not None:
                        await send_to_dead_letter(bus, [_letter(record, group, error) for record, error in failed])
                    await _commit(consumer)
                context.count(len(batch))
                continue
            await _commit(consumer)
            if context.stopping.is_set() and (group is None or await _drained(bus, group, consumer)):
                return
    finally:
        await consumer.close()


async def _commit(consumer: Consumer) -> None:
    """Commit how far it has come, also where nothing but the marks of transactions has passed."""
    if reached := consumer.reached:
        await consumer.commit(reached)


async def _drained(bus: Bus, group: str, consumer: Consumer) -> bool:
    assigned = consumer.assigned
    return assigned is not None and await read_lag(bus, group, {where.topic for where in assigned}, assigned) == 0


async def _handle_what_can_be(handle: Handle, batch: Sequence[Received]) -> list[tuple[Received, Exception]]:
    """Let the batch take effect, in halves and again in halves where that fails; return the records that it fails on.

    Raises:
        BusError, StoreError, OSError, MemoryError: as `handle` does.
    """
    try:
        await handle(batch)
    except _OF_THE_MACHINE:
        raise
    except Exception as error:
        log.error("a batch failed unexpectedly; its %d records are tried separately", len(batch), exc_info=error)
    else:
        return []
    failed: list[tuple[Received, Exception]] = []
    parts = [batch] if len(batch) == 1 else [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    while parts:
        part = parts.pop(0)
        try:
            await handle(part)
        except _OF_THE_MACHINE:
            raise
        except Exception as error:
            if middle := len(part) // 2:
                parts[:0] = part[:middle], part[middle:]
            else:
                failed.append((part[0], error))
    return failed


def _letter(record: Received, group: str, error: Exception) -> DeadLetter:
    return dead_letter(record, f"{group} cannot process it, because of an error in this program: {sentence(error)}")
