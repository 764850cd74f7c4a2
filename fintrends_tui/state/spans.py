"""Where a price stands between a lowest and a highest one, and how far from them. Pure; knows no widget."""

from typing import NamedTuple

from pipeline.contract.snapshot import TickerView


class Marker(NamedTuple):
    """A line with the price's place on it: what is before, the mark, and what is after."""

    before: str
    mark: str
    after: str


def place(price: float | None, low: float | None, high: float | None) -> float | None:
    """From 0, the lowest, to 1; None where something is not known, and where nothing has moved."""
    if price is None or low is None or high is None or high <= low:
        return None
    return max(0.0, min(1.0, (price - low) / (high - low)))


def day_place(ticker: TickerView) -> float | None:
    """Between the day's low and high."""
    return None if ticker.day is None else place(ticker.price, ticker.day.low, ticker.day.high)


def year_place(ticker: TickerView) -> float | None:
    """Between the low and the high of 52 weeks."""
    return None if ticker.year is None else place(ticker.price, ticker.year.low, ticker.year.high)


def marker(at: float, width: int) -> Marker:
    """The place, from 0 to 1, on a line of so many cells: ``──●─────``."""
    index = round(at * (width - 1))
    return Marker("─" * index, "●", "─" * (width - 1 - index))


def percent_from(price: float | None, other: float | None) -> float | None:
    """How far the price is from another, in per cent of that; None where that says nothing."""
    return 100 * (price / other - 1) if price is not None and other is not None and other > 0 else None
