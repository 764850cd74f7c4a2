"""The watchlist: one line a ticker."""

from typing import Final

from fintrends_tui import format as fmt
from fintrends_tui.view import View
from fintrends_tui.widgets.cells import Column, Row, outside, text
from fintrends_tui.widgets.cursor_table import CursorTable
from pipeline.snapshot import TickerView

_COLUMNS: Final = (
    Column("Ticker", 8),
    Column("Price", 10, right=True),
    Column("Change", 10, right=True),
    Column("%", 7, right=True),
    Column("Volume", 6, right=True, drop=2),
    Column("Trend", 7, drop=4, elastic=True),
    Column("RSI", 3, right=True, drop=1),
    Column("MACD", 4, right=True, drop=3),
    Column("Sent.", 6, right=True, drop=1),
    Column("Age", 4, right=True),
)


class Watchlist(CursorTable):
    """What every ticker does now."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="watchlist", classes="panel")

    def update_view(self, view: View) -> None:
        tickers = view.snapshot.tickers if view.snapshot else [TickerView(ticker=t) for t in view.requested]
        simulated = any(ticker.simulated for ticker in tickers)
        self.set_titles(f"Watchlist {len(tickers)}" if tickers else "Watchlist", "~ simulated" if simulated else "")
        self.show(
            [_row(ticker, view.now, self.width_of("Trend")) for ticker in tickers],
            view.waiting("The watchlist is empty. Press a to add tickers, such as AAPL or BTC-USD."),
        )


def _row(ticker: TickerView, now: int, trend: int) -> Row:
    if ticker.note and ticker.price is None:
        return Row(ticker.ticker, ((*text(f"{ticker.ticker:<8} ", "strong"), *outside(ticker.note, "warn")),))
    decimals = fmt.price_decimals(ticker.price)
    change = fmt.direction(ticker.change, decimals)
    moved = fmt.UNKNOWN
    if ticker.change is not None:
        moved = f"{fmt.arrow(ticker.change, decimals)} {fmt.number(abs(ticker.change), decimals)}"
    rsi = "warn" if ticker.rsi is not None and not 30 <= ticker.rsi <= 70 else ""
    macd = fmt.UNKNOWN if ticker.macd_hist is None else f"{fmt.arrow(ticker.macd_hist, 4)} "
    return Row(
        ticker.ticker,
        (
            (*text(ticker.ticker, "strong"), *text("~" if ticker.simulated else "", "warn")),
            text(fmt.price(ticker.price)),
            text(moved, change),
            text(fmt.percent(ticker.change_percent), fmt.direction(ticker.change_percent)),
            text(fmt.human(ticker.volume)),
            text(fmt.sparkline(ticker.spark, trend), change),
            text(fmt.number(ticker.rsi, 0), rsi),
            text(macd, fmt.direction(ticker.macd_hist, 4)),
            text(fmt.signed(ticker.sentiment), fmt.direction(ticker.sentiment)),
            text(fmt.age(ticker.updated_at, now), "dim"),
        ),
    )
