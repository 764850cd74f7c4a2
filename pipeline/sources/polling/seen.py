"""Which items have been handed out already."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from pipeline.storage.statefile import StateFile

REMEMBERED: Final = 500
"""Posts of each ticker that are known one by one."""
RECENT: Final = 200
"""As much for `SeenRecently`."""


class _Newest(Struct):
    """The newest number of each ticker."""

    newest: dict[str, int] = {}


class Seen:
    """The numbers of the posts handed out, by ticker; a provider's numbers grow with the time of posting.

    The newest 500 of a ticker are known one by one, and what is older than all of them counts as seen. Across restarts
    only the newest number is kept, in a small file: so a post that the provider lets through late is found while the
    pipeline runs, and a restart repeats nothing.
    """

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, _Newest)
        self._floor: dict[str, int] = (self._file.load() or _Newest()).newest
        self._numbers: dict[str, set[int]] = {}

    def knows(self, ticker: str) -> bool:
        """Whether anything of the ticker has ever been seen."""
        return ticker in self._floor

    def is_new(self, ticker: str, number: int) -> bool:
        return number > self._floor.get(ticker, 0) and number not in self._numbers.get(ticker, ())

    def add(self, ticker: str, numbers: Iterable[int]) -> None:
        """Count these as seen. To be called once they are published."""
        known = self._numbers.setdefault(ticker, set())
        before = len(known)
        known.update(numbers)
        floor = self._floor.setdefault(ticker, 0)
        if len(known) > REMEMBERED:
            newest = sorted(known)
            self._floor[ticker] = max(floor, newest[-REMEMBERED - 1])
            self._numbers[ticker] = set(newest[-REMEMBERED:])
        if len(known) > before:
            self._write()

    def _write(self) -> None:
        newest = {ticker: max(self._numbers.get(ticker) or [floor]) for ticker, floor in self._floor.items()}
        self._file.save(_Newest(newest))


class _Recent(Struct):
    """The numbers of each ticker, the one seen last at the end."""

    recent: dict[str, list[int]] = {}


class SeenRecently:
    """As `Seen`, for items whose numbers tell nothing of their age.

    The last 200 of a ticker are known one by one, across restarts too; no page of a provider may have more.
    """

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, _Recent)
        recent = (self._file.load() or _Recent()).recent
        self._numbers = {ticker: dict.fromkeys(numbers) for ticker, numbers in recent.items()}

    def knows(self, ticker: str) -> bool:
        """Whether anything of the ticker has ever been seen."""
        return ticker in self._numbers

    def is_new(self, ticker: str, number: int) -> bool:
        return number not in self._numbers.get(ticker, ())

    def add(self, ticker: str, numbers: Iterable[int]) -> None:
        """Count these as seen. To be called once they are published."""
        known = self._numbers.setdefault(ticker, {})
        shown = dict.fromkeys(numbers)
        new = shown.keys() - known.keys()
        for number in shown:
            known.pop(number, None)  # what is still shown stays longer than what is not
            known[number] = None
        for old in list(known)[:-RECENT]:
            del known[old]
        if new:
            self._file.save(_Recent({name: list(kept) for name, kept in self._numbers.items()}))
