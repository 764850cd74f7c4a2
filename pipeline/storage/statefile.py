"""State that outlives the process, each piece in one JSON file of the data directory."""

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.model.text import clean

log = logging.getLogger(__name__)

ASIDE: Final = ".unreadable-"
"""What the name of a file has after its own, followed by the time, once it has been set aside."""

NEWS: Final = 3600.0
"""Seconds for which a problem with a file is worth a line on the screen."""

_problems: dict[Path, tuple[float, str]] = {}


def problems(directory: Path) -> list[str]:
    """Recent problems of this process with files of the directory."""
    now = time.monotonic()
    return [text for path, (at, text) in _problems.items() if path.parent == directory and now - at < NEWS]


class StateFile[T]:
    """One value in one file, replaced as a whole: a reader sees the old content or the new, never a part.

    A file that cannot be read is never overwritten: damaged, of another shape, not ours to read, or of a newer version
    (with fields that this one does not know). The first write renames it. `problem` is a sentence about that, empty if
    there is none; `tell` receives it too.
    """

    def __init__(self, path: Path, type_: type[T], tell: Callable[[str], object] = log.warning) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(type_)
        self._tell = tell
        self._looked = False
        self._distrusted = False
        self._failing = False
        self.problem = ""

    def load(self) -> T | None:
        """What was saved last; None if nothing was, or nothing that can be read."""
        self._looked = True
        self._distrusted = False
        try:
            text = self._path.read_bytes()
            value = self._decoder.decode(text)
            if unknown := _unknown(msgspec.json.decode(text), msgspec.to_builtins(value)):
                raise ValueError(f"it has the field {unknown}, so a newer version wrote it")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, of another shape, or no UTF-8
            damaged = "" if isinstance(error, OSError) else f" is damaged or of another version: {self._path.name}"
            self._distrust(f"{self._path}{damaged} cannot be read and is ignored", error)
            return None
        return value

    def distrust(self, what: str, why: object) -> None:
        """Have the file that is there set aside before the next is written, for a part of it was not understood."""
        self._distrust(f"{self._path} cannot be read in full, {what}", why)

    def _distrust(self, what: str, why: object) -> None:
        self._distrusted = True
        self._say(f"{what}; it will be renamed, not overwritten, when a new one is written: {clean(str(why), 300)}")

    def save(self, value: T) -> None:
        """Keep it. A failure is logged and stops nothing: the value stays in memory."""
        try:
            self.write(value)
        except OSError as error:
            if not self._failing:
                self._tell(f"{self._path} cannot be written: {error.strerror}")
            self._failing = True
        else:
            self._failing = False

    def write(self, value: T) -> None:
        """Keep it.

        Raises:
            OSError: if it cannot be written, or what is there cannot be set aside; that stays as it is.
        """
        if not self._looked:
            self.load()
        if self._distrusted:
            self._set_aside()
        replace(self._path, msgspec.json.format(msgspec.json.encode(value), indent=1))

    def _set_aside(self) -> None:
        aside = _free(self._path.with_name(f"{self._path.name}{ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"))
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            pass  # another process has moved it
        else:
            self._say(f"{self._path} could not be read and is now {aside.name}")
        self._distrusted = False

    def _say(self, problem: str) -> None:
        self.problem = problem
        _problems[self._path] = time.monotonic(), problem
        self._tell(problem)


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make this the content of the file, whole and on the disk, or leave the old one as it is.

    Raises:
        OSError
    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        if temporary.is_file():
            temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    """Where the file system can: the new name then outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free(path: Path) -> Path:
    """The path, or the first that is free with a number after it."""
    names = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in count(1))
    return next(name for name in names if not os.path.lexists(name))


def _unknown(raw: Any, kept: Any) -> str:
    """The first field that was read over."""
    if isinstance(raw, dict) and isinstance(kept, dict):
        for name, value in raw.items():
            if name not in kept:
                return str(name)
            if found := _unknown(value, kept[name]):
                return found
    if isinstance(raw, list) and isinstance(kept, list):
        return next(filter(None, map(_unknown, raw, kept)), "")
    return ""
