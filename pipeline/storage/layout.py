"""How a data directory is laid out, and which namespace was used there last."""

from pathlib import Path
from typing import Final

import msgspec

from pipeline.storage.statefile import StateFile

_NAME: Final = "layout.json"
_VERSION: Final = 2
"""1, of which there is no file, had all data in one place."""


class _Known(msgspec.Struct):
    version: int = 1
    namespace: str | None = None


class Layout:
    """`namespace` is that of the pipeline that runs here or ran last; None if that is not known."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, _Known)
        self._known = self._file.load() or _Known()

    @classmethod
    def of(cls, directory: Path) -> "Layout":
        """That of a data directory."""
        return cls(directory / _NAME)

    @property
    def is_current(self) -> bool:
        """Whether simulated and real data are known to be apart here."""
        return self._known.version >= _VERSION

    @property
    def namespace(self) -> str | None:
        return self._known.namespace

    def migrated(self) -> None:
        """Say that nothing is left of an earlier layout."""
        self._save(_Known(_VERSION, self._known.namespace))

    def remember(self, namespace: str) -> None:
        """Keep the namespace for those who look things up."""
        if namespace != self._known.namespace:
            self._save(_Known(self._known.version, namespace))

    def _save(self, known: _Known) -> None:
        self._known = known
        self._file.save(known)
