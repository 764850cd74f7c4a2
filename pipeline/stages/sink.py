"""The sink writes every message to its collection."""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence

from pipeline.bus.base import Bus, Received
from pipeline.documents import COLLECTIONS, Document, document_of
from pipeline.messages import DeadLetter
from pipeline.meters import Latency, Rate
from pipeline.records import age_of, dead_letter, decode_all, records_of
from pipeline.snapshot import CollectionView
from pipeline.stages.consume import Subscription, consume
from pipeline.store.base import Store
from pipeline.supervisor import Context
from pipeline.topics import GENERAL, PER_TICKER, SINK_GROUP
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)


class WriteMeter:
    """Rate and latency of the writes to one collection, and the delay of what is written."""

    def __init__(self) -> None:
        self.rate = Rate()
        self.latency = Latency()
        self.delay = Latency()

    def view(self, name: str, documents: int | None) -> CollectionView:
        return CollectionView(
            name=name,
            per_second=self.rate.per_second(),
            total=self.rate.total,
            documents=documents,
            p50_ms=_ms(self.latency, 0.5),
            p99_ms=_ms(self.latency, 0.99),
            delay_p50_ms=_ms(self.delay, 0.5),
            delay_p99_ms=_ms(self.delay, 0.99),
            spark=self.rate.history(),
        )


def _ms(latency: Latency, q: float) -> float | None:
    seconds = latency.quantile(q)
    return None if seconds is None else seconds * 1000


class Sink:
    """Consumes all topics. What cannot be decoded or written becomes a dead letter; it is the only stage that says so,
    for it is the only one that reads everything."""

    def __init__(self, bus: Bus, store: Store, watchlist: Watchlist) -> None:
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self.meters = {collection: WriteMeter() for collection in COLLECTIONS}
        self.dead_letters = 0

    async def run(self, context: Context) -> None:
        subscription = Subscription(self._bus, self._watchlist, {*PER_TICKER, *GENERAL})
        await consume(self._bus, SINK_GROUP, subscription, self._handle, context)

    async def _handle(self, batch: Sequence[Received]) -> None:
        decoded, dead = decode_all(batch)
        origins: dict[tuple[str, str], Received] = {}
        by_collection: defaultdict[str, list[Document]] = defaultdict(list)
        for record, message in decoded:
            document = document_of(message)
            origins[document.collection, document.id] = record
            by_collection[document.collection].append(document)
        for collection, documents in by_collection.items():
            started = time.perf_counter()
            result = await self._store.upsert(collection, documents)
            meter = self.meters[collection]
            meter.latency.add(time.perf_counter() - started)
            meter.rate.add(len(documents) - len(result.rejected))
            delay = age_of(origins[collection, documents[0].id])
            if delay is not None:
                meter.delay.add(delay)
            dead += [dead_letter(origins[collection, document.id], reason) for document, reason in result.rejected]
        await self._bury(dead)

    async def _bury(self, dead: list[DeadLetter]) -> None:
        if dead:
            await self._bus.publish(records_of(dead))
            self.dead_letters += len(dead)
            log.warning("%d records to dead_letter, the last from %s: %s", len(dead), dead[-1].topic, dead[-1].reason)
