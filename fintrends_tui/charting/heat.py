"""The watchlist as tiles, coloured by how far each price has moved."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from fintrends_tui.charting.canvas import Canvas, Run, Tone
from fintrends_tui.state import format as fmt
from pipeline.contract.snapshot import TickerView

_WIDTH: Final = 14
_HEIGHT: Final = 3
_SHAPE: Final = 1.6
"""How many times as wide as high a tile is, about."""
_STEPS: Final = (0.25, 1.0, 3.0)
"""Per cent of change, from which on a tile is one shade stronger."""


class Tiles(NamedTuple):
    """How tiles stand: so many in a line, each with so many columns and lines, the gap after it included."""

    across: int
    width: int
    height: int


def tiles(count: int, width: int, height: int) -> Tiles:
    """As large as lets all have room; those that have none even at their smallest are left out."""
    room = max(1, min(count, width // _WIDTH))
    # A cell is about half as wide as it is high.
    square = math.ceil(math.sqrt(count * width / (2 * _SHAPE * max(1, height))))
    fewest = -(-count // max(1, height // _HEIGHT))
    across = max(1, min(room, max(square, fewest)))
    down = -(-count // across)
    return Tiles(across, width // across, max(_HEIGHT, height // max(1, down)))


def heat_map(rows: Sequence[TickerView], width: int, height: int) -> list[tuple[Run, ...]]:
    """Lines of cells: of each ticker its name, its change today and its price."""
    canvas = Canvas(width, height)
    layout = tiles(len(rows), width, height)
    for index, row in enumerate(rows):
        left, top = index % layout.across * layout.width, index // layout.across * layout.height
        if top + layout.height > height:
            break
        room = layout.width - 1
        canvas.shade(left, left + room, top, top + layout.height - 1, shade(row.change_percent))
        texts = [row.ticker, f"{fmt.arrow(row.change_percent)} {fmt.percent(row.change_percent)}"]
        if layout.height > _HEIGHT:
            texts.append(fmt.price(row.price, room - 2, row.ticker))
        begin = top + (layout.height - 1 - len(texts)) // 2
        for line, text in enumerate(texts):
            canvas.write(left + 1, begin + line, text[: room - 1].center(room - 2), "foreground")
    return canvas.rows()


def shade(percent: float | None) -> Tone:
    """The ground of a tile."""
    strength = sum(abs(percent or 0.0) >= step for step in _STEPS)
    if not strength:
        return "session"
    return f"heat-{'up' if (percent or 0.0) > 0 else 'down'}-{strength}"
