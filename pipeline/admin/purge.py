"""Deleting all of a ticker."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from pipeline.admin.errors import AdminError
from pipeline.admin.offsets import others_on
from pipeline.bus.base import Bus
from pipeline.contract.plans import PurgePlan
from pipeline.model.documents import COLLECTIONS
from pipeline.model.topics import DEAD_LETTER, GROUPS, is_ours, split_topic, topics_of
from pipeline.store.base import SCANNED_AT_ONCE, Query, Store

_PER_TICKER: Final = tuple(name for name in COLLECTIONS if name != DEAD_LETTER)


async def plan_purge(bus: Bus, store: Store, ticker: str, *, watched: bool) -> PurgePlan:
    """What there is of the ticker.

    Raises:
        BusError, StoreError
    """
    topics = set(topics_of(ticker)) & await bus.topics()
    records = dict.fromkeys(sorted(topics), 0)
    for where, (begin, end) in (await bus.offsets(topics)).items():
        records[where.topic] += end - begin
    documents = {name: await store.count(Query(name, ticker=ticker)) for name in _PER_TICKER}
    documents[DEAD_LETTER] = sum([len(keys) async for keys in _letters(store, ticker)])
    return PurgePlan(ticker, watched, records, documents, await others_on(bus, GROUPS) if topics else "")


async def purge(bus: Bus, store: Store, plan: PurgePlan) -> str:
    """Delete it as planned; a sentence for the user. Nobody publishes or processes anything of the ticker meanwhile.

    Raises:
        AdminError: if others may, or some topics may not be deleted.
        BusError, StoreError
    """
    if plan.topics and (why := await others_on(bus, GROUPS)):
        raise AdminError(f"nothing was deleted: {why}")
    if refused := await bus.delete_topics(list(plan.topics)):
        raise AdminError("; ".join(f"{topic} cannot be deleted: {reason}" for topic, reason in refused.items()))
    deleted = 0
    for name in plan.documents:
        if name == DEAD_LETTER:
            deleted += sum([await store.delete(name, keys) async for keys in _letters(store, plan.ticker)])
            continue
        while part := await store.find(Query(name, ticker=plan.ticker, last=SCANNED_AT_ONCE)):
            deleted += await store.delete(name, [document["_id"] for document in part])
    return f"deleted {len(plan.topics)} topics and {deleted:,} documents of {plan.ticker}"


async def _letters(store: Store, ticker: str) -> AsyncIterator[Sequence[str]]:
    """The keys of dead letters whose records stood in topics of the ticker, in parts."""
    async for part in store.scan(Query(DEAD_LETTER)):
        topics = {letter["topic"] for letter in part if isinstance(letter.get("topic"), str)}
        own = {topic for topic in topics if is_ours(topic) and split_topic(topic)[1] == ticker}
        if keys := [letter["_id"] for letter in part if letter.get("topic") in own]:
            yield keys
