"""The columns that the watchlist may have. What each is sorted by is in `state.arrangement`. Pure; knows no widget."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from fintrends_tui.widgets.table import watch_cells as cells
from fintrends_tui.widgets.table.cells import Cell, Column
from fintrends_tui.widgets.table.position_columns import POSITION_COLUMNS
from fintrends_tui.widgets.table.watch_cells import CHANGE, PRICE, RANGE, WatchLine


class WatchColumn(NamedTuple):
    """A column, what paints its cells, and what it shows, in words."""

    column: Column
    cell: Callable[[WatchLine], Cell]
    about: str


USUAL: Final = (
    WatchColumn(Column("Ticker", 9), cells.name, "the ticker, and what marks it"),
    WatchColumn(Column("Price", PRICE, right=True), cells.price, "the last price of regular trading"),
    WatchColumn(Column("Change", CHANGE, right=True), cells.change, "against the previous close"),
    WatchColumn(Column("%", 7, right=True), cells.percent, "the same in per cent"),
    WatchColumn(Column("Range", RANGE, drop=6), cells.day_range, "the price between the day's low and high"),
    WatchColumn(Column("Volume", 6, right=True, drop=4), cells.volume, "traded today"),
    WatchColumn(Column("Trend", 6, drop=2, elastic=True), cells.trend, "the latest closes"),
    WatchColumn(Column("RSI", 3, right=True, drop=1), cells.rsi, "RSI of 14 bars"),
    WatchColumn(Column("MACD", 4, right=True, drop=3), cells.macd, "direction of the MACD's histogram"),
    WatchColumn(Column("Sent.", 6, right=True, drop=1), cells.sentiment, "rolling sentiment, from -1 to 1"),
    WatchColumn(Column("Src", 4, drop=5), cells.source, "the source of prices"),
    WatchColumn(Column("Age", 5, right=True), cells.age, "how long ago it was heard"),
)
OTHERS: Final = (
    WatchColumn(Column("Open", CHANGE, right=True), cells.opened, "the day's first price"),
    WatchColumn(Column("High", CHANGE, right=True), cells.high, "the day's highest price"),
    WatchColumn(Column("Low", CHANGE, right=True), cells.low, "the day's lowest price"),
    WatchColumn(Column("52w", RANGE), cells.year_range, "the price between low and high of 52 weeks"),
    WatchColumn(Column("Cap", 6, right=True), cells.market_cap, "market cap, of Yahoo's crypto-currencies"),
    WatchColumn(Column("Ext.", PRICE, right=True), cells.extended, "price of before the open or after the close"),
    WatchColumn(Column("Fcst.", 10, right=True), cells.next_close, "by how much the next close may differ, 80 %"),
    WatchColumn(Column("State", 7), cells.state, "what the price is worth: live, delayed, stale …"),
    WatchColumn(Column("Cur.", 4), cells.currency, "the currency of prices"),
    *(WatchColumn(*of) for of in POSITION_COLUMNS),
)
CATALOGUE: Final = {of.column.title: of for of in (*USUAL, *OTHERS)}
"""All columns that there are, by their titles."""
DEFAULT: Final = tuple(of.column.title for of in USUAL)


def chosen_columns(titles: Iterable[str]) -> tuple[Column, ...]:
    """The columns of these titles, after that of the ticker, of which the last give way first; the usual ones where
    none is known."""
    known = [CATALOGUE[title].column for title in dict.fromkeys(titles) if title in CATALOGUE and title != "Ticker"]
    if not known:
        return tuple(of.column for of in USUAL)
    return (CATALOGUE["Ticker"].column, *(column._replace(drop=place) for place, column in enumerate(known, 1)))
