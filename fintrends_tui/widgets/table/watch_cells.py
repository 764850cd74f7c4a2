"""The cells of a ticker's line on the watchlist, one function a column. Pure; knows no widget."""

from typing import Final, NamedTuple

from fintrends_tui.state import format as fmt
from fintrends_tui.state.spans import day_place, marker, year_place
from fintrends_tui.state.ticker_facts import amount
from fintrends_tui.widgets.table.cells import Cell, outside, text
from pipeline.contract.snapshot import TickerView

PRICE: Final = 11
CHANGE: Final = 10
RANGE: Final = 9
_EXTENDED: Final = {"pre": "<", "post": ">"}
_TICKS: Final = {1: ("↑", "up"), -1: ("↓", "down"), 0: (" ", "")}
_INTERVALS: Final = {"daily": "d", "60min": "1h"}


class WatchLine(NamedTuple):
    """What a line is painted from. `now` is the time of what is shown, `trend` the width of the sparkline, `flash` 1
    or -1 for a price that has just risen or fallen; of a `stale` ticker all is dim. `hidden` hides the amounts of
    what is held."""

    ticker: TickerView
    now: int
    trend: int = 0
    stale: bool = False
    flash: int = 0
    alerted: bool = False
    noted: bool = False
    hidden: bool = False

    def live(self, words: str, tone: str = "") -> Cell:
        """A value that is as old as its ticker."""
        return text(words, "dim" if self.stale else tone)

    @property
    def decimals(self) -> int:
        """Of the change."""
        return fmt.change_decimals(self.ticker.price, self.ticker.change, self.ticker.ticker)


def name(line: WatchLine) -> Cell:
    """With its marks: ``!`` for an alert that has fired, ``~`` for simulated data, ``*`` for a note, ``<`` for a price
    of before the open, and ``>`` for one of after the close."""
    ticker = line.ticker
    return (
        *text(ticker.ticker, "strong"),
        *text("!" if line.alerted else "", "badge"),
        *text("~" if ticker.simulated else "", "warn"),
        *text("*" if line.noted else "", "accent"),
        *text(_EXTENDED[ticker.extended.session] if ticker.extended is not None else "", "accent"),
    )


def price(line: WatchLine) -> Cell:
    tick, tone = _TICKS[line.flash]
    ticker = line.ticker
    return line.live(f"{amount(ticker.price, ticker.currency, PRICE - 1, ticker.ticker)}{tick}", tone)


def change(line: WatchLine) -> Cell:
    moved, decimals = line.ticker.change, line.decimals
    if moved is None:
        return line.live(fmt.UNKNOWN, "dim")
    told = f"{fmt.arrow(moved, decimals)} {fmt.number(abs(moved), decimals, CHANGE - 2)}"
    return line.live(told, fmt.direction(moved, decimals))


def percent(line: WatchLine) -> Cell:
    moved = line.ticker.change_percent
    return line.live(fmt.percent(moved), fmt.direction(moved))


def volume(line: WatchLine) -> Cell:
    return line.live(fmt.human(line.ticker.volume))


def trend(line: WatchLine) -> Cell:
    return line.live(fmt.sparkline(line.ticker.spark, line.trend), fmt.direction(line.ticker.change, line.decimals))


def rsi(line: WatchLine) -> Cell:
    value = line.ticker.rsi
    return line.live(fmt.number(value, 0), "warn" if value is not None and not 30 <= value <= 70 else "")


def macd(line: WatchLine) -> Cell:
    value = line.ticker.macd_hist
    if value is None:
        return line.live(fmt.UNKNOWN, "dim")
    decimals = fmt.study_decimals(line.ticker.price, line.ticker.ticker)
    return line.live(f"{fmt.arrow(value, decimals)} ", fmt.direction(value, decimals))


def sentiment(line: WatchLine) -> Cell:
    value = line.ticker.sentiment
    return line.live(fmt.signed(value), fmt.direction(value))


def opened(line: WatchLine) -> Cell:
    return _price(line, line.ticker.day.open if line.ticker.day is not None else None)


def high(line: WatchLine) -> Cell:
    return _price(line, line.ticker.day.high if line.ticker.day is not None else None)


def low(line: WatchLine) -> Cell:
    return _price(line, line.ticker.day.low if line.ticker.day is not None else None)


def day_range(line: WatchLine) -> Cell:
    """A line from the day's low to its high, with the price's place."""
    return _marked(line, day_place(line.ticker))


def year_range(line: WatchLine) -> Cell:
    return _marked(line, year_place(line.ticker))


def market_cap(line: WatchLine) -> Cell:
    return line.live(fmt.human(line.ticker.market_cap))


def next_close(line: WatchLine) -> Cell:
    """How far the next close of an interval may be, with 80 %: ``±1.83% d`` of a day, ``±0.12% 1m`` of a minute."""
    said = line.ticker.next_close
    if said is None:
        return line.live(fmt.UNKNOWN, "dim")
    return line.live(f"±{said.percent:.2f}% {_INTERVALS.get(said.interval, said.interval.removesuffix('in'))}")


def extended(line: WatchLine) -> Cell:
    said = line.ticker.extended
    if said is None:
        return text(fmt.UNKNOWN, "dim")
    told = amount(said.price, line.ticker.currency, PRICE, line.ticker.ticker)
    return line.live(told, fmt.direction(said.change_percent))


def source(line: WatchLine) -> Cell:
    return outside(fmt.initials(line.ticker.source), "dim")


def state(line: WatchLine) -> Cell:
    of = line.ticker.state
    return text(of or fmt.UNKNOWN, "warn" if of in ("stale", "away", "delayed") else "dim")


def currency(line: WatchLine) -> Cell:
    return outside(line.ticker.currency or fmt.UNKNOWN, "dim")


def age(line: WatchLine) -> Cell:
    """How long ago it was heard, with an exclamation mark if that is too long; ``shut`` is a closed exchange, ``✗3m`` a
    feed that does not come, and ``d17m`` a price that is seventeen minutes old although it is heard."""
    ticker, now = line.ticker, line.now
    if ticker.state == "away":
        priced = ticker.as_of or ticker.updated_at  # posts may still be heard
        return text("away" if priced is None else f"✗{fmt.age(priced, now)}", "warn")
    if line.stale:
        return text(f"!{fmt.age(ticker.updated_at, now)}", "warn")
    if ticker.state == "closed":
        return text("shut", "dim")
    if ticker.state == "delayed" and ticker.as_of is not None:
        return text(f"d{fmt.duration(now - ticker.as_of)}", "dim")
    return text(fmt.age(ticker.updated_at, now), "dim")


def _price(line: WatchLine, value: float | None) -> Cell:
    return line.live(fmt.price(value, CHANGE, line.ticker.ticker), "" if value is not None else "dim")


def _marked(line: WatchLine, place: float | None) -> Cell:
    if place is None:
        return text(fmt.UNKNOWN, "dim")
    drawn = marker(place, RANGE)
    return (*text(drawn.before, "dim"), *line.live(drawn.mark), *text(drawn.after, "dim"))
