"""A row of candles as a bar. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import Bar, Interval
from pipeline.sources.crypto.exchange import Candles
from pipeline.sources.crypto.pairs import pair_of
from pipeline.sources.outside import number
from pipeline.sources.polling.items import misfit

LENGTHS: Final[dict[Interval, timedelta]] = {"1min": timedelta(minutes=1), "daily": timedelta(days=1)}
"""The intervals that are asked for. A day begins at midnight UTC and has 24 hours, for these markets never close."""
AHEAD: Final = timedelta(minutes=5)
"""How far a provider's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class CandleSeries:
    """Whose candles they are, and when they were seen (UTC)."""

    source: str
    ticker: str
    interval: Interval
    now: datetime

    def bar(self, ts: datetime, **values: object) -> Bar:
        """The bar that begins at `ts`: open, high, low, close and volume are numbers, which may be written as text.

        It is closed once its interval is over by the clock; its revision is when it was seen, in ms since the epoch.

        Raises:
            ValueError: if it is none, begins within an interval, or in a time to come.
        """
        length = LENGTHS[self.interval]
        if ts.timestamp() % length.total_seconds():
            raise ValueError(f"{ts.isoformat()} is not the beginning of a bar of {self.interval}")
        if ts - AHEAD > self.now:
            raise ValueError(
                f"{ts.isoformat()} is a time to come: by the clock of this machine it is {self.now:%Y-%m-%d %H:%M}"
            )
        pair = pair_of(self.ticker)
        fields = {name: number(value) for name, value in values.items()} | {
            "type": "bar",
            "ticker": self.ticker,
            "ts": ts,
            "interval": self.interval,
            "currency": pair.quote if pair else None,
            "closed": ts + length <= self.now,
            "revision": revision_of(self.now),
            "source": self.source,
        }
        return msgspec.convert(fields, Bar)  # converted, not constructed: only that checks the ranges


BarOf = Callable[[msgspec.Raw, CandleSeries], Bar]
"""What a row says; raises ValueError, OverflowError or RecursionError if it is none."""


def candles_in(rows: Iterable[msgspec.Raw], series: CandleSeries, bar_of: BarOf, clock: Clock) -> Candles:
    """The rows as bars, oldest first, and those that are none as dead letters."""
    found = Candles()
    for raw in rows:
        try:
            found.bars.append(bar_of(raw, series))
        except (ValueError, OverflowError, RecursionError) as error:
            found.misfits.append(misfit(series.source, series.ticker, bytes(raw), str(error), clock))
    found.bars.sort(key=lambda bar: bar.ts)
    return found


def of_epoch(seconds: object) -> datetime:
    """The time, of seconds since the epoch.

    Raises:
        ValueError: if there is none.
    """
    known = number(seconds)
    if known is None:
        raise ValueError("it has no time")
    try:
        return datetime.fromtimestamp(known, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{seconds} is not a time") from error


def revision_of(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return int(moment.timestamp() * 1000)
