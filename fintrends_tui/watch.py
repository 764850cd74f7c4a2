"""Which tickers the watchlist shows, and in which order. Pure; knows no widget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.snapshot import TickerView

Groups = Mapping[str, Sequence[str]]
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
    "Volume": lambda ticker: ticker.volume,
    "Trend": _trend,
    "RSI": lambda ticker: ticker.rsi,
    "MACD": lambda ticker: ticker.macd_hist,
    "Sent.": lambda ticker: ticker.sentiment,
    "Age": lambda ticker: -ticker.updated_at if ticker.updated_at is not None else None,
}
"""By the title of its column, what a ticker is sorted by; None is unknown."""


@dataclass(frozen=True)
class Arrangement:
    """`sort` is a key of `ORDERS`, or empty for the watchlist's own order; an unknown `group` is that of all.

    Each column has a first direction, from A to Z and else from the greatest down, and `reverse` turns it round.
    """

    sort: str = ""
    reverse: bool = False
    group: str = ALL
    filter: str = ""

    @property
    def descending(self) -> bool:
        return (self.sort not in ("", "Ticker")) != self.reverse


def pick(tickers: Sequence[TickerView], arrangement: Arrangement, groups: Groups) -> list[TickerView]:
    """The tickers of the group that contain the filter's text, in order; those with nothing to sort by come last."""
    members = groups.get(arrangement.group)
    wanted = arrangement.filter.upper()
    picked = [t for t in tickers if wanted in t.ticker and (members is None or t.ticker in members)]
    key = ORDERS.get(arrangement.sort)
    if key is None:
        return picked[::-1] if arrangement.reverse else picked
    keyed = [(value, ticker) for ticker in picked if (value := key(ticker)) is not None]
    keyed.sort(key=lambda item: item[0], reverse=arrangement.descending)
    return [*(ticker for _, ticker in keyed), *(ticker for ticker in picked if key(ticker) is None)]
