"""What the screen remembers from one run to the next."""

from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from pipeline.model.text import clean
from pipeline.model.tickers import InvalidTickerError, parse_tickers
from pipeline.storage.statefile import StateFile

NOTE: Final = 280
"""Characters of a note at most."""


class SavedView(Struct, kw_only=True, frozen=True):
    """What the watchlist shows, and in which order, under a name; see `Arrangement`."""

    filter: str = ""
    group: str = ""
    sort: str = ""
    reverse: bool = False
    then: str = ""
    then_reverse: bool = False


class Remembered(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The choices made on the screen. `groups` are those made there, not those of the settings; `layout` says what
    comes first on a large terminal, `hide_amounts` that nobody is to see what the user holds; `notes` are the user's
    own words on tickers."""

    theme: str = ""
    sort: str = ""
    reverse: bool = False
    then: str = ""
    then_reverse: bool = False
    group: str = ""
    layout: Literal["market", "pipeline"] = "market"
    columns: list[str] = []
    hide_amounts: bool = False
    groups: dict[str, list[str]] = {}
    views: dict[str, SavedView] = {}
    notes: dict[str, str] = {}

    def __post_init__(self) -> None:
        try:
            groups = {name: parse_tickers(tickers) for name, tickers in self.groups.items()}
        except InvalidTickerError as error:
            raise ValueError(f"groups: {error}") from None
        msgspec.structs.force_setattr(self, "groups", groups)
        notes = {ticker: clean(note, NOTE) for ticker, note in self.notes.items()}
        msgspec.structs.force_setattr(self, "notes", notes)


class ScreenMemory:
    """A small JSON file. Without a path, as in tests, nothing outlives the process; nor where it is not to be kept."""

    def __init__(self, path: Path | None = None, *, keeps: bool = True) -> None:
        # Not logged: this process has no log, and its user is present.
        self._file = None if path is None else StateFile(path, Remembered, tell=lambda _: None)
        self._keeps = keeps
        self.now = (self._file and self._file.load()) or Remembered()

    @property
    def problem(self) -> str:
        """Why what was remembered could not be read; empty if it could."""
        return "" if self._file is None else self._file.problem

    def keep(self, **changes: object) -> None:
        """Remember the changes.

        Raises:
            OSError: if they cannot be written; the old file stays whole.
        """
        changed = msgspec.structs.replace(self.now, **changes)
        if changed == self.now:
            return
        self.now = changed
        if self._file is not None and self._keeps:
            self._file.write(changed)
