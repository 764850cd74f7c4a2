"""The sink writes every message to its collection."""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence

from pipeline.aio import all_of
from pipeline.bus.base import Bus, Received
from pipeline.bus.records import age_of, dead_letter, decode_all, of_origin
from pipeline.contract.snapshot import CollectionView
from pipeline.model.documents import COLLECTIONS, Document, document_of
from pipeline.model.messages import AnyMessage, DeadLetter
from pipeline.model.topics import DEAD_LETTER, GENERAL, PER_TICKER, SINK_GROUP
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription, consume
from pipeline.stages.publish import send_to_dead_letter
from pipeline.store.base import Store, UpsertResult
from pipeline.supervision.meters import Latency, RateMeter
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)


class WriteMeter:
    """Rate and latency of the writes to one collection, and the delay of what is written."""

    def __init__(self) -> None:
        self.rate = RateMeter()
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
    """Consumes all topics. What cannot be decoded or written becomes a dead letter; it is the only stage that does so,
    because only it reads everything. A dead letter never becomes another: the first that the store refuses would be
    followed by one of itself, and so on without end.

    Records of the other origin (`simulated`, or not) are counted as `set_aside`, and stay where they are: they are
    whole, and may be very many where a bus was used before there were namespaces.
    """

    def __init__(self, bus: Bus, store: Store, watchlist: Watchlist, *, simulated: bool = False) -> None:
        self._simulated = simulated
        self.set_aside = 0
        self._bus = bus
        self._store = store
        self._watchlist = watchlist
        self.meters = {collection: WriteMeter() for collection in COLLECTIONS}
        self.dead_letters = 0

    async def run(self, context: Context) -> None:
        subscription = Subscription(self._bus, self._watchlist, {*PER_TICKER, *GENERAL})
        await consume(self._bus, SINK_GROUP, subscription, self._handle, context)

    async def _handle(self, batch: Sequence[Received]) -> None:
        decoded, dead = decode_all(batch, simulated=self._simulated)
        own = of_origin(decoded, simulated=self._simulated)
        self._count_others(decoded, len(decoded) - len(own))
        origins: dict[int, Received] = {}  # by identity: the key of a document need not be made for that
        by_collection: defaultdict[str, list[Document]] = defaultdict(list)
        for record, message in own:
            document = document_of(message)
            origins[id(document)] = record
            by_collection[document.collection].append(document)
        # All at once: a store that can makes them durable together.
        writes = [self._write(collection, documents) for collection, documents in by_collection.items()]
        for documents, result in zip(by_collection.values(), await all_of(writes), strict=True):
            meter = self.meters[documents[0].collection]
            delay = age_of(origins[id(documents[0])])
            if delay is not None:
                meter.delay.add(delay)
            dead += [
                dead_letter(origins[id(document)], reason, simulated=self._simulated)
                for document, reason in result.rejected
            ]
        await self._send_to_dead_letter(dead)

    async def _write(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        started = time.perf_counter()
        result = await self._store.upsert(collection, documents)
        meter = self.meters[collection]
        meter.latency.add(time.perf_counter() - started)
        meter.rate.add(len(documents) - len(result.rejected))
        return result

    def _count_others(self, decoded: Sequence[tuple[Received, AnyMessage]], count: int) -> None:
        if not count:
            return
        if not self.set_aside:
            topic = next(record.topic for record, message in decoded if message.simulated != self._simulated)
            theirs, ours = ("real", "simulated") if self._simulated else ("simulated", "real")
            log.warning(
                "there are %s data in topics of %s data, such as %s; they are counted and otherwise ignored; "
                "`fintrends-tui doctor` explains why",
                theirs,
                ours,
                topic,
            )
        self.set_aside += count

    async def _send_to_dead_letter(self, dead: list[DeadLetter]) -> None:
        for letter in (letter for letter in dead if letter.topic == DEAD_LETTER):
            log.error("the dead letter at offset %d is not stored: %s", letter.offset, letter.reason)
        await send_to_dead_letter(self._bus, [letter for letter in dead if letter.topic != DEAD_LETTER])
        self.dead_letters += len(dead)
