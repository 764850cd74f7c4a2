"""Which tickers the watchlist shows, and in which order. Pure; knows no widget."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from fintrends_tui.state.expression import Condition, ExpressionError, is_expression, parse
from fintrends_tui.state.expression import Groups as Groups  # which all others take from here
from fintrends_tui.state.positions import POSITION_ORDERS
from fintrends_tui.state.spans import day_place, year_place
from pipeline.contract.snapshot import TickerView

ALL: Final = "all"
"""The group of every ticker; no other may have its name."""


def _trend(ticker: TickerView) -> float | None:
    """The relative change over the sparkline."""
    return ticker.spark[-1] / ticker.spark[0] - 1 if ticker.spark and ticker.spark[0] else None


ORDERS: Final[Mapping[str, Callable[[TickerView], float | str | None]]] = {
    "Ticker": lambda ticker: ticker.ticker,
    "Price": lambda ticker: ticker.price,
    "Change": lambda ticker: ticker.change,
    "%": lambda ticker: ticker.change_percent,
    "Range": day_place,
    "Volume": lambda ticker: ticker.volume,
    "Trend": _trend,
    "RSI": lambda ticker: ticker.rsi,
    "MACD": lambda ticker: ticker.macd_hist,
    "Sent.": lambda ticker: ticker.sentiment,
    "Src": lambda ticker: ticker.source or None,
    "Open": lambda ticker: ticker.day.open if ticker.day is not None else None,
    "High": lambda ticker: ticker.day.high if ticker.day is not None else None,
    "Low": lambda ticker: ticker.day.low if ticker.day is not None else None,
    "52w": year_place,
    "Cap": lambda ticker: ticker.market_cap,
    "Fcst.": lambda ticker: ticker.next_close.percent if ticker.next_close is not None else None,
    "Ext.": lambda ticker: ticker.extended.change_percent if ticker.extended is not None else None,
    "State": lambda ticker: ticker.state or None,
    "Cur.": lambda ticker: ticker.currency or None,
    **POSITION_ORDERS,
    "Age": lambda ticker: -ticker.updated_at if ticker.updated_at is not None else None,
}
"""By the title of its column, what a ticker is sorted by; None is unknown."""


@dataclass(frozen=True)
class Arrangement:
    """`sort` is a key of `ORDERS`, or empty for the watchlist's own order, and `then` that of tickers which are alike
    by it; an unknown `group` is that of all. The `filter` is parts of tickers, or a condition (see `expression`).

    Each column has a first direction, from A to Z and else from the greatest down, and `reverse` and `then_reverse`
    reverse it.
    """

    sort: str = ""
    reverse: bool = False
    group: str = ALL
    filter: str = ""
    then: str = ""
    then_reverse: bool = False

    @property
    def descending(self) -> bool:
        return _descends(self.sort, self.reverse)

    @property
    def then_descending(self) -> bool:
        return _descends(self.then, self.then_reverse)

    @property
    def mistake(self) -> str:
        """Why the filter is no condition although it looks like one; empty if it is, or need not be."""
        return _condition(self.filter)[1] if is_expression(self.filter) else ""

    def by(self, title: str) -> "Arrangement":
        """Sorted by this column, and what is alike as it was before; by the same again, turned round."""
        if title == self.sort:
            return replace(self, reverse=not self.reverse)
        if not title:
            return replace(self, sort="", reverse=False, then="", then_reverse=False)
        return replace(self, sort=title, reverse=False, then=self.sort, then_reverse=self.reverse)


def pick(tickers: Sequence[TickerView], arrangement: Arrangement, groups: Groups) -> list[TickerView]:
    """The tickers of the group that the filter lets through, in order; those with nothing to sort by come last. A
    filter that cannot be understood lets all through."""
    members = groups.get(arrangement.group)
    picked = [t for t in tickers if members is None or t.ticker in members]
    if is_expression(arrangement.filter):
        if (condition := _condition(arrangement.filter)[0]) is not None:
            picked = [ticker for ticker in picked if condition(ticker, groups)]
    else:
        words = re.split(r"[\s,;]+", arrangement.filter.upper().strip(" ,;"))
        picked = [ticker for ticker in picked if any(word in ticker.ticker for word in words)]
    if not arrangement.sort:
        return picked[::-1] if arrangement.reverse else picked
    picked = _sorted(picked, arrangement.then, descending=arrangement.then_descending)
    return _sorted(picked, arrangement.sort, descending=arrangement.descending)


def _descends(title: str, reverse: bool) -> bool:
    return (title not in ("", "Ticker", "Src", "State", "Cur.")) != reverse


def _sorted(tickers: list[TickerView], title: str, *, descending: bool) -> list[TickerView]:
    """What is alike stays in its order."""
    key = ORDERS.get(title)
    if key is None:
        return tickers
    keyed = [(value, ticker) for ticker in tickers if (value := key(ticker)) is not None]
    keyed.sort(key=lambda item: item[0], reverse=descending)
    return [*(ticker for _, ticker in keyed), *(ticker for ticker in tickers if key(ticker) is None)]


@lru_cache(maxsize=64)
def _condition(text: str) -> tuple[Condition | None, str]:
    """The condition, or None and what is wrong with it."""
    try:
        return parse(text), ""
    except ExpressionError as error:
        return None, str(error)
