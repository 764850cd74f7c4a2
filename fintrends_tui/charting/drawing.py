"""A chart as lines of cells: prices, what is laid over them, panes below, and the axes."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final, NamedTuple

from fintrends_tui.charting import candles as shapes
from fintrends_tui.charting import times
from fintrends_tui.charting.axis import LABEL, labelled, price_labels, price_text
from fintrends_tui.charting.buckets import Candle
from fintrends_tui.charting.canvas import DOTS_ACROSS, DOTS_DOWN, Canvas, Dots, Run, Tone
from fintrends_tui.charting.frame import NARROWEST, ColumnGrid, columns_of_candles, columns_of_line, newest, rows
from fintrends_tui.charting.heading import heading, legend
from fintrends_tui.charting.panes import draw_pane, pane_labels
from fintrends_tui.charting.plot import Line, Pane, Plot
from fintrends_tui.charting.scale import Scale, bounds

LEAST_WIDTH: Final = 20
LEAST_HEIGHT: Final = 4

_FUTURE: Final = 0.25
"""The part of the width that forecasts may take."""
_LINES_PER_TICK: Final = 3
_FAR: Final = 1.0
"""A previous close farther than so many heights of the chart beside it is left out."""


class Picture(NamedTuple):
    """The lines of a chart; `columns` and `first` say which candle stands where (see `candle_at`)."""

    rows: list[tuple[Run, ...]]
    columns: ColumnGrid
    first: int
    slots: list[int]

    def candle_at(self, column: int) -> int:
        """The position in the plot of the candle nearest to a column."""
        slot = self.columns.slot_at(column)
        return self.first + min(range(len(self.slots)), key=lambda index: abs(self.slots[index] - slot))


def draw(plot: Plot, width: int, height: int) -> Picture:
    """The chart in `width` × `height` cells, at least `LEAST_WIDTH` × `LEAST_HEIGHT`.

    Of more candles than have room the newest are drawn, and of panes as many as have room.
    """
    layout = rows(height, [pane.weight for pane in plot.panes], heading=plot.heading, legend=_has_legend(plot))
    panes = plot.panes[: len(layout.panes)]
    least = 1 + min(LABEL, len(price_text(plot, plot.last)))
    first, shown, future, scale, labels, gutter = _room(plot, width, layout.lines, panes, least)
    plot_width = width - gutter
    slots = shown.candles[-1].slot + 1 + future
    columns = (columns_of_candles if plot.style == "candles" else columns_of_line)(plot_width, slots)
    canvas = Canvas(width, height)
    prices = _Prices(canvas, shown, scale, columns, layout.top)
    prices.shade_sessions(height - 1)
    marks = times.labels(shown.candles, shown.step, shown.zone, columns.pitch)
    for y in labels:
        canvas.rule(0, plot_width, layout.top + y, "┈", "rule")
    for mark in marks:
        for y in range(layout.top, layout.top + layout.lines):
            canvas.put(columns.middle(mark.slot), y, "┊", "rule")
    prices.draw()
    for pane, (top, lines) in zip(shown.panes, layout.panes, strict=False):
        draw_pane(canvas, pane, shown, columns, top, lines)
    labelled(canvas, shown, scale, labels, columns, marks, layout.top)
    if layout.heading:
        heading(canvas, shown, 0)
    if layout.legend:
        legend(canvas, shown, int(layout.heading))
    return Picture(canvas.rows(), columns, first, [candle.slot for candle in shown.candles])


def _has_legend(plot: Plot) -> bool:
    return bool(plot.lines) or any(pane.lines for pane in plot.panes)


class _Room(NamedTuple):
    """What has room: the position of the first candle, the plot without those before it, how many slots of forecasts,
    the scale and labels of the price axis, and how many columns that has."""

    first: int
    shown: Plot
    future: int
    scale: Scale
    labels: dict[int, str]
    gutter: int


def _room(plot: Plot, width: int, lines: int, panes: Sequence[Pane], gutter: int) -> _Room:
    """How many columns the labels need is known once the scale is, and that once it is known what stands beside them:
    so with as many more as prove to be needed it is done again."""
    first, shown, future = _shown(plot, width - gutter)
    scale = _scale(shown, lines)
    labels = price_labels(scale, max(2, lines // _LINES_PER_TICK), shown)
    needed = 1 + min(LABEL, max(len(text) for text in [*labels.values(), *pane_labels(panes)]))
    if needed > gutter:
        return _room(plot, width, lines, panes, needed)
    return _Room(first, shown, future, scale, labels, gutter)


def _shown(plot: Plot, width: int) -> tuple[int, Plot, int]:
    """The position of the first candle that has room, the plot without those before, and the slots of forecasts."""
    most = max(1, width // NARROWEST if plot.style == "candles" else width * DOTS_ACROSS)
    last = plot.candles[-1]
    ahead = [ts for band in plot.bands for ts, _, _ in band.points if ts > last.ts]
    future = min(round((max(ahead) - last.ts) / plot.step.seconds), int(most * _FUTURE)) if ahead else 0
    first = newest(plot.candles, most - future)
    oldest = plot.candles[first].slot
    if first == 0 and oldest == 0:
        return 0, plot, future
    cursor = None if plot.cursor is None else max(0, plot.cursor - first)
    return (
        first,
        replace(
            plot,
            candles=[candle._replace(slot=candle.slot - oldest) for candle in plot.candles[first:]],
            lines=[_cut(line, first) for line in plot.lines],
            panes=[
                pane._replace(bars=pane.bars[first:], lines=[_cut(line, first) for line in pane.lines])
                for pane in plot.panes
            ],
            cursor=cursor,
        ),
        future,
    )


def _cut(line: Line, first: int) -> Line:
    return line._replace(values=line.values[first:])


def _scale(plot: Plot, lines: int) -> Scale:
    """Over all that is drawn."""
    values: list[float | None] = [plot.last]
    for candle in plot.candles:
        values += (candle.close,) if plot.style == "line" else (candle.low, candle.high)
    values += [value for line in plot.lines for value in line.values]
    values += [value for band in plot.bands for _, low, high in band.points for value in (low, high)]
    low, high = bounds(values) or (0.0, 0.0)
    if plot.previous_close is not None and low - _FAR * (high - low) <= plot.previous_close <= high + _FAR * (
        high - low
    ):
        low, high = min(low, plot.previous_close), max(high, plot.previous_close)
    return Scale(low, high, lines, log=plot.log)


class _Prices:
    """The part of a chart that shows prices, from the back to the front."""

    def __init__(self, canvas: Canvas, plot: Plot, scale: Scale, columns: ColumnGrid, top: int) -> None:
        self._canvas = canvas
        self._plot = plot
        self._scale = scale
        self._columns = columns
        self._top = top

    def shade_sessions(self, bottom: int) -> None:
        columns = set[int]()
        for candle in self._plot.candles:
            if candle.extended:
                first, stop = self._columns.first(candle.slot), self._columns.first(candle.slot + 1)
                columns.update(range(first, max(stop, first + 1)))
        self._canvas.shade_below(dict.fromkeys(columns, self._top), bottom, "session")

    def draw(self) -> None:
        plot, width = self._plot, self._columns.width
        self._draw_bands()
        if plot.previous_close is not None and self._scale.low <= plot.previous_close <= self._scale.high:
            y = self._top + self._scale.line(plot.previous_close)
            self._canvas.rule(0, width, y, "╌", "previous")
        dots = Dots(width, self._scale.lines)
        for line in plot.lines:
            dots.polyline(self._points(plot.candles, line.values), line.tone)
        dots.onto(self._canvas, 0, self._top)
        if plot.style == "line":
            self._draw_line()
        else:
            self._draw_candles()
        if plot.cursor is not None:
            x = self._columns.middle(plot.candles[plot.cursor].slot)
            for y in range(self._top, self._canvas.height - 1):
                self._canvas.behind(x, y, "┊", "faint")

    def _draw_bands(self) -> None:
        plot = self._plot
        last = plot.candles[-1]
        for band in plot.bands:
            for ts, low, high in band.points:
                slot = last.slot + round((ts - last.ts) / plot.step.seconds)
                first, stop = self._columns.first(slot), min(self._columns.first(slot + 1), self._columns.width)
                top, bottom = self._top + self._scale.line(high), self._top + self._scale.line(low) + 1
                if slot > last.slot and first < stop:
                    self._canvas.shade(first, stop, top, bottom, band.tone)
                    if plot.glyphs.rising is not None:  # grounds may not be seen
                        for x in range(first, stop):
                            self._canvas.put(x, top, "·", "faint")
                            self._canvas.put(x, bottom - 1, "·", "faint")

    def _draw_line(self) -> None:
        """Without a filling before the open and after the close; each stretch begins where the one before ends."""
        plot = self._plot
        tone: Tone = ("up" if plot.rising else "down") if not plot.unit else "hue-1"
        dots = Dots(self._columns.width, self._scale.lines)
        start = 0
        for extended, stretch in groupby(plot.candles, key=lambda candle: candle.extended):
            stop = start + len(list(stretch))
            part = plot.candles[max(0, start - 1) : stop]
            dots.polyline(self._points(part, [candle.close for candle in part]), "faint" if extended else tone)
            start = stop
        if not plot.unit:
            below = {x: self._top + y + 1 for x, y in dots.floors(tone).items()}
            self._canvas.shade_below(below, self._top + self._scale.lines, f"area-{tone}")
        dots.onto(self._canvas, 0, self._top)

    def _draw_candles(self) -> None:
        plot, scale, columns = self._plot, self._scale, self._columns
        for candle in plot.candles:
            rising = candle.close >= candle.open
            shape = shapes.shape(candle.open, candle.high, candle.low, candle.close, scale)
            body = plot.glyphs.rising if rising else plot.glyphs.falling
            x = columns.first(candle.slot)
            shapes.paint(self._canvas, scale.lines, shape, x, columns.body, _tone(candle), body, self._top)

    def _points(self, of: Sequence[Candle], values: Sequence[float | None]) -> list[tuple[int, int] | None]:
        """In dots; a slot without a candle interrupts the line."""
        points: list[tuple[int, int] | None] = []
        slot = None
        floor = self._scale.lines * DOTS_DOWN - 1
        dot, height = self._columns.dot, self._scale.height
        for candle, value in zip(of, values, strict=False):
            if slot is not None and candle.slot != slot + 1:
                points.append(None)
            slot = candle.slot
            points.append(None if value is None else (dot(slot), max(0, floor - height(value) // 2)))
        return points


def _tone(candle: Candle) -> Tone:
    return "up" if candle.close >= candle.open else "down"
