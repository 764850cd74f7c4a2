"""Small things that must outlive the process, each one JSON file in the data directory."""

import logging
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)


class StateFile[T: msgspec.Struct]:
    """One struct in one file, replaced as a whole: a reader sees the old content or the new, never a part."""

    def __init__(self, path: Path, type_: type[T]) -> None:
        self._path = path
        self._type = type_

    def load(self) -> T | None:
        """What was saved last; None if nothing was, or nothing that can be read, which the log then says."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=self._type)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:  # ValueError: no JSON, of another shape, or no UTF-8
            log.warning("%s cannot be read and counts for nothing: %s", self._path, error)
            return None

    def save(self, value: T) -> None:
        """Keep it. Being unable to is worth a line in the log and stops nobody: the value lives on in memory."""
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1))
            temporary.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error.strerror)
