"""A price chart as text. The only file that uses plotext, which is loaded when the first chart is drawn."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from fintrends_tui import format as fmt
from pipeline.protocol import BarPoint

if TYPE_CHECKING:
    from textual_plotext.plot import Plot

Rgb = tuple[int, int, int]

_LABEL_GAP: Final = 16
_LINES_PER_TICK: Final = 3


def load() -> type["Plot"]:
    """Import plotext, which takes a while; to be called from a thread before the first chart is drawn."""
    from textual_plotext.plot import Plot

    return Plot


def draw(bars: Sequence[BarPoint], width: int, height: int, *, daily: bool, line: Rgb, area: Rgb, axis: Rgb) -> Text:
    """The closes of the bars as a line above an area, in `width` × `height` cells; times in UTC.

    The x axis counts bars, so that nights and weekends leave no gap.
    """
    plot_class = load()
    closes = [bar.close for bar in bars]
    plot = plot_class()
    plot.theme("clear")
    plot.plotsize(width, height)
    # plotsize cuts the plot down to the terminal that it finds at stdout; the widget knows better.
    plot._set_size(width, height)
    low, high = min(closes), max(closes)
    margin = (high - low or abs(high) * 0.01) * 0.04
    x = [float(index) for index in range(len(closes))]
    plot.plot(x, closes, marker="braille", color=area, fillx=low - margin)
    plot.plot(x, closes, marker="braille", color=line)
    plot.xlim(0, len(closes) - 1)
    plot.ylim(low - margin, high + margin)
    ticks = nice_ticks(low - margin, high + margin, max(2, height // _LINES_PER_TICK))
    plot.yticks(ticks, [fmt.price(tick) for tick in ticks])
    labels = max(2, width // _LABEL_GAP)
    bars_labelled = [round(label * (len(bars) - 1) / (labels - 1)) for label in range(labels)]
    plot.xticks(
        [float(index) for index in bars_labelled],
        [fmt.moment(bars[index].ts, daily=daily) for index in bars_labelled],
    )
    plot.ticks_color(axis)
    plot.frame(False)
    return Text.from_ansi(plot.build().rstrip("\n"))


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
