"""The columns of the watchlist and a ticker's line in them. Pure; knows no widget."""

from collections.abc import Iterable
from typing import Final

from fintrends_tui import format as fmt
from fintrends_tui.widgets.cells import Cell, Column, Row, outside, text
from pipeline.snapshot import TickerView

COLUMNS: Final = (
    Column("Ticker", 9),
    Column("Price", 11, right=True),
    Column("Change", 10, right=True),
    Column("%", 7, right=True),
    Column("Volume", 6, right=True, drop=2),
    Column("Trend", 6, drop=4, elastic=True),
    Column("RSI", 3, right=True, drop=1),
    Column("MACD", 4, right=True, drop=3),
    Column("Sent.", 6, right=True, drop=1),
    Column("Age", 5, right=True),
)
_FLASH_SECONDS: Final = 1
_TICKS: Final = {1: ("↑", "up"), -1: ("↓", "down"), 0: (" ", "")}


class Flashes:
    """Which prices have just changed, and in which direction."""

    def __init__(self) -> None:
        self._prices: dict[str, float | None] = {}
        self._seen: dict[str, tuple[int, int]] = {}

    def see(self, tickers: Iterable[TickerView], now: int) -> None:
        """Compare with the prices seen last."""
        for ticker in tickers:
            before, after = self._prices.get(ticker.ticker), ticker.price
            if before is not None and after is not None and before != after:
                self._seen[ticker.ticker] = (1 if after > before else -1, now)
            self._prices[ticker.ticker] = after
        self._seen = {name: (sign, at) for name, (sign, at) in self._seen.items() if now - at <= _FLASH_SECONDS}

    def of(self, ticker: str) -> int:
        """1 for one that has just risen, -1 for one that has fallen, else 0."""
        return self._seen[ticker][0] if ticker in self._seen else 0


def row(ticker: TickerView, now: int, trend: int, *, stale: bool, flash: int, alerted: bool) -> Row:
    """`trend` is the width of the sparkline; a stale ticker is dim and its age has an exclamation mark, and so has the
    name of one for which an alert rule has fired."""
    if ticker.note and ticker.price is None:
        return Row(ticker.ticker, ((*text(f"{ticker.ticker:<8} ", "strong"), *outside(ticker.note, "warn")),))
    decimals = fmt.price_decimals(ticker.price)
    change = fmt.direction(ticker.change, decimals)
    moved = fmt.UNKNOWN
    if ticker.change is not None:
        moved = f"{fmt.arrow(ticker.change, decimals)} {fmt.number(abs(ticker.change), decimals)}"
    rsi = "warn" if ticker.rsi is not None and not 30 <= ticker.rsi <= 70 else ""
    macd = fmt.UNKNOWN if ticker.macd_hist is None else f"{fmt.arrow(ticker.macd_hist, 4)} "
    tick, tone = _TICKS[flash]
    age = fmt.age(ticker.updated_at, now)

    def live(words: str, tone: str) -> Cell:
        return text(words, "dim" if stale else tone)

    return Row(
        ticker.ticker,
        (
            (
                *text(ticker.ticker, "strong"),
                *text("!" if alerted else "", "badge"),
                *text("~" if ticker.simulated else "", "warn"),
            ),
            live(f"{fmt.price(ticker.price)}{tick}", tone),
            live(moved, change),
            live(fmt.percent(ticker.change_percent), fmt.direction(ticker.change_percent)),
            live(fmt.human(ticker.volume), ""),
            live(fmt.sparkline(ticker.spark, trend), change),
            live(fmt.number(ticker.rsi, 0), rsi),
            live(macd, fmt.direction(ticker.macd_hist, 4)),
            live(fmt.signed(ticker.sentiment), fmt.direction(ticker.sentiment)),
            text(f"!{age}", "warn") if stale else text(age, "dim"),
        ),
    )
