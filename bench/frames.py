"""What a terminal shows, written again in as few bytes as show it: only cells that have changed. Pure."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

import pyte
from pyte.screens import Char

_BLANK: Final = Char(" ")
_ATTRIBUTES: Final = {"bold": "1", "italics": "3", "underscore": "4", "reverse": "7", "strikethrough": "9"}


class Frames:
    """The frames of a screen, each as the difference to the one before; the first to an empty terminal."""

    def __init__(self, screen: pyte.Screen) -> None:
        self._screen = screen
        self._shown = [[_BLANK] * screen.columns for _ in range(screen.lines)]
        self._style = _sgr(_BLANK)

    def next(self) -> str:
        """What makes a terminal that shows the last frame show the present one; empty if nothing has changed."""
        parts: list[str] = []
        for y, before in enumerate(self._shown):
            line = self._screen.buffer[y]
            after = [line[x] for x in range(self._screen.columns)]
            changed = [x for x, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
            for _, run in groupby(enumerate(changed), lambda item: item[1] - item[0]):
                columns = [x for _, x in run]
                parts += [f"\x1b[{y + 1};{columns[0] + 1}H", *self._cells(after[x] for x in columns)]
            self._shown[y] = after
        return "".join(parts)

    def _cells(self, cells: Iterator[Char]) -> Iterator[str]:
        for cell in cells:
            style = _sgr(cell)
            if style != self._style:
                same = style[0] == self._style[0]
                new = [part for part, old in zip(style[1:], self._style[1:], strict=True) if part != old]
                yield f"\x1b[{';'.join(new)}m" if same else f"\x1b[0;{';'.join(filter(None, style))}m"
                self._style = style
            yield cell.data


def _sgr(cell: Char) -> tuple[str, str, str]:
    """Attributes, foreground and background as parameters of an SGR sequence."""
    attributes = ";".join(code for name, code in _ATTRIBUTES.items() if getattr(cell, name))
    return attributes, _colour(3, cell.fg), _colour(4, cell.bg)


def _colour(ground: int, colour: str) -> str:
    """`colour` as pyte names it: "default", or six hexadecimal digits."""
    return f"{ground}9" if colour == "default" else f"{ground}8;2;{';'.join(map(str, bytes.fromhex(colour)))}"
