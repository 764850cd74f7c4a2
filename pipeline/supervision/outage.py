"""One outage, from its first failure to its end, and what the log reports of it."""

import logging
from datetime import datetime
from typing import Final

from pipeline.clock import Clock

log = logging.getLogger(__name__)

REPEAT: Final = 3600.0
"""Seconds between two lines in the log about an outage that lasts."""


class Outage:
    """One outage, from its first failure to its end: the number of tries, and what the log reports of it.

    The log has a line at the beginning, one an hour, and one at the end, however often it is tried in between.
    """

    def __init__(self, who: str, clock: Clock) -> None:
        """`who` waits."""
        self._who = who
        self._clock = clock
        self._began = clock.monotonic()
        self._told_at: float | None = None
        self._told: set[str] = set()
        self.since = clock.now()
        self.tries = 0

    def failed(self, what: str, why: str, delay: float, *, refused: bool = False) -> None:
        """One more try failed; the next is `delay` seconds away. `what` names the cause."""
        now = self._clock.monotonic()
        kind = f"{what} {refused}"
        if kind not in self._told:
            self._told.add(kind)
            if refused:
                text = "%s is refused, and is tried again seldom, next in %.0f s: %s"
                log.error(text, self._who, delay, why)
            else:
                log.warning("%s waits, and is tried again until it works, next in %.1f s: %s", self._who, delay, why)
        elif self._told_at is None or now - self._told_at >= REPEAT:
            log.warning("%s still waits, since %s: %s", self._who, _local(self.since), why)
        else:
            log.debug("%s waits, next try in %.1f s: %s", self._who, delay, why)
            return
        self._told_at = now

    def over(self) -> None:
        """It works again."""
        seconds = self._clock.monotonic() - self._began
        log.info("%s goes on; it had waited since %s, for %s", self._who, _local(self.since), _duration(seconds))


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
