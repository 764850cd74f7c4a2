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
    NOWHERE,
    AnyMessage,
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

log = logging.getLogger(__name__)

_PAYLOAD_LIMIT: Final = 2048
_TS_LIMIT: Final = 253_339_228_800_000
"""The year 9998: producers that are not ours may stamp anything."""
_INGESTED: Final = re.compile(rb"\d{1,19}")
_FIRST: Final = 10**18
"""September 2001 in nanoseconds: nothing has entered a bus of ours before."""
_NULL: Final = b":null"
_COMPUTED: Final = (IndicatorRow, Forecast)


class _Recent:
    """What was decoded last: most stages of a process read the same records, within moments of each other.

    Two generations, the older of which is dropped as a whole: that costs nothing a record, and needs no lock where
    threads meet.
    """

    def __init__(self, limit: int) -> None:
        """`limit` is the number of messages in a generation."""
        self._limit = limit
        self._young: dict[tuple[str, bytes], AnyMessage] = {}
        self._old: dict[tuple[str, bytes], AnyMessage] = {}

    def decode(self, topic: str, value: bytes) -> AnyMessage:
        """As `decode` of messages, which are immutable and may be shared."""
        key = topic, value
        message = self._young.get(key)
        if message is None:
            message = self._old.get(key)
            if message is None:
                message = decode(topic, value)
            self._keep(key, message)
        return message

    def encoded(self, topic: str, value: bytes, message: IndicatorRow | Forecast) -> None:
        """Take the row for what its value decodes to, which it is: its numbers are floats, and none of them is one that
        JSON does not have, which would be one more null there."""
        if _NULL not in value or value.count(_NULL) == _unknown(message):
            self._keep((topic, value), message)

    def _keep(self, key: tuple[str, bytes], message: AnyMessage) -> None:
        if len(self._young) >= self._limit:
            self._old, self._young = self._young, {}
        self._young[key] = message


def _unknown(message: IndicatorRow | Forecast) -> int:
    """How many of its fields are None."""
    parts = (message, *message.horizons) if isinstance(message, Forecast) else (message,)
    return sum(astuple(part).count(None) for part in parts)


_RECENT: Final = 4096
_recent: Final = _Recent(_RECENT)


def record_of(message: AnyMessage) -> Record:
    """The message as a record of its topic, stamped with the event's time and that of its entry (`ingested`, ns)."""
    return records_of([message])[0]


def records_of(messages: Iterable[AnyMessage]) -> list[Record]:
    """As `record_of`; they enter together, and those of one type share their headers."""
    entry = b"%d" % time.time_ns()
    headers: dict[type[AnyMessage], dict[str, bytes]] = {}
    records = []
    for message in messages:
        type_ = type(message)
        if type_ not in headers:
            headers[type_] = {"schema": schema_name(type_).encode(), "ingested": entry}
        topic, value = topic_of(message), encode(message)
        if isinstance(message, _COMPUTED):  # which this process will read back, and has checked already
            _recent.encoded(topic, value, message)
        ts = round(message.ts.timestamp() * 1000)
        records.append(Record(topic, key_of(message), value, ts, headers[type_]))
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
        try:
            good.append((record, _recent.decode(record.topic, record.value)))
        except UndecodableError as error:
            bad.append(dead_letter(record, str(error), simulated=simulated))
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
