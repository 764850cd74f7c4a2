"""What a chart is called: its ticker, how long its candles are, its range, and what came of the price in it."""

from fintrends_tui.charting.composing import ChartData
from fintrends_tui.charting.look import Look
from fintrends_tui.charting.plot import Plot
from fintrends_tui.state import format as fmt
from pipeline.contract.snapshot import TickerView
from pipeline.model.returns import return_of


def titles(
    ticker: str,
    data: ChartData | None,
    plot: Plot | None,
    look: Look,
    row: TickerView | None = None,
    *,
    brief: bool = False,
) -> tuple[str, str]:
    """Title and subtitle, `brief` for small charts; of a chart without bars the ticker alone."""
    name = ticker if brief else f"Chart {ticker}".rstrip()
    if data is None or plot is None:
        return name, ""
    name += f" {plot.step.name}"
    name += f" from {data.history.source}" if data.history.source and not brief else ""
    name += f" · {look.span}" if look.window is None else " · zoomed"
    name += " · log" if look.log and min(candle.low for candle in plot.candles) > 0 else ""
    name += " · regular hours" if data.history.has_hours and not look.extended and plot.step.is_intraday else ""
    if plot.unit:
        return f"{name} · beside {plot.lines[0].label}", ""
    last = plot.last
    gain = return_of(last, plot.candles[0].open)
    change, since = None if gain is None else 100 * gain, f"over {len(plot.candles)} bars"
    if plot.previous_close is not None and row is not None and row.price is not None:
        # The day's change is the watchlist's, which counts regular trading.
        last, change, since = row.price, row.change_percent, "from the previous close"
    reach = [plot.last, *(candle.low for candle in plot.candles), *(candle.high for candle in plot.candles)]
    close, low, high = (fmt.price(value, ticker=ticker) for value in (last, min(reach), max(reach)))
    gained = f"{close} {fmt.arrow(change)} {fmt.percent(change)}"
    return name, gained if brief else f"{gained} {since}; shown {low} to {high}"
