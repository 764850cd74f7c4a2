"""The lines above a chart: values of a bar, when it is, and the legend of what is laid over the prices."""

from collections.abc import Sequence
from typing import Final

from fintrends_tui.charting import times
from fintrends_tui.charting.canvas import Canvas, Tone
from fintrends_tui.charting.plot import Line, Plot
from fintrends_tui.state import format as fmt
from pipeline.model.returns import return_of

Words = list[tuple[str, Tone]]

_APART: Final = 2


def heading(canvas: Canvas, plot: Plot, y: int) -> None:
    """The values of the bar under the cursor, or the last, and when that is, or what the chart reaches over; as much of
    it as has room."""
    values, when, volume = _values(plot), _when(plot), _volume(plot)
    place = [(times.city(plot.zone), "faint")] if plot.step.is_intraday else []
    close = values[3:]
    for words in (
        [*values, *volume, *when, *place],
        [*values, *volume, *when],
        [*values, *when],
        [*(close or values), *when],
        when,
    ):
        if _length(words) <= canvas.width:
            _write(canvas, words, y)
            return


def legend(canvas: Canvas, plot: Plot, y: int) -> None:
    """The names and values of lines, each in its colour."""
    words: Words = []
    at = len(plot.candles) - 1 if plot.cursor is None else plot.cursor
    shown = [(line, fmt.price_decimals(plot.last, plot.ticker)) for line in plot.lines]
    shown += [(line, pane.decimals) for pane in plot.panes for line in pane.lines]
    for line, decimals in shown:
        text = f"{line.label} {_value(line, at, decimals, plot.unit)}"
        if _length([*words, (text, line.tone)]) <= canvas.width:
            words.append((text, line.tone))
    if plot.basis and _length([*words, (plot.basis, "faint")]) <= canvas.width:
        words.append((plot.basis, "faint"))
    _write(canvas, words, y)


def _value(line: Line, at: int, decimals: int, unit: str) -> str:
    value = line.values[at] if at < len(line.values) else None
    return f"{fmt.signed(value)}{unit}" if unit else fmt.number(value, decimals)


def _values(plot: Plot) -> Words:
    at = len(plot.candles) - 1 if plot.cursor is None else plot.cursor
    candle = plot.candles[at]
    if plot.unit:
        return [(f"{plot.ticker} {fmt.signed(candle.close)}{plot.unit}", "hue-1")]
    words = [
        (f"{letter} {fmt.price(value, 12, plot.ticker)}", "foreground")
        for letter, value in zip("OHLC", candle[1:5], strict=True)
    ]
    if plot.cursor is None:
        return words  # a bar's change would be taken for that of the day
    gain = return_of(candle.close, plot.candles[at - 1].close) if at else None
    tone = "up" if (gain or 0.0) > 0 else "down" if (gain or 0.0) < 0 else "faint"
    return [*words, (fmt.percent(None if gain is None else 100 * gain), tone)]


def _volume(plot: Plot) -> Words:
    candle = plot.candles[-1 if plot.cursor is None else plot.cursor]
    return [(f"V {fmt.human(candle.volume)}", "faint")] if candle.volume is not None and not plot.unit else []


def _when(plot: Plot) -> Words:
    if plot.cursor is not None:
        return [(times.moment(plot.candles[plot.cursor].ts, plot.step, plot.zone), "foreground")]
    return [(times.extent(plot.candles[0].ts, plot.candles[-1].ts, plot.step, plot.zone), "faint")]


def _length(words: Sequence[tuple[str, Tone]]) -> int:
    return sum(len(text) + _APART for text, _ in words if text) - _APART


def _write(canvas: Canvas, words: Sequence[tuple[str, Tone]], y: int) -> None:
    x = 0
    for text, tone in words:
        if text:
            canvas.write(x, y, text, tone)
            x += len(text) + _APART
