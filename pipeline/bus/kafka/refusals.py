"""Topics that a cluster refuses, remembered so that it is not asked for each of them again and again."""

import logging
import time
from collections.abc import Callable, Collection
from typing import Final

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 30.0
"""After this long a topic is tried again: access may have been granted meanwhile."""


class RefusedTopics:
    """Which topics were refused, why, and until when they are not tried. Each is logged once, until it works again."""

    def __init__(self, doing: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`doing` is what they refuse, such as "be written"."""
        self._doing = doing
        self._monotonic = monotonic
        self._refused: dict[str, tuple[str, float]] = {}

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._refused)

    def add(self, topic: str, reason: str) -> None:
        told = topic in self._refused
        self._refused[topic] = reason, self._monotonic() + AGAIN_SECONDS
        if not told:
            log.warning("%s cannot %s, the other topics can: %s", topic, self._doing, reason)

    def works(self, topics: Collection[str]) -> None:
        """They are refused no longer."""
        for topic in self._refused.keys() & set(topics):
            del self._refused[topic]
            log.info("%s can %s again", topic, self._doing)

    def among(self, topics: Collection[str]) -> dict[str, str]:
        """Those of the topics that are not to be tried yet, and why."""
        now = self._monotonic()
        found = ((topic, self._refused[topic]) for topic in topics if topic in self._refused)
        return {topic: reason for topic, (reason, until) in found if now < until}

    def clear(self) -> None:
        self._refused.clear()
