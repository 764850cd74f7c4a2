"""The axes of a chart: prices on the right, with a tag for the last; times below."""

from collections.abc import Sequence
from typing import Final

from fintrends_tui.charting import times
from fintrends_tui.charting.canvas import Canvas
from fintrends_tui.charting.frame import ColumnGrid
from fintrends_tui.charting.plot import Plot
from fintrends_tui.charting.scale import Scale
from fintrends_tui.charting.times import TimeLabel
from fintrends_tui.state import format as fmt

LABEL: Final = 12
"""The longest label of a price."""


def price_labels(scale: Scale, count: int, plot: Plot) -> dict[int, str]:
    """The texts of the price axis by line, counted from the top of the prices; that of the last price too."""
    ticks = scale.ticks(count)
    if plot.unit:
        texts = [f"{fmt.signed(tick, 1)}{plot.unit}" for tick in ticks]
    elif scale.is_log:
        texts = [fmt.price(tick, LABEL, plot.ticker) for tick in ticks]
    else:
        texts = fmt.axis(ticks, LABEL)
    labels = {scale.line(tick): text for tick, text in zip(ticks, texts, strict=True)}
    return labels | {scale.line(plot.last): price_text(plot, plot.last, texts)}


def price_text(plot: Plot, value: float, beside: Sequence[str] = ()) -> str:
    """A price with as many decimals as labels beside it, or as it deserves, if those are more."""
    if plot.unit:
        return f"{fmt.signed(value, 1)}{plot.unit}"
    decimals = max((len(text.partition(".")[2]) for text in beside), default=0)
    return fmt.number(value, max(decimals, fmt.price_decimals(value, plot.ticker)), LABEL)


def labelled(
    canvas: Canvas,
    plot: Plot,
    scale: Scale,
    labels: dict[int, str],
    columns: ColumnGrid,
    marks: Sequence[TimeLabel],
    top: int,
) -> None:
    """Write both axes. The candle under the cursor has tags of its own."""
    x = columns.width
    room = canvas.width - x
    tag = scale.line(plot.last)
    for y, text in labels.items():
        canvas.write(x + 1, top + y, text, "faint")
    if plot.previous_close is not None and scale.low <= plot.previous_close <= scale.high:
        y = scale.line(plot.previous_close)
        canvas.write(x + 1, top + y, price_text(plot, plot.previous_close)[: room - 1].ljust(room - 1), "previous")
    tone = "hue-1" if plot.unit else "up" if plot.rising else "down"
    canvas.write(x, top + tag, f"▸{labels[tag]}".ljust(room), "", tone)
    _write_times(canvas, plot, columns, marks)
    if plot.cursor is not None:
        candle = plot.candles[plot.cursor]
        canvas.write(
            x, top + scale.line(candle.close), f"◂{price_text(plot, candle.close)}".ljust(room), "", "cursor-tag"
        )
        text = f" {times.moment(candle.ts, plot.step, plot.zone)} "
        left = columns.middle(candle.slot) - len(text) // 2
        canvas.write(max(0, min(left, canvas.width - len(text))), canvas.height - 1, text, "", "cursor-tag")


def _write_times(canvas: Canvas, plot: Plot, columns: ColumnGrid, marks: Sequence[TimeLabel]) -> None:
    y = canvas.height - 1
    free = 0
    if not _is_dated(plot, canvas):
        text = times.day_and_year(plot.candles[0].ts, plot.zone)
        canvas.write(0, y, text, "faint")
        free = len(text) + 2
    for mark in marks:
        left = columns.middle(mark.slot) - len(mark.text) // 2
        left = min(left, canvas.width - len(mark.text)) if mark.slot else max(0, left)
        if left >= free:
            canvas.write(left, y, mark.text, "faint")
            free = left + len(mark.text) + 2


def _is_dated(plot: Plot, canvas: Canvas) -> bool:
    """Whether the heading, if there is one, says which day and year it is."""
    return plot.heading and canvas.height >= 7
