"""No item is newer than the time it was first seen: an item dated in the future would rank first until then."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage, Article, Post
from pipeline.storage.statefile import StateFile

FILE: Final = "first_seen.json"
REMEMBERED: Final = 1000
"""Items of which it is known when they were seen first; the oldest are forgotten."""


class _Times(msgspec.Struct):
    """Seconds since the epoch, by source, ticker and number of the item."""

    seen: dict[str, float] = {}


class FirstSeen:
    """Gives articles and posts that are dated later than now the time at which they were first seen.

    That is remembered across restarts, for a provider sends such an item again with every reply: the same item is the
    same message each time, and does not come to the top again.
    """

    def __init__(self, path: Path | None, clock: Clock) -> None:
        """Without a `path` a restart forgets it."""
        self._file = None if path is None else StateFile(path, _Times)
        self._clock = clock
        self._seen = ((self._file.load() if self._file else None) or _Times()).seen

    def bound(self, messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
        """The messages, none of them an item of a time to come; what is simulated keeps a time of its own."""
        now = self._clock.now()
        before = len(self._seen)
        bounded = [self._bounded(m, now) if isinstance(m, Article | Post) else m for m in messages]
        if len(self._seen) > before:
            for old in list(self._seen)[:-REMEMBERED]:
                del self._seen[old]
            if self._file is not None:
                self._file.save(_Times(self._seen))
        return bounded

    def _bounded(self, item: Article | Post, now: datetime) -> Article | Post:
        key = f"{item.source} {item.ticker} {item.id}"
        if item.simulated or (item.ts <= now and key not in self._seen):
            return item
        first = min(self._seen.setdefault(key, now.timestamp()), now.timestamp())
        return msgspec.structs.replace(item, ts=min(item.ts, datetime.fromtimestamp(first, UTC)))
