"""How candles are drawn: bodies to the eighth of a cell, wicks to the half.

A wick as long as half a cell is never lost, nor one that reaches into the next cell: where it shares a cell with an
edge of the body, the body gives way by at most half a cell.
"""

from typing import Final, NamedTuple

from fintrends_tui.charting.canvas import Canvas, Tone
from fintrends_tui.charting.scale import EIGHTHS, Scale

_LOWER: Final = " ▁▂▃▄▅▆▇█"
"""By how many eighths are filled from below."""
_HALF: Final = EIGHTHS // 2
_MOST: Final = 6
"""Eighths of a cell from which on a wick fills it."""
_WICK, _UPPER_HALF, _LOWER_HALF = "│", "╵", "╷"
_DASH: Final = {(False, False): "━", (True, False): "┷", (False, True): "┯", (True, True): "┿"}
"""A body flatter than half a cell, by whether a wick stands above it and hangs below it."""


class Glyphs(NamedTuple):
    """What bodies are filled with. None are blocks of eighths, told apart by colour alone."""

    rising: str | None = None
    falling: str | None = None


BLOCKS: Final = Glyphs()
SHADES: Final = Glyphs("▒", "█")
"""Without colours."""
ASCII: Final = Glyphs("o", "#")


class Shape(NamedTuple):
    """The heights of a candle in eighths above the floor."""

    low: int
    bottom: int
    top: int
    high: int


def shape(open_: float, high: float, low: float, close: float, scale: Scale) -> Shape:
    """A body is at least an eighth high, and within its wicks."""
    bottom, top = sorted((scale.height(open_), scale.height(close)))
    if top == bottom:
        bottom, top = (bottom, bottom + 1) if bottom < scale.top else (bottom - 1, bottom)
    return Shape(min(scale.height(low), bottom), bottom, top, max(scale.height(high), top))


def paint(
    canvas: Canvas, lines: int, of: Shape, left: int, width: int, tone: Tone, body: str | None, top: int = 0
) -> None:
    """A candle on the `lines` lines from `top` on: its body in `width` columns from `left`, its wick in the middle one.

    `body` is a glyph for whole cells, None draws eighths."""
    middle = left + width // 2
    columns = range(left, left + width)
    # Cells that are wholly of the body or of a wick need no thought, and most are.
    whole = range(lines - of.top // EIGHTHS, lines - -(-of.bottom // EIGHTHS))
    block = body or _LOWER[EIGHTHS]
    for y in range(lines - 1 - (of.high - 1) // EIGHTHS, lines - of.low // EIGHTHS):
        if y in whole:
            for x in columns:
                canvas.put(x, top + y, block, tone)
            continue
        floor = (lines - 1 - y) * EIGHTHS
        if (of.top <= floor and floor + EIGHTHS <= of.high) or (of.low <= floor and floor + EIGHTHS <= of.bottom):
            canvas.put(middle, top + y, _WICK, tone)
            continue
        _paint_edge(canvas, of, floor, top + y, columns, tone, body)


def paint_bar(canvas: Canvas, lines: int, height: int, left: int, width: int, tone: Tone, top: int = 0) -> None:
    """What stands on the floor of the `lines` lines from `top` on, so many eighths high: the same as `paint`, which has
    to think of wicks, and many more of these are drawn than candles."""
    whole, part = divmod(height, EIGHTHS)
    for x in range(left, left + width):
        for y in range(top + lines - whole, top + lines):
            canvas.put(x, y, _LOWER[EIGHTHS], tone)
        if part:
            canvas.put(x, top + lines - whole - 1, _LOWER[part], tone)


def _paint_edge(canvas: Canvas, of: Shape, floor: int, y: int, columns: range, tone: Tone, body: str | None) -> None:
    """The cells of a line, `floor` eighths high, in which a body or a wick ends."""
    cell = Shape(*(max(0, min(EIGHTHS, height - floor)) for height in of))
    above, below = of.high > max(of.top, floor + EIGHTHS), of.low < min(of.bottom, floor)
    inside = floor <= of.bottom and of.top <= floor + EIGHTHS
    middle = columns[len(columns) // 2]
    glyph, inverse = _glyph(cell, inside=inside, above=above, below=below, body=body)
    _put(canvas, middle, y, glyph, tone, inverse=inverse)
    if len(columns) == 1 or cell.top == cell.bottom:
        return
    if glyph in _DASH.values():
        glyph, inverse = _DASH[False, False], False
    else:
        beside = cell._replace(low=cell.bottom, high=cell.top)
        glyph, inverse = _glyph(beside, inside=inside, above=False, below=False, body=body)
    for x in columns:
        if x != middle:
            _put(canvas, x, y, glyph, tone, inverse=inverse)


def _put(canvas: Canvas, x: int, y: int, glyph: str, tone: Tone, *, inverse: bool) -> None:
    if inverse:
        canvas.cut_out(x, y, glyph, tone)
    elif glyph != " ":
        canvas.put(x, y, glyph, tone)


def _glyph(cell: Shape, *, inside: bool, above: bool, below: bool, body: str | None) -> tuple[str, bool]:
    """What one cell shows, and whether with tone and ground exchanged; `cell` is the part of the candle within it.

    `inside` says that the whole body is in this cell, `above` and `below` that a wick goes on in the next ones.
    """
    filled = cell.top - cell.bottom
    up, down = cell.high - cell.top, cell.bottom - cell.low
    if filled == 0:
        if cell.low > 0:  # the end of what hangs down
            return (_WICK if cell.low <= EIGHTHS - _MOST else _UPPER_HALF), False
        return (_WICK if cell.high >= _MOST else _LOWER_HALF), False
    if filled == EIGHTHS:
        return body or _LOWER[EIGHTHS], False
    if inside and filled <= _HALF:
        wicks = (above or up >= 2, below or down >= 2)
        if wicks == (False, False) and body is None and (cell.bottom <= 1 or cell.top >= EIGHTHS - 1):
            return _edge(cell)
        return _DASH[wicks], False
    if max(up, down) >= _HALF:
        return _WICK, False
    if body is not None:
        return body, False
    return _edge(cell)


def _edge(cell: Shape) -> tuple[str, bool]:
    """A body that ends in this cell, from the nearer of its edges on."""
    filled = cell.top - cell.bottom
    if cell.bottom <= EIGHTHS - cell.top:
        return _LOWER[filled], False
    return _LOWER[EIGHTHS - filled], True
