"""Publishing the records of dead letters again."""

import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from pipeline.bus.base import Bus, Received, Record, TopicPartition
from pipeline.bus.records import dead_letter
from pipeline.contract.plans import MAX_LETTERS, Letter, Retry, RetryPlan
from pipeline.model.documents import message_in
from pipeline.model.messages import NOWHERE, DeadLetter, UndecodableError, decode
from pipeline.model.times import milliseconds
from pipeline.model.topics import DEAD_LETTER, is_ours, split_topic
from pipeline.store.base import Query, Store

log = logging.getLogger(__name__)

_RUN: Final = 500
"""Records between two that are wanted of a partition which are read with them, instead of asking twice."""


async def plan_retry(bus: Bus, store: Store, operation: Retry) -> RetryPlan:
    """The dead letters that are asked for, oldest first, and what would become of each.

    Raises:
        BusError, StoreError
    """
    wanted: dict[str, DeadLetter] = {}
    more = 0
    async for key, letter in _stored(store):
        chosen = key in operation.keys if operation.keys else operation.reason.casefold() in letter.reason.casefold()
        if chosen and len(wanted) < MAX_LETTERS:
            wanted[key] = letter
        else:
            more += chosen
    records = await _records(bus, wanted)
    return RetryPlan([_judged(key, letter, records.get(key)) for key, letter in wanted.items()], more)


async def retry(bus: Bus, store: Store, plan: RetryPlan) -> str:
    """Publish the records again as planned, and delete their letters once that is done; a sentence for the user.

    Raises:
        BusError, StoreError: between the two, records can be published and their letters still be there; to publish
            them twice changes nothing.
    """
    keys = {letter.key for letter in plan.retried}
    wanted = {key: letter async for key, letter in _stored(store) if key in keys}
    found = await _records(bus, wanted)
    ingested = str(time.time_ns()).encode()
    again = {
        key: Record(r.topic, r.key, r.value, r.ts, {**r.headers, "ingested": ingested}) for key, r in found.items()
    }
    refusals = await bus.publish(list(again.values()))
    refused = {(record.topic, record.value) for record, _ in refusals}
    done = [key for key, record in again.items() if (record.topic, record.value) not in refused]
    await store.delete(DEAD_LETTER, done)
    log.info("published the records of %d dead letters again", len(done))
    told = f"published {len(done):,} of {len(keys):,} records again"
    return f"{told}; refused: {refusals[0].reason}" if refusals else told


async def _stored(store: Store) -> AsyncIterator[tuple[str, DeadLetter]]:
    async for part in store.scan(Query(DEAD_LETTER)):
        for document in part:
            try:
                yield str(document["_id"]), message_in(document, DeadLetter)
            except ValueError as error:  # others put it there
                log.debug("%r is not a dead letter: %s", document.get("_id"), error)


async def _records(bus: Bus, letters: Mapping[str, DeadLetter]) -> dict[str, Record]:
    """The record of each letter, from its topic; where that has it no longer, what the letter itself has of it."""
    standing: defaultdict[TopicPartition, dict[int, str]] = defaultdict(dict)
    for key, letter in letters.items():
        if letter.offset != NOWHERE and is_ours(letter.topic):
            standing[TopicPartition(letter.topic, letter.partition)][letter.offset] = key
    found: dict[str, Record] = {}
    offsets = await bus.offsets({where.topic for where in standing})
    for where, keys in standing.items():
        begin, end = offsets.get(where, (0, 0))
        for start, stop in _runs(sorted(offset for offset in keys if begin <= offset < end)):
            async for batch in bus.read(where, start, stop):
                for record in batch:
                    key = keys.get(record.offset, "")
                    if key and _is_of(record, letters[key]):
                        found[key] = record
    for key, letter in letters.items():
        if key not in found and is_ours(letter.topic):
            found[key] = _from_payload(letter)
    return found


def _runs(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges that hold all of these ascending offsets."""
    runs: list[list[int]] = []
    for offset in offsets:
        if not runs or offset - runs[-1][-1] > _RUN:
            runs.append([])
        runs[-1].append(offset)
    for run in runs:
        yield run[0], run[-1] + 1


def _is_of(record: Received, letter: DeadLetter) -> bool:
    """Not where the topic was deleted since, and another record stands there now."""
    return dead_letter(record, letter.reason, simulated=letter.simulated).payload == letter.payload


def _from_payload(letter: DeadLetter) -> Record:
    ticker = split_topic(letter.topic)[1]
    return Record(letter.topic, ticker or "", letter.payload.encode(), milliseconds(letter.ts))


def _judged(key: str, letter: DeadLetter, record: Record | None) -> Letter:
    told = Letter(key, letter.topic, letter.partition, letter.offset, letter.reason)
    if not is_ours(letter.topic):
        return replace(told, obstacle="stays: its topic is none of ours")
    try:
        decode(letter.topic, b"" if record is None else record.value)
    except UndecodableError as error:
        if isinstance(record, Received):
            return replace(told, obstacle=f"stays: it still cannot be decoded ({error})")
        return replace(told, obstacle="stays: its record is retained no longer, and the letter has a part of it only")
    return told
