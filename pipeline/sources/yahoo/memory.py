"""The splits that a ticker's stored bars are adjusted for, across restarts."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from pipeline.model.messages import Split
from pipeline.storage.statefile import StateFile

MEMORY_FILE: Final = "yahoo_splits.json"


_Key = tuple[datetime, float, float]


class _Seen(Struct):
    splits: dict[str, list[_Key]] = {}


class SplitMemory:
    """By ticker, all splits that were seen when its bars were handed out last."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, _Seen)
        self._seen = self._file.load() or _Seen()

    def unseen(self, ticker: str, splits: Iterable[Split]) -> list[Split]:
        """Those that change the prices of bars that were handed out before. None of a ticker that is new."""
        known = self._seen.splits.get(ticker)
        return [] if known is None else [split for split in splits if _key(split) not in known]

    def add(self, ticker: str, splits: Iterable[Split]) -> None:
        """What is handed out from now on, and what has been, is adjusted for these."""
        known = self._seen.splits.get(ticker)
        new = [key for key in map(_key, splits) if known is None or key not in known]
        if known is None or new:
            self._seen.splits[ticker] = [*(known or ()), *new]
            self._file.save(self._seen)


def _key(split: Split) -> _Key:
    return split.ts, split.numerator, split.denominator
