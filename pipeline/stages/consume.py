"""The loop that every consuming stage runs: poll, take effect, commit."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from pipeline.bus.base import AssignmentListener, Bus, Consumer, Received, TopicPartition
from pipeline.supervisor import Context
from pipeline.topics import GENERAL, split_topic, topic_for
from pipeline.watchlist import Watchlist

BATCH: Final = 500
POLL_SECONDS: Final = 0.5
DRAIN_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 10.0
"""How often a stage looks for topics that others made."""

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
        self.topics: set[str] = set()

    @property
    def outdated(self) -> bool:
        """Whether the watchlist has changed since the last `refresh`, or that is long enough ago that another process
        may have made topics meanwhile."""
        return self._version != self._watchlist.version or time.monotonic() - self._looked > LOOK_SECONDS

    async def refresh(self) -> set[str]:
        """Look again; return the topics."""
        self._version = self._watchlist.version
        self._looked = time.monotonic()
        # Of every ticker the bus knows: what is derived from its topics may be yet to come.
        tickers = {*self._watchlist, *filter(None, map(_ticker_of, await self._bus.topics()))}
        self.topics |= {kind for kind in self._kinds if kind in GENERAL}
        self.topics |= {topic_for(kind, t) for kind in self._kinds if kind not in GENERAL for t in tickers}
        return self.topics


def _ticker_of(topic: str) -> str | None:
    try:
        return split_topic(topic)[1]
    except ValueError:
        return None  # somebody else's topic on a shared broker


async def consume(
    bus: Bus,
    group: str | None,
    subscription: Subscription,
    handle: Handle,
    context: Context,
    listener: AssignmentListener | None = None,
) -> None:
    """Hand batches to `handle` and commit each after it returned, until told to stop; then drain first: what is in the
    partitions that are this consumer's, for those of other members are theirs to drain.

    An exception of `handle` ends the loop without a commit, so the batch is delivered again.
    """
    topics = frozenset(await subscription.refresh())
    consumer = bus.consumer(group, topics, listener)
    skipped = 0
    try:
        context.ready()
        while not (context.stopping.is_set() and context.hurry):
            await context.checkpoint()
            if subscription.outdated and (found := frozenset(await subscription.refresh())) != topics:
                topics = found
                await consumer.subscribe(topics)
            batch = await consumer.poll(BATCH, DRAIN_SECONDS if context.stopping.is_set() else POLL_SECONDS)
            if consumer.skipped > skipped:
                context.skip(consumer.skipped - skipped)
                skipped = consumer.skipped
            if batch:
                await handle(batch)
                if group is not None:
                    await consumer.commit(next_offsets(batch))
                context.count(len(batch))
            elif context.stopping.is_set() and (group is None or await _drained(bus, group, consumer)):
                return
    finally:
        await consumer.close()


async def _drained(bus: Bus, group: str, consumer: Consumer) -> bool:
    assigned = consumer.assigned
    return assigned is not None and await lag_of(bus, group, {where.topic for where in assigned}, assigned) == 0


def next_offsets(batch: Sequence[Received]) -> dict[TopicPartition, int]:
    """What to commit once the whole batch has taken effect."""
    positions: dict[TopicPartition, int] = {}
    for record in batch:
        source = record.source
        positions[source] = max(positions.get(source, 0), record.offset + 1)
    return positions


async def lag_of(
    bus: Bus, group: str, topics: Collection[str], within: Collection[TopicPartition] | None = None
) -> int:
    """Records of the topics, or of some partitions of theirs, that the group has yet to commit."""
    # Committed offsets first: taken the other way round, records arriving in between could make a lag negative.
    committed = await bus.committed(group, topics)
    offsets = await bus.offsets(topics)
    return sum(
        max(0, end - max(committed.get(where, 0), begin))
        for where, (begin, end) in offsets.items()
        if within is None or where in within
    )
