"""The file of positions: a table `[[lot]]` for each lot.

It is taken apart before it is read, so that a mistake in one lot costs no other; and a change touches only the lines of
the lot that it is about: all else stays as it was written, comments too.
"""

import os
import re
import shlex
import stat
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.model.lots import InvalidLotError, lot_of, table_of
from pipeline.model.positions import Lot
from pipeline.model.text import clean
from pipeline.storage.statefile import replace
from pipeline.system import trust

_LARGEST: Final = 4 * 1024 * 1024
_HEADER: Final = re.compile(r"[ \t]*\[\[[ \t]*lot[ \t]*\]\][ \t]*(?:#.*)?")
_NOTHING: Final = re.compile(r"[ \t]*(?:#.*)?")
_AT: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_BEGINNING: Final = """\
# Your positions, a table [[lot]] for each purchase or sale. Keep the file to yourself: chmod 600.
#
#   ticker    as on the watchlist
#   quantity  of shares or coins as they were on the day; negative for what was sold
#   price     for one, as the exchange quotes it: that of VOD.L in pence
#   date      the day in the exchange's zone; splits after it are counted. Without: in today's shares
#   fees      in all, in the major unit (pounds, not pence); may be left out
#   currency  of price and fees, if it is not that of the exchange; may be left out
#
# Lots of a ticker have one average cost; what is sold leaves at that.
"""


class PositionsError(Exception):
    """The file cannot be changed; the message says why and what to do."""


class WrittenLot(NamedTuple):
    """A lot and the line of the file that it begins on; `text` is what is written of it."""

    lot: Lot
    line: int
    text: str


class PositionBook(NamedTuple):
    """What the file says; in `problems` what is wrong with it, each a sentence that names the file; and `advice` on
    who can read it, empty where there is none."""

    lots: tuple[WrittenLot, ...] = ()
    problems: tuple[str, ...] = ()
    advice: str = ""


class _Part(NamedTuple):
    """The lines of one lot, from its header to the one before the next; `stop` is where what belongs to it ends."""

    start: int
    stop: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "".join(self.lines[self.start : self.stop])


class PositionsFile:
    """Obeyed only if nobody but the user and root can have written it: who writes it decides what is shown and watched.
    It may be changed by hand at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[object, ...] | None = None
        self._book = PositionBook()

    def current(self) -> PositionBook:
        """What the file says now; the same object for as long as it stays as it is. No file is an empty one."""
        try:
            status = self.path.stat()
            seen: tuple[object, ...] = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        except (FileNotFoundError, NotADirectoryError):
            seen = ()
        except OSError as error:
            seen = (error.errno,)
        if seen != self._seen:
            self._seen = seen
            self._book = self._read() if seen else PositionBook()
        return self._book

    def add(self, lot: Lot) -> None:
        """Write one more lot at the end.

        Raises:
            PositionsError
        """
        text = self._text_to_change()
        if text is None:
            text = _BEGINNING
        elif text and not text.endswith(("\n", "\r")):
            text += "\n"
        end = "\r\n" if "\r\n" in text else "\n"
        table = table_of(lot).replace("\n", end)
        self._write(f"{text}{end if text else ''}{table}")

    def remove(self, written: WrittenLot) -> None:
        """Take the lot out, and leave all other lines.

        Raises:
            PositionsError: also if the file says something else there by now.
        """
        lines = (self._text_to_change() or "").splitlines(keepends=True)
        alike = [part for part in _parts(lines) if part.text == written.text]
        if not alike:
            raise PositionsError(f"{self.path} has been changed meanwhile, and this lot is no longer there")
        part = min(alike, key=lambda part: abs(part.start + 1 - written.line))
        start, stop = part.start, part.stop
        if start and not lines[start - 1].strip() and (stop == len(lines) or not lines[stop].strip()):
            start -= 1  # of the blank lines around it one is enough
        self._write("".join([*lines[:start], *lines[stop:]]))

    def _read(self) -> PositionBook:
        if why := trust.distrust(self.path):
            mend = "make it and its directories yours and writable by you only (chmod go-w)"
            return PositionBook(problems=(f"{self.path} is not read because {why}; {mend}",))
        try:
            text, mode = self._content()
        except PositionsError as error:
            return PositionBook(problems=(str(error),))
        lots: list[WrittenLot] = []
        problems = []
        lines = text.splitlines(keepends=True)
        parts = list(_parts(lines))
        before = parts[0].start if parts else len(lines)
        for number, text in enumerate(lines[:before], 1):
            if not _NOTHING.fullmatch(text.strip("\r\n\ufeff")):
                problems.append(f"{self.path}, line {number}: it belongs to no lot; each begins with [[lot]]")
                break
        for part in parts:
            try:
                lots.append(WrittenLot(_lot_in(part), part.start + 1, part.text))
            except InvalidLotError as error:
                line = part.start + 1 + _offset(part, error.key)
                problems.append(f"{self.path}, line {line}: {clean(str(error), 300)}; this lot is left out")
            except _SyntaxError as error:
                line = part.start + error.line
                problems.append(f"{self.path}, line {line}: {clean(str(error), 300)}; this lot is left out")
        is_open = bool(lots) and mode & (stat.S_IRGRP | stat.S_IROTH)
        advice = f"others can read {self.path}; run chmod 600 {shlex.quote(str(self.path))}" if is_open else ""
        return PositionBook(tuple(lots), tuple(problems), advice)

    def _content(self) -> tuple[str, int]:
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                    raise PositionsError(f"{self.path} is not a file of at most {_LARGEST >> 20} MiB")
                return file.read().decode("utf-8"), status.st_mode
        except UnicodeDecodeError:
            raise PositionsError(f"{self.path} is not text in UTF-8; save it as UTF-8") from None
        except OSError as error:
            raise PositionsError(f"{self.path} cannot be read: {error.strerror}") from error

    def _text_to_change(self) -> str | None:
        """None where there is no file yet."""
        there = next(place for place in (self.path, *self.path.absolute().parents) if os.path.lexists(place))
        if why := trust.distrust(there):
            raise PositionsError(f"{self.path} is not changed because {why}")
        return self._content()[0] if there == self.path else None

    def _write(self, text: str) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            real = self.path.resolve()
            mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o600
            replace(real, text.encode("utf-8"), mode)
        except OSError as error:
            raise PositionsError(f"{self.path} cannot be written: {error.strerror}") from error


class _SyntaxError(ValueError):
    """`line` is counted from the header, which is 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _parts(lines: list[str]) -> Iterator[_Part]:
    """The lots. Comments and blank lines at the end of one belong to what follows."""
    starts = [index for index, line in enumerate(lines) if _HEADER.fullmatch(line.strip("\r\n\ufeff"))]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        stop = end
        while stop > start + 1 and _NOTHING.fullmatch(lines[stop - 1].strip("\r\n")):
            stop -= 1
        yield _Part(start, stop, lines)


def _lot_in(part: _Part) -> Lot:
    """The lot of these lines.

    Raises:
        InvalidLotError, _SyntaxError
    """
    count = part.stop - part.start
    try:
        # The line ends of old Macs, which TOML does not know, too.
        text = part.text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        found = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        place = _AT.search(str(error))
        line = int(place[1]) if place and place[1] else count
        raise _SyntaxError(_AT.sub("", str(error)), min(line, count)) from None
    other = next((key for key in found if key != "lot"), None)
    if other is not None:
        raise InvalidLotError(f"{other[:40]!r} is no part of a lot; each begins with [[lot]]", other)
    if len(found["lot"]) > 1:
        raise InvalidLotError("a second lot begins here in another way than by [[lot]]", "lot")
    return lot_of(found["lot"][0])


def _offset(part: _Part, key: str) -> int:
    """How far below the header the key stands; of several the last, which is the one too many."""
    pattern = re.compile(rf"[ \t\[\"']*{re.escape(key)}[\"' \t\]]*(?:=.*)?", re.DOTALL)
    lines = part.lines[part.start : part.stop]
    return max((index for index, line in enumerate(lines) if key and pattern.fullmatch(line.strip("\r\n"))), default=0)
