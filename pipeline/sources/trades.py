"""Bars of a minute from single trades. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.model.messages import Bar

MINUTE: Final = timedelta(minutes=1)
GRACE: Final = timedelta(seconds=2)
"""After the end of a minute, until its bar is closed: trades take that long to arrive."""
KEPT: Final = timedelta(minutes=30)
"""After the end of a minute, until a trade no longer corrects its bar."""
AHEAD: Final = timedelta(minutes=1)
"""How far the clock of an exchange may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Trade:
    """`size` is in shares; it may be 0 where only the price is told. `at` is UTC, when it was made."""

    ticker: str
    price: float
    size: float
    at: datetime


@dataclass(slots=True)
class _Minute:
    open: float
    high: float
    low: float
    close: float
    volume: float
    first: datetime
    last: datetime
    closed: bool = False
    changed: bool = True
    revision: int = 0

    def add(self, trade: Trade) -> None:
        """Open and close are those of the first and the last trade by their times, whatever their order of arrival."""
        if trade.at < self.first:
            self.first, self.open = trade.at, trade.price
        if trade.at >= self.last:
            self.last, self.close = trade.at, trade.price
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.volume += trade.size
        self.changed = True


class MinuteBars:
    """The bars of one source, from the first whole minute that a ticker's trades are heard.

    The minute under way at that time gives no bar: an earlier run may have made a whole one of it. A late trade
    corrects its bar, with a higher revision. What has changed is handed out until it is said to be published.
    """

    def __init__(self, source: str, currency: str | None = None) -> None:
        self._source = source
        self._currency = currency
        self._heard_since: dict[str, datetime] = {}
        self._minutes: dict[tuple[str, datetime], _Minute] = {}
        self._unpublished: dict[tuple[str, datetime], Bar] = {}

    def begin(self, ticker: str, now: datetime) -> None:
        """Say that its trades are heard from now on; again for one that is heard already changes nothing."""
        self._heard_since.setdefault(ticker, now)

    def end(self, ticker: str) -> None:
        """Say that its trades are no longer heard: nothing more is handed out of it."""
        self._heard_since.pop(ticker, None)
        for key in [key for key in self._minutes if key[0] == ticker]:
            del self._minutes[key]
            self._unpublished.pop(key, None)

    def keep(self, tickers: Collection[str]) -> None:
        """End all others."""
        for gone in self._heard_since.keys() - set(tickers):
            self.end(gone)

    def add(self, trade: Trade, now: datetime) -> None:
        """Put the trade into the bar of its minute.

        Raises:
            ValueError: if that minute is long over, or to come.
        """
        start = trade.at.replace(second=0, microsecond=0)
        since = self._heard_since.get(trade.ticker)
        if since is None or start < since:
            return
        if trade.at > now + AHEAD:
            raise ValueError(f"{trade.at.isoformat()} is a time to come")
        if start + MINUTE + KEPT <= now:
            raise ValueError(f"{trade.at.isoformat()} is too long ago to correct the bar of that minute")
        key = trade.ticker, start
        minute = self._minutes.get(key)
        if minute is None:
            price = trade.price
            self._minutes[key] = _Minute(price, price, price, price, trade.size, trade.at, trade.at)
        else:
            minute.add(trade)

    def changed(self, now: datetime) -> Sequence[Bar]:
        """The bars that are new, corrected or closed since they were last published, oldest first."""
        for key, minute in list(self._minutes.items()):
            end = key[1] + MINUTE
            if not minute.closed and end + GRACE <= now:
                minute.closed = minute.changed = True
            if minute.changed:
                minute.changed = False
                minute.revision = max(minute.revision + 1, int(now.timestamp() * 1000))
                self._unpublished[key] = self._bar(key, minute)
            elif end + KEPT <= now:
                del self._minutes[key]
        return sorted(self._unpublished.values(), key=lambda bar: (bar.ts, bar.ticker))

    def published(self, bars: Iterable[Bar]) -> None:
        """Say that these need not be handed out again."""
        for bar in bars:
            if self._unpublished.get((bar.ticker, bar.ts)) == bar:
                del self._unpublished[bar.ticker, bar.ts]

    def _bar(self, key: tuple[str, datetime], minute: _Minute) -> Bar:
        ticker, start = key
        return Bar(
            ticker=ticker,
            ts=start.astimezone(UTC),
            interval="1min",
            open=minute.open,
            high=minute.high,
            low=minute.low,
            close=minute.close,
            volume=minute.volume,
            currency=self._currency,
            closed=minute.closed,
            revision=minute.revision,
            source=self._source,
        )
