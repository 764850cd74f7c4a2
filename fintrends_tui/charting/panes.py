"""What stands below the prices: volume, oscillators, sentiment."""

from collections.abc import Sequence

from fintrends_tui.charting import candles as shapes
from fintrends_tui.charting.buckets import Candle
from fintrends_tui.charting.canvas import DOTS_DOWN, Canvas, Dots
from fintrends_tui.charting.frame import ColumnGrid
from fintrends_tui.charting.plot import Pane, Plot
from fintrends_tui.charting.scale import Scale, bounds
from fintrends_tui.state import format as fmt


def pane_labels(panes: Sequence[Pane]) -> list[str]:
    """The texts of their axes."""
    return [text for pane in panes for text in (_top_label(pane), *(_text(pane, level) for level in pane.guides))]


def draw_pane(canvas: Canvas, pane: Pane, plot: Plot, columns: ColumnGrid, top: int, lines: int) -> None:
    """One pane on the lines from `top` on, with its name at the upper left and its values on the right."""
    low, high = _extent(pane)
    scale = Scale(low, high, lines, margin=0.0)
    for level in pane.guides:
        y = top + scale.line(level)
        canvas.rule(0, columns.width, y, "┈", "rule")
        canvas.write(columns.width + 1, y, _text(pane, level), "faint")
    _draw_bars(canvas, pane, plot, columns, scale, top)
    dots = Dots(columns.width, lines)
    for line in pane.lines:
        points = [
            None
            if value is None
            else (columns.dot(candle.slot), max(0, lines * DOTS_DOWN - 1 - scale.height(value) // 2))
            for candle, value in zip(plot.candles, line.values, strict=False)
        ]
        dots.polyline(points, line.tone)
    dots.onto(canvas, 0, top)
    if not pane.of_candles:
        canvas.write(0, top, pane.label, "faint")
    if not pane.guides:
        canvas.write(columns.width + 1, top, _top_label(pane), "faint")


def _draw_bars(canvas: Canvas, pane: Pane, plot: Plot, columns: ColumnGrid, scale: Scale, top: int) -> None:
    zero = scale.height(0.0)
    highest: dict[int, tuple[Candle, float]] = {}
    for candle, value in zip(plot.candles, pane.bars, strict=False):
        if value is None or (value == 0 and pane.of_candles):
            continue
        first = columns.first(candle.slot)
        if first not in highest or abs(value) >= abs(highest[first][1]):
            highest[first] = candle, value  # of bars that share a column the highest is seen
    for first, (candle, value) in highest.items():
        rising = candle.close >= candle.open if pane.of_candles else value >= 0
        bottom, above = sorted((zero, scale.height(value)))
        if bottom == above:
            bottom, above = (bottom, bottom + 1) if bottom < scale.top else (bottom - 1, bottom)
        tone = "faint" if candle.extended and pane.of_candles else "up-dim" if rising else "down-dim"
        width = columns.body if plot.style == "candles" else max(1, columns.first(candle.slot + 1) - first)
        if bottom == 0:
            shapes.paint_bar(canvas, scale.lines, above, first, width, tone, top)
        else:
            shape = shapes.Shape(bottom, bottom, above, above)
            shapes.paint(canvas, scale.lines, shape, first, width, tone, None, top)


def _extent(pane: Pane) -> tuple[float, float]:
    """Of its axis; with zero, where bars stand on it."""
    values: list[float | None] = [*pane.bars, *(value for line in pane.lines for value in line.values)]
    if pane.bars:
        values.append(0.0)
    low, high = bounds(values) or (0.0, 1.0)
    low = low if pane.low is None else pane.low
    high = high if pane.high is None else pane.high
    return (low, high) if high > low else (low, low + 1.0)


def _top_label(pane: Pane) -> str:
    return _text(pane, _extent(pane)[1])


def _text(pane: Pane, value: float) -> str:
    return fmt.human(value) if pane.of_candles else f"{value:.{pane.decimals}f}" if value % 1 else f"{value:.0f}"
