"""Short texts one after the other on a few lines, whole or not at all. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len

from pipeline.model.text import drawn

FAST: Final = "\u00a0"
"""A blank at which no line is broken."""
_BETWEEN: Final = "· "

Tinted = tuple[str, str]
"""Tone and text."""


def flowing(texts: Iterable[Tinted], width: int, most: int) -> Sequence[Sequence[Tinted]]:
    """At most so many lines of the texts, each no wider than `width` cells unless a word is, with a dot between them.

    One that has no room is left out, and those after it take what there is; the first is there in any case.
    """
    lines: list[list[Tinted]] = [[]]
    for tone, text in texts:
        tried = _with([list(line) for line in lines], tone, text, width)
        if len(tried) <= most or not lines[0]:
            lines = tried
    return lines[:most]


def _with(lines: list[list[Tinted]], tone: str, text: str, width: int) -> list[list[Tinted]]:
    dot = _BETWEEN if lines[0] else ""
    for word in text.split(" "):
        told = drawn(word)
        used = sum(cell_len(part) for _, part in lines[-1])
        if used and used + 1 + cell_len(dot + told) > width:
            lines.append([])
            used = 0
        if used:
            lines[-1].append((tone if not dot else "dim", " "))
        if dot:
            lines[-1].append(("dim", dot))
        lines[-1].append((tone, told))
        dot = ""
    return lines
