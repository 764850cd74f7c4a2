"""Short texts one after the other on a few lines, whole or not at all. Pure."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from pipeline.model.text import drawn

FAST: Final = "\u00a0"
"""A blank at which no line is broken."""
_BETWEEN: Final = "· "

Tinted = tuple[str, str]
"""Tone and text."""


def flowing(texts: Sequence[Tinted], width: int, most: int) -> Sequence[Sequence[Tinted]]:
    """At most so many lines of the texts, each no wider than `width` cells unless a word is, with a dot between those
    on the same line.

    Texts are whole on their line, unless more of them have room when they are broken between words. One that has no
    room is left out, and those after it take what there is; the first is there in any case.
    """
    whole, broken = _laid_out(texts, width, most, whole=True), _laid_out(texts, width, most, whole=False)
    return (whole if whole[1] >= broken[1] else broken)[0][:most]


def _laid_out(texts: Sequence[Tinted], width: int, most: int, *, whole: bool) -> tuple[list[list[Tinted]], int]:
    """The lines, and how many of the texts are on them."""
    lines: list[list[Tinted]] = [[]]
    count = 0
    for tone, text in texts:
        parts = [text] if whole and cell_len(drawn(text)) <= width else text.split(" ")
        tried = _with([list(line) for line in lines], tone, parts, width)
        if len(tried) <= most or not lines[0]:
            lines = tried
            count += 1
    return lines, count


def _with(lines: list[list[Tinted]], tone: str, parts: Sequence[str], width: int) -> list[list[Tinted]]:
    dot = _BETWEEN if lines[0] else ""
    for part in parts:
        told = drawn(part)
        used = sum(cell_len(other) for _, other in lines[-1])
        if used and used + 1 + cell_len(dot + told) > width:
            lines.append([])
            used, dot = 0, ""
        if used:
            lines[-1].append((tone if not dot else "dim", " "))
        if dot:
            lines[-1].append(("dim", dot))
        lines[-1].append((tone, told))
        dot = ""
    return lines
