"""Terminals that cannot show Unicode: which they are, and everything drawn in ASCII for them."""

import re
import sys
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SAME: Final = {
    ord(character): replacement
    for characters, replacement in (
        ("─━═╌┄┈", "-"),
        ("│┃║▌▐▊▎▏▕╎┆┊╷╵", "|"),
        ("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛╔╗╚╝┿┷┯", "+"),
        ("▲↑△⇧", "^"),
        ("▼↓▽▾", "v"),
        ("◆●■", "*"),
        ("○◌", "o"),
        ("±", "~"),
        ("→▸", ">"),
        ("←◂", "<"),
        ("↻", "~"),
        ("✓", "+"),
        ("✗", "x"),
        ("‖", "="),
        ("⏎", "<"),
        ("…", "."),
        ("–—‐‑−", "-"),
        ("·•∙", "."),
        ("‘’′", "'"),
        ("“”″", '"'),
        # What rises in eight steps rises in weight; textual draws the edges of input fields with the first.
        *zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True),
        ("▔▀", "-"),
        ("░▒▓", "."),
        ("₀₁₂₃₄₅₆₇₈₉", "?"),  # no digits of the number: see `_TINY`
    )
    for character in characters
}
_TINY: Final = re.compile(r"0\.0([₀-₉]+)(\d+)")
"""A number with so many zeros after the point: 0.0₅28 is 0.0000028, and not 0.0528."""
_BRAILLE: Final = range(0x2800, 0x2900)
_DOTS: Final = " ..::**##"
"""By how many of its eight dots are set."""


def speaks_utf8(environ: Mapping[str, str], *, utf8_mode: bool = bool(sys.flags.utf8_mode)) -> bool:
    """Whether the locale that the environment names is one of UTF-8; without any it is the C locale, which is not.

    Where Python finds the C locale it sets LC_CTYPE itself and turns on its UTF-8 mode (PEP 538, PEP 540), so that its
    own encodings say nothing about the terminal.
    """
    set_by_python = utf8_mode and "PYTHONUTF8" not in environ
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name, "")
        if value and not (name == "LC_CTYPE" and set_by_python and value in ("C.UTF-8", "C.utf8", "UTF-8")):
            return value.lower().replace("-", "").partition("@")[0].endswith("utf8")
    return False


@lru_cache(maxsize=4096)
def to_ascii(text: str) -> str:
    """The text in as many ASCII characters as it has cells: likenesses, letters without accents, question marks."""
    return text if text.isascii() else "".join(map(_likeness, _TINY.sub(_powered, text)))


def _powered(tiny: re.Match[str]) -> str:
    """The number as a power of ten, in as many characters: ``2.8e-6``."""
    zeros, digits = int(unicodedata.normalize("NFKC", tiny[1])), tiny[2]
    power = f"e-{zeros + 1}"
    room = len(tiny[0]) - len(power)
    return (f"{digits[0]}.{digits[1:]}"[:room].rstrip(".") + power).ljust(len(tiny[0]))


@lru_cache(maxsize=4096)
def _likeness(character: str) -> str:
    if character.isascii():
        return character
    code = ord(character)
    if code in _BRAILLE:
        return _DOTS[(code - _BRAILLE.start).bit_count()]
    width = cell_len(character)
    plain = _SAME.get(code) or unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain[:width].ljust(width) if plain else "?" * width


class AsciiFilter(LineFilter):
    """Draws every line in ASCII, whoever wrote it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


class ColourlessFilter(LineFilter):
    """Removes every colour and keeps bold, dim and reverse."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [Segment(text, style and style.without_color, control) for text, style, control in segments]
