"""The present price in a chart: what the watchlist says is later than the last bar, or makes that one complete."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from fintrends_tui.charting.buckets import Candle, Step, offset
from fintrends_tui.charting.times import local
from pipeline.contract.protocol import BarPoint, History
from pipeline.contract.snapshot import TickerView

_DAY: Final = 86_400


class Present(NamedTuple):
    """The latest price, and its time in seconds since the epoch."""

    price: float
    at: float


def present(row: TickerView | None, history: History, *, extended: bool) -> Present | None:
    """The latest price of the history's source; one of before the open or after the close only where `extended` ones
    are shown. None while nothing is known."""
    if row is None or (row.source and history.source and row.source != history.source):
        return None
    if extended and row.extended is not None:
        return Present(row.extended.price, row.extended.as_of)
    return None if row.price is None or row.as_of is None else Present(row.price, row.as_of)


def with_today(bars: Sequence[BarPoint], row: TickerView, zone: tzinfo) -> Sequence[BarPoint]:
    """Daily bars, one at least, the last of which is of the day of the price: those of a provider may be a day behind,
    and its bar of today some trades. A day whose range is not known in full has no bar."""
    if row.price is None or row.as_of is None:
        return bars
    last, today = bars[-1], _day_of(row.as_of, zone)
    if _day_of(last.ts, zone) == today:
        high, low = max(last.high, row.price), min(last.low, row.price)
        return [*bars[:-1], BarPoint(last.ts, last.open, high, low, row.price, last.volume, last.extended)]
    day = row.day
    if _day_of(last.ts, zone) > today or day is None or day.open is None:
        return bars
    midnight: datetime = local(row.as_of, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=zone)
    return [*bars, BarPoint(midnight.timestamp(), day.open, day.high, day.low, row.price, row.volume)]


def price_now(now: Present | None, candles: Sequence[Candle], step: Step) -> float | None:
    """The latest price, unless the last candle is later: a bar is named by its beginning, or by its end."""
    return now.price if now is not None and now.at >= candles[-1].ts - step.seconds else None


def _day_of(ts: float, zone: tzinfo) -> int:
    return int((ts + offset(zone, ts)) // _DAY)
