"""Where the parts of a chart stand: which lines are whose, and which columns a candle has."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from fintrends_tui.charting.buckets import Candle

NARROWEST: Final = 2
"""Columns of a candle, the gap included."""
_WIDEST: Final = 8
_LEAST_LINES: Final = 5
"""Of prices, below which there is no room for panes."""
_HEADING_NEEDS: Final = 7
_LEGEND_NEEDS: Final = 10


class Rows(NamedTuple):
    """The lines of a chart: whether there are a heading and a legend, how many are the prices', where they begin, and
    for each pane that has room its first line and how many it has."""

    heading: bool
    legend: bool
    top: int
    lines: int
    panes: list[tuple[int, int]]


def rows(height: int, weights: Sequence[int], *, heading: bool, legend: bool) -> Rows:
    """The lines for panes that want as many as their `weights`, at least; the last line is the time axis."""
    has_heading = heading and height >= _HEADING_NEEDS
    has_legend = legend and height >= _LEGEND_NEEDS
    top = has_heading + has_legend
    rest = max(1, height - top - 1)
    heights: list[int] = []
    for weight in weights:
        lines = max(weight, round(rest * weight / 18))
        if rest - sum(heights) - lines < _LEAST_LINES:
            lines = weight
        if rest - sum(heights) - lines >= _LEAST_LINES:
            heights.append(lines)
    lines = rest - sum(heights)
    starts = [top + lines + sum(heights[:index]) for index in range(len(heights))]
    return Rows(has_heading, has_legend, top, lines, list(zip(starts, heights, strict=True)))


class ColumnGrid(NamedTuple):
    """The columns of a chart: `pitch` of them a slot, the first slot's at `left`, `body` of them filled."""

    left: int
    pitch: float
    body: int
    width: int

    def first(self, slot: int) -> int:
        """The first column of a slot."""
        return self.left + int(slot * self.pitch)

    def middle(self, slot: int) -> int:
        """The column of a candle's wick."""
        return self.first(slot) + self.body // 2

    def dot(self, slot: int) -> int:
        """The middle of a slot in dots, two of which a column has."""
        return min(int((slot + 0.5) * self.pitch * 2), 2 * self.width - 1)

    def slot_at(self, column: int) -> int:
        return int((column - self.left) / self.pitch)


def columns_of_candles(width: int, slots: int) -> ColumnGrid:
    """Even columns, and at the right edge the newest; there must be `NARROWEST` for each slot."""
    pitch = max(NARROWEST, min(_WIDEST, width // max(1, slots)))
    body = pitch - 1 - pitch % 2 if pitch > 2 and pitch % 2 else pitch - 1
    return ColumnGrid(max(0, width - slots * pitch), pitch, body, width)


def columns_of_line(width: int, slots: int) -> ColumnGrid:
    """The whole width."""
    pitch = width / max(1, slots)
    return ColumnGrid(0, pitch, max(1, int(pitch)), width)


def newest(candles: Sequence[Candle], slots: int) -> int:
    """The position of the first candle of the last `slots`."""
    oldest = candles[-1].slot - slots + 1
    return next((index for index, candle in enumerate(candles) if candle.slot >= oldest), 0)
