"""Messages as bus records, and back."""

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from pipeline.bus.base import Received, Record
from pipeline.messages import AnyMessage, DeadLetter, UndecodableError, decode, encode, key_of, schema_of, topic_of

log = logging.getLogger(__name__)

_PAYLOAD_LIMIT: Final = 2048
_TS_LIMIT: Final = 253_339_228_800_000
"""The year 9998: producers that are not ours may stamp anything."""


def record_of(message: AnyMessage) -> Record:
    """The message as a record of its topic, stamped with the event's time and that of its entry (`ingested`, ns)."""
    return Record(
        topic=topic_of(message),
        key=key_of(message),
        value=encode(message),
        ts=round(message.ts.timestamp() * 1000),
        headers={"schema": schema_of(message).encode(), "ingested": str(time.time_ns()).encode()},
    )


def records_of(messages: Iterable[AnyMessage]) -> list[Record]:
    return [record_of(message) for message in messages]


def age_of(record: Record) -> float | None:
    """Seconds since the record entered the bus, by its header `ingested`; None where a producer that is not ours left
    it out, or a clock stands before it."""
    try:
        age = (time.time_ns() - int(record.headers["ingested"])) / 1e9
    except (KeyError, ValueError):
        return None
    return age if age >= 0 else None


def decode_all(batch: Sequence[Received]) -> tuple[list[tuple[Received, AnyMessage]], list[DeadLetter]]:
    """The records that decode, with their messages, and a dead letter for each of the others."""
    good: list[tuple[Received, AnyMessage]] = []
    bad: list[DeadLetter] = []
    for record in batch:
        try:
            good.append((record, decode(record.topic, record.value)))
        except UndecodableError as error:
            bad.append(dead_letter(record, str(error)))
    return good, bad


def dead_letter(record: Received, reason: str) -> DeadLetter:
    """What is kept of a record that cannot be processed."""
    return DeadLetter(
        ts=datetime.fromtimestamp(min(max(record.ts, 0), _TS_LIMIT) / 1000, UTC),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        payload=record.value[:_PAYLOAD_LIMIT].decode("utf-8", "replace"),
    )
