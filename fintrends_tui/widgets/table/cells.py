"""Cells of text in tones, and how columns of them share a line. Pure; knows no widget."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from pipeline.model.text import drawn

_MAX_GAP: Final = 3


class Span(NamedTuple):
    """A stretch of plain text; never markup. `tone` is one of `tones.TONES`, or empty for the default."""

    text: str
    tone: str = ""


Cell = tuple[Span, ...]


class Row(NamedTuple):
    """One line. `key` identifies it, wherever it is. A row of a single cell has the line to itself."""

    key: str
    cells: tuple[Cell, ...]


class Column(NamedTuple):
    """`width` is in terminal cells. Where there is no room for all, those with the greatest `drop` go first, and those
    with 0 never; the one that is `elastic` takes the room that is left, and gives way where there is not enough."""

    title: str
    width: int
    right: bool = False
    drop: int = 0
    elastic: bool = False


class ColumnSlot(NamedTuple):
    """Where a column stands on the line: its number, the blanks before it, and its width."""

    column: int
    gap: int
    width: int


def text(value: str, tone: str = "") -> Cell:
    """A cell of one tone."""
    return (Span(value, tone),)


@lru_cache(maxsize=4096)
def outside(value: str, tone: str = "") -> Cell:
    """A cell of text that others wrote: it stays on its line, as wide as it is taken for, and cannot steer the
    terminal."""
    return (Span(drawn(value), tone),)


def arrange(columns: Sequence[Column], width: int) -> list[ColumnSlot]:
    """The columns that fit into `width` cells."""
    kept = list(enumerate(columns))
    while _needed(kept) > width and any(column.drop for _, column in kept):
        kept.remove(max(kept, key=lambda item: (item[1].drop, item[0])))
    if not kept:
        return []
    room = width - _needed(kept)
    elastic = next((index for index, column in kept if column.elastic), None)
    gap = 1
    if room > 0 and len(kept) > 1:
        gap += min(_MAX_GAP - 1, room // (len(kept) - 1))
        room -= (gap - 1) * (len(kept) - 1)
    slots = []
    for position, (index, column) in enumerate(kept):
        extra = room if index == elastic else 0
        slots.append(ColumnSlot(index, gap if position else 0, max(1, column.width + extra)))
    return slots


def fit(cell: Cell, width: int, *, right: bool = False) -> Iterator[Span]:
    """The cell in exactly `width` terminal cells, padded, or cut with an ellipsis."""
    length = sum(cell_len(span.text) for span in cell)
    if length <= width:
        pad = Span(" " * (width - length))
        yield from (pad, *cell) if right else (*cell, pad)
        return
    room = width - 1
    for span in cell:
        size = cell_len(span.text)
        if size > room:
            yield Span(set_cell_size(span.text, room) + "…", span.tone)
            return
        yield span
        room -= size


def _needed(kept: Sequence[tuple[int, Column]]) -> int:
    return sum(column.width for _, column in kept) + len(kept) - 1
