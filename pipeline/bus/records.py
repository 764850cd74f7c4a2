"""Messages as bus records, and back."""

import logging
import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import astuple

from pipeline.bus.base import Received, Record
from pipeline.model.messages import (
    INTERVALS,
    NOWHERE,
    REVISIONS,
    AnyMessage,
    Bar,
    DeadLetter,
    Forecast,
    IndicatorRow,
    UndecodableError,
    decode,
    encode,
    key_of,
    schema_name,
    topic_of,
)
from pipeline.model.times import milliseconds

log = logging.getLogger(__name__)

_PAYLOAD_LIMIT: Final = 2048
_TS_LIMIT: Final = 253_339_228_800_000
"""The year 9998: producers that are not ours may stamp anything."""
_INGESTED: Final = re.compile(rb"\d{1,19}")
_FIRST: Final = 10**18
"""September 2001 in nanoseconds: nothing has entered a bus of ours before."""
_NULL: Final = b":null"
_TYPES_OF_BAR: Final = frozenset(
    (datetime, bool, str, str, float, float, float, float, volume, currency, bool, int, str)
    for volume in (float, type(None))
    for currency in (str, type(None))
)
"""What a decoder makes of the fields of a bar, in their order."""


def _is_what_it_decodes_to(message: AnyMessage, value: bytes) -> bool:
    """Whether the message is known to be what the value that it was encoded to would be decoded to. That is said of
    bars and of what is computed from them; sources make the others as they like, and there are few."""
    match message:
        case Bar():
            return _is_as_decoded(message)
        case IndicatorRow() | Forecast():
            # Its numbers are floats; if one of them is none that JSON has, there is one more null.
            return _NULL not in value or value.count(_NULL) == _unknown(message)
        case _:
            return False


def _is_as_decoded(bar: Bar) -> bool:
    """Whether it would pass a decoder, which checks what the maker of a message does not: types and limits."""
    return (
        tuple(map(type, astuple(bar))) in _TYPES_OF_BAR
        and bar.interval in INTERVALS
        and (bar.volume or 0.0) >= 0.0
        and 0 <= bar.revision < REVISIONS
        and len(bar.source) > 0
    )


def _unknown(message: IndicatorRow | Forecast) -> int:
    """How many of its fields are None."""
    parts = (message, *message.horizons) if isinstance(message, Forecast) else (message,)
    return sum(astuple(part).count(None) for part in parts)


def record_of(message: AnyMessage) -> Record:
    """The message as a record of its topic, stamped with the event's time and that of its entry (`ingested`, ns)."""
    return records_of([message])[0]


def records_of(messages: Iterable[AnyMessage]) -> list[Record]:
    """As `record_of`; they enter together, and those of one type and key share topic and headers."""
    entry = b"%d" % time.time_ns()
    shared: dict[tuple[type[AnyMessage], str], tuple[str, dict[str, bytes]]] = {}
    records = []
    for message in messages:
        kind = type(message), key_of(message)
        if kind not in shared:
            headers = {"schema": schema_name(kind[0]).encode(), "ingested": entry}
            shared[kind] = topic_of(message), headers
        (topic, headers), value = shared[kind], encode(message)
        record = Record(topic, kind[1], value, milliseconds(message.ts), headers)
        # This process will read back what it has made, and checked already.
        if _is_what_it_decodes_to(message, value):
            record.decoded.message = message
        records.append(record)
    return records


def entered(record: Record) -> int | None:
    """When the record entered the bus, by its header `ingested` (ns); None where a producer that is not ours left it
    out, or put anything else there."""
    ingested = record.headers.get("ingested", b"")
    return int(ingested) if _INGESTED.fullmatch(ingested) else None


def age_of(record: Record) -> float | None:
    """Seconds since the record entered the bus; None where that is not known, or a clock stands before it."""
    at = entered(record)
    return None if at is None or not _FIRST <= at <= (now := time.time_ns()) else (now - at) / 1e9


def stamped(record: Record) -> float:
    """The record's time in seconds since the epoch, or the nearest that is a time at all."""
    return min(max(record.ts, 0), _TS_LIMIT) / 1000


def decode_all(
    batch: Sequence[Received], *, simulated: bool = False
) -> tuple[list[tuple[Received, AnyMessage]], list[DeadLetter]]:
    """The records that decode, with their messages, and a dead letter for each of the others, marked as `simulated`."""
    good: list[tuple[Received, AnyMessage]] = []
    bad: list[DeadLetter] = []
    for record in batch:
        decoded = record.decoded
        message = decoded.message
        if message is None:
            try:
                message = decoded.message = decode(record.topic, record.value)
            except UndecodableError as error:
                bad.append(dead_letter(record, str(error), simulated=simulated))
                continue
        good.append((record, message))
    return good, bad


def of_origin(decoded: Sequence[tuple[Received, AnyMessage]], *, simulated: bool) -> list[tuple[Received, AnyMessage]]:
    """Those that are simulated, or those that are not. The others have no place in this namespace, whoever put them
    there: a pipeline from before namespaces, or a user by hand."""
    return [(record, message) for record, message in decoded if message.simulated == simulated]


def dead_letter(record: Received, reason: str, *, simulated: bool = False) -> DeadLetter:
    """What is kept of a record that cannot be processed."""
    return DeadLetter(
        simulated=simulated,
        ts=datetime.fromtimestamp(stamped(record), UTC),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        payload=record.value[:_PAYLOAD_LIMIT].decode("utf-8", "replace"),
    )


def refused(record: Record, reason: str) -> DeadLetter:
    """What is kept of a record that never got into its topic, and has no place there."""
    nowhere = Received(record.topic, record.key, record.value, record.ts, record.headers, NOWHERE, NOWHERE)
    return dead_letter(nowhere, f"it is not published: {reason}")
