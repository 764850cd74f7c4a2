"""Looking through the records of a topic from its end, for people."""

import heapq
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from pipeline.bus.base import Bus, Received, TopicPartition
from pipeline.bus.records import entered, stamped
from pipeline.contract.protocol import GetMessages, MessagePage, TopicMessage
from pipeline.model.field_filter import parse_filter
from pipeline.model.text import clean

MAX_MESSAGES: Final = 100
"""Of a page; with the limits below it stays within a frame of the protocol whatever is in the records."""
MAX_SCAN: Final = 20_000
"""Records that one search looks through at most."""

_STEP: Final = 1000
_VALUE_LIMIT: Final = 16 * 1024
_HEADERS: Final = 16


async def browse(bus: Bus, command: GetMessages) -> MessagePage:
    """The page that the command asks for; an empty one if there is no such topic.

    A partition keeps its order, and partitions are merged by the times at which records entered the pipeline. Where
    there is more to see than fits, what is nearest to the end is on the page.

    Raises:
        BusError
    """
    count = max(1, min(command.last, MAX_MESSAGES))
    matches = _matcher(command.contains)
    begins: dict[int, int] = {}
    stop: dict[int, int] = {}
    for where, (begin, end) in (await bus.offsets([command.topic])).items():
        begins[where.partition] = min(max(command.after.get(where.partition, begin), begin), end)
        stop[where.partition] = max(begins[where.partition], min(command.before.get(where.partition, end), end))
    start = dict(stop)
    found: dict[int, list[Received]] = {partition: [] for partition in stop}
    scanned = 0
    while sum(map(len, found.values())) < count and scanned < MAX_SCAN and start != begins:
        step = _STEP if command.contains else count
        for partition, position in start.items():
            back = max(begins[partition], position - step)
            where = TopicPartition(command.topic, partition)
            chunk = [r async for batch in bus.read(where, back, position) for r in batch if matches(r)]
            found[partition] = chunk + found[partition]
            scanned += position - back
            start[partition] = back
    newest_first = list(heapq.merge(*map(reversed, found.values()), key=lambda record: -_entered(record)))
    for record in newest_first[count:]:  # left for the next page, each partition in its order
        start[record.partition] = max(start[record.partition], record.offset + 1)
    return MessagePage([_message(r) for r in newest_first[:count]], start, stop, older=_any_before(start, begins))


def _any_before(start: Mapping[int, int], begins: Mapping[int, int]) -> bool:
    return any(start[partition] > begin for partition, begin in begins.items())


def _matcher(contains: str) -> Callable[[Received], bool]:
    """Whether a record is looked for: by conditions on its fields if it reads like that, else by the text."""
    if (wanted := parse_filter(contains)) is not None:
        return lambda record: wanted.matches(_fields(record))
    needle = contains.casefold()
    return lambda record: (
        needle in record.key.casefold() or needle in record.value.decode("utf-8", "replace").casefold()
    )


def _fields(record: Received) -> dict[str, Any]:
    """Those of the value, where that is a JSON object, and of the record."""
    try:
        value = msgspec.json.decode(record.value)
    except (ValueError, RecursionError):  # others publish here too
        value = None
    own = {"key": record.key, "partition": record.partition, "offset": record.offset}
    return own | (value if isinstance(value, dict) else {})


def _entered(record: Received) -> int:
    """When the record entered the pipeline, in ns; of those that do not say so, their own time."""
    at = entered(record)
    return record.ts * 1_000_000 if at is None else at


def _message(record: Received) -> TopicMessage:
    headers = list(record.headers.items())[:_HEADERS]
    return TopicMessage(
        partition=record.partition,
        offset=record.offset,
        ts=stamped(record),
        key=clean(record.key, 256),
        headers={clean(name, 64): clean(value.decode("utf-8", "replace"), 256) for name, value in headers},
        value=clean(record.value[:_VALUE_LIMIT].decode("utf-8", "replace"), _VALUE_LIMIT),
        size=len(record.value),
    )
