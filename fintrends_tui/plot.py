"""A price chart as text. The only file that uses plotext, which is loaded when the first chart is drawn."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rich.text import Text

from fintrends_tui import format as fmt
from pipeline.protocol import BarPoint

if TYPE_CHECKING:
    from textual_plotext.plot import Plot

Rgb = tuple[int, int, int]
Style = Literal["line", "candles"]

_LABEL_GAP: Final = 16
_LINES_PER_TICK: Final = 3
_VOLUME_LINES: Final = 4
_VOLUME_NEEDS: Final = 9
_CANDLE_WIDTH: Final = 2
_MARGIN: Final = 0.04
_VOLUME_LABEL: Final = "999.9k"
"""The widest that `format.human` writes."""

# A rising body is thin and a falling one solid, so that nobody has to tell them by their colours.
_RISING: Final = "┃"
_FALLING: Final = "█"
_WICK: Final = "│"


class Ink(NamedTuple):
    """The colours of a chart. `area` is what lies below a line, and the volume."""

    up: Rgb
    down: Rgb
    area: Rgb
    axis: Rgb


class Overlay(NamedTuple):
    """A line over the prices: a value for each bar, None where there is none."""

    values: Sequence[float | None]
    ink: Rgb


def load() -> type["Plot"]:
    """Import plotext, which takes a while; to be called from a thread before the first chart is drawn."""
    from textual_plotext.plot import Plot

    return Plot


def draw(
    bars: Sequence[BarPoint],
    width: int,
    height: int,
    ink: Ink,
    *,
    daily: bool,
    style: Style = "line",
    volume: bool = False,
    overlays: Sequence[Overlay] = (),
) -> Text:
    """The bars in `width` × `height` cells, at least 20 × 4; times in UTC.

    The x axis counts bars, so that nights and weekends leave no gap. Candles need two columns each: where there are
    more bars than that, neighbours are drawn as one. The volume takes a third of the height, four lines at most; less
    than nine lines have no room for it.
    """
    volume_lines = min(height // 3, _VOLUME_LINES) if volume and height >= _VOLUME_NEEDS else 0
    price_lines = height - volume_lines
    drawn = [value for overlay in overlays for value in overlay.values if value is not None]
    low = min(min(bar.low if style == "candles" else bar.close for bar in bars), *drawn, math.inf)
    high = max(max(bar.high if style == "candles" else bar.close for bar in bars), *drawn, -math.inf)
    margin = (high - low or abs(high) * 0.01) * _MARGIN
    ticks = nice_ticks(low - margin, high + margin, max(2, price_lines // _LINES_PER_TICK))
    labels = [fmt.price(tick) for tick in ticks]
    gutter = max(map(len, [*labels, _VOLUME_LABEL if volume_lines else ""]))
    groups = grouped(bars, max(1, (width - gutter - 1) // _CANDLE_WIDTH)) if style == "candles" else [[b] for b in bars]
    last = len(groups) - 1
    extent = (-0.5, last + 0.5) if style == "candles" else (0.0, max(1.0, last))
    plot = _plot(width, price_lines, ink, extent)
    plot.ylim(low - margin, high + margin)
    plot.yticks(ticks, [label.rjust(gutter) for label in labels])
    # What is drawn later covers what was drawn before: the area, the overlays, the prices.
    closes = [bar.close for bar in bars]
    if style == "line":
        plot.plot(_count(closes), closes, marker="braille", color=ink.area, fillx=low - margin)
    size = len(groups[0])
    for overlay in overlays:
        for x, y in _segments(overlay.values[min((i + 1) * size, len(bars)) - 1] for i in range(len(groups))):
            plot.plot(x, y, marker="braille", color=overlay.ink)
    if style == "line":
        plot.plot(_count(closes), closes, marker="braille", color=ink.up if closes[-1] >= closes[0] else ink.down)
    else:
        _draw_candles(plot, groups, low - margin, high + margin, price_lines - (not volume_lines), ink)

    moments = max(2, width // _LABEL_GAP)
    at = [round(label * last / (moments - 1)) for label in range(moments)]
    times = [float(index) for index in at], [fmt.moment(groups[index][-1].ts, daily=daily) for index in at]
    if not volume_lines:
        plot.xticks(*times)
        return _text(plot)
    plot.xticks([], [])
    below = _plot(width, volume_lines, ink, extent)
    volumes = [sum(bar.volume for bar in group) for group in groups]
    below.plot(_count(volumes), volumes, marker="braille", color=ink.area, fillx=True)
    most = max(volumes) or 1.0
    below.ylim(0, most)
    below.yticks([most], [fmt.human(most).rjust(gutter)])
    below.xticks(*times)
    return Text("\n").join((_text(plot), _text(below)))


def grouped(bars: Sequence[BarPoint], most: int) -> list[Sequence[BarPoint]]:
    """The bars in order in at most `most` groups of one size; the last may be smaller."""
    size = max(1, -(-len(bars) // most))
    return [bars[start : start + size] for start in range(0, len(bars), size)]


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers between `low` and `high`, at steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _plot(width: int, height: int, ink: Ink, extent: tuple[float, float]) -> "Plot":
    plot = load()()
    plot.theme("clear")
    plot.plotsize(width, height)
    # plotsize cuts the plot down to the terminal that it finds at stdout; the widget knows better.
    plot._set_size(width, height)
    plot.xlim(*extent)
    plot.ticks_color(ink.axis)
    plot.frame(False)
    return plot


def _text(plot: "Plot") -> Text:
    return Text.from_ansi(plot.build().rstrip("\n"))


def _count(values: Sequence[float]) -> list[float]:
    return [float(index) for index in range(len(values))]


def _draw_candles(
    plot: "Plot", groups: Sequence[Sequence[BarPoint]], floor: float, ceiling: float, lines: int, ink: Ink
) -> None:
    """A column of whole cells for each group: its own marks where plotext's candlestick has but colours."""
    cell = (ceiling - floor) / lines
    points: defaultdict[tuple[bool, bool], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for index, group in enumerate(groups):
        first, last = group[0].open, group[-1].close
        rising = last >= first
        body = range(_line(min(first, last), floor, cell), _line(max(first, last), floor, cell) + 1)
        low, high = min(bar.low for bar in group), max(bar.high for bar in group)
        for line in range(_line(low, floor, cell), _line(high, floor, cell) + 1):
            x, y = points[rising, line in body]
            x.append(float(index))
            y.append(floor + (line + 0.5) * cell)
    for (rising, is_body), (x, y) in points.items():
        marker = (_RISING if rising else _FALLING) if is_body else _WICK
        plot.scatter(x, y, marker=marker, color=ink.up if rising else ink.down)


def _line(value: float, floor: float, cell: float) -> int:
    return int((value - floor) / cell)


def _segments(values: Iterable[float | None]) -> list[tuple[list[float], list[float]]]:
    """The stretches of known values, as x and y."""
    segments: list[tuple[list[float], list[float]]] = []
    known = False
    for index, value in enumerate(values):
        if value is not None:
            if not known:
                segments.append(([], []))
            segments[-1][0].append(float(index))
            segments[-1][1].append(value)
        known = value is not None
    return segments
