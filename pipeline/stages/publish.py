"""Publishing so that a refusal of one topic does not hold up the others."""

import logging
from collections.abc import Iterable, Sequence

from pipeline.bus.base import Bus
from pipeline.bus.records import records_of, refused
from pipeline.model.messages import AnyMessage, DeadLetter
from pipeline.model.topics import DEAD_LETTER

log = logging.getLogger(__name__)


async def publish(bus: Bus, messages: Iterable[AnyMessage]) -> None:
    """Publish them. What is refused, by its topic or for what it is, goes to `dead_letter` with the reason; a dead
    letter that is refused is in the log and nowhere else.

    Raises:
        BusError: if the others are not all acknowledged.
    """
    letters = []
    for record, reason in await bus.publish(records_of(messages)):
        if record.topic == DEAD_LETTER:
            log.error("a dead letter was refused and is only in this log: %s: %.200r", reason, record.value)
        else:
            letters.append(refused(record, reason))
    await send_to_dead_letter(bus, letters)


async def send_to_dead_letter(bus: Bus, letters: Sequence[DeadLetter]) -> None:
    """Publish dead letters.

    Raises:
        BusError: if not all are acknowledged.
    """
    if letters:
        last = letters[-1]
        log.warning("%d records to dead_letter, the last from %s: %s", len(letters), last.topic, last.reason)
        await publish(bus, letters)
