"""The columns of the watchlist and a ticker's line in them. Pure; knows no widget."""

from collections.abc import Iterable, Sequence
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.ticker_facts import amount
from fintrends_tui.widgets.table.cells import Cell, Column, Row, outside, text
from fintrends_tui.widgets.table.position_columns import POSITION_COLUMNS, cells_of_ticker
from pipeline.contract.snapshot import TickerView

_PRICE: Final = 11
_CHANGE: Final = 10
COLUMNS: Final = (
    Column("Ticker", 9),
    Column("Price", _PRICE, right=True),
    Column("Change", _CHANGE, right=True),
    Column("%", 7, right=True),
    Column("Volume", 6, right=True, drop=4),
    Column("Trend", 6, drop=2, elastic=True),
    Column("RSI", 3, right=True, drop=1),
    Column("MACD", 4, right=True, drop=3),
    Column("Sent.", 6, right=True, drop=1),
    Column("Src", 4, drop=5),
    Column("Age", 5, right=True),
)
_OTHERS: Final = (
    Column("Ext.", 11, right=True, drop=6),
    Column("State", 7, drop=6),
    Column("Cur.", 4, drop=6),
)
CATALOGUE: Final = {column.title: column for column in (*COLUMNS, *_OTHERS, *POSITION_COLUMNS)}
"""All columns that there are, by their titles: ``Ext.`` is the price of before the open or after the close."""
DEFAULT: Final = tuple(column.title for column in COLUMNS)
_FLASH_SECONDS: Final = 1
_EXTENDED: Final = {"pre": "<", "post": ">"}
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


def named(word: str) -> str | None:
    """The title of the column that is meant, whatever the case and without its full stop."""
    return next((title for title in CATALOGUE if title.lower().rstrip(".") == word.lower().rstrip(".")), None)


def chosen_columns(titles: Iterable[str]) -> tuple[Column, ...]:
    """The columns of these titles, after that of the ticker; the usual ones where none is known."""
    known = [title for title in titles if title in CATALOGUE and title != "Ticker"]
    return tuple(CATALOGUE[title] for title in ("Ticker", *known)) if known else COLUMNS


def row(
    ticker: TickerView,
    now: int,
    trend: int,
    *,
    stale: bool,
    flash: int,
    alerted: bool,
    hidden: bool = False,
    titles: Sequence[str] = DEFAULT,
) -> Row:
    """A cell for each of the `titles`.

    `trend` is the width of the sparkline; a stale ticker is dim and its age has an exclamation mark, and so has the
    name of one for which an alert rule has fired. After the name, ``<`` tells of a price of before the open, ``>`` of
    one of after the close. In place of the age, ``shut`` is a closed exchange, ``✗3m`` a feed that does not come, and
    ``d17m`` a price that is seventeen minutes old although it is heard. `hidden` hides the amounts of what is held.
    """
    note = ticker.note or (ticker.trouble.why if ticker.trouble is not None else "")
    if note and ticker.price is None:
        return Row(ticker.ticker, ((*text(f"{ticker.ticker:<8} ", "strong"), *outside(note, "warn")),))
    decimals = fmt.change_decimals(ticker.price, ticker.change, ticker.ticker)
    change = fmt.direction(ticker.change, decimals)
    moved = fmt.UNKNOWN
    if ticker.change is not None:
        moved = f"{fmt.arrow(ticker.change, decimals)} {fmt.number(abs(ticker.change), decimals, _CHANGE - 2)}"
    rsi = "warn" if ticker.rsi is not None and not 30 <= ticker.rsi <= 70 else ""
    study = fmt.study_decimals(ticker.price, ticker.ticker)
    macd = fmt.UNKNOWN if ticker.macd_hist is None else f"{fmt.arrow(ticker.macd_hist, study)} "
    tick, tone = _TICKS[flash]

    def live(words: str, tone: str) -> Cell:
        return text(words, "dim" if stale else tone)

    extended = ticker.extended
    cells = {
        "Ticker": (
            *text(ticker.ticker, "strong"),
            *text("!" if alerted else "", "badge"),
            *text("~" if ticker.simulated else "", "warn"),
            *text(_EXTENDED[extended.session] if extended is not None else "", "accent"),
        ),
        "Price": live(f"{amount(ticker.price, ticker.currency, _PRICE - 1, ticker.ticker)}{tick}", tone),
        "Change": live(moved, change),
        "%": live(fmt.percent(ticker.change_percent), fmt.direction(ticker.change_percent)),
        "Volume": live(fmt.human(ticker.volume), ""),
        "Trend": live(fmt.sparkline(ticker.spark, trend), change),
        "RSI": live(fmt.number(ticker.rsi, 0), rsi),
        "MACD": live(macd, fmt.direction(ticker.macd_hist, study)),
        "Sent.": live(fmt.signed(ticker.sentiment), fmt.direction(ticker.sentiment)),
        "Src": outside(fmt.initials(ticker.source), "dim"),
        "Age": _age(ticker, now, stale=stale),
        "Ext.": _extended(ticker, stale=stale),
        "State": text(ticker.state or fmt.UNKNOWN, "warn" if ticker.state in ("stale", "away", "delayed") else "dim"),
        "Cur.": outside(ticker.currency or fmt.UNKNOWN, "dim"),
        **cells_of_ticker(ticker, hidden=hidden),
    }
    return Row(ticker.ticker, tuple(cells[title] for title in titles))


def _extended(ticker: TickerView, *, stale: bool) -> Cell:
    if ticker.extended is None:
        return text(fmt.UNKNOWN, "dim")
    told = amount(ticker.extended.price, ticker.currency, _PRICE, ticker.ticker)
    return text(told, "dim" if stale else fmt.direction(ticker.extended.change_percent))


def _age(ticker: TickerView, now: int, *, stale: bool) -> Cell:
    if ticker.state == "away":
        priced = ticker.as_of or ticker.updated_at  # posts may still be heard
        return text("away" if priced is None else f"✗{fmt.age(priced, now)}", "warn")
    if stale:
        return text(f"!{fmt.age(ticker.updated_at, now)}", "warn")
    if ticker.state == "closed":
        return text("shut", "dim")
    if ticker.state == "delayed" and ticker.as_of is not None:
        return text(f"d{fmt.duration(now - ticker.as_of)}", "dim")
    return text(fmt.age(ticker.updated_at, now), "dim")
