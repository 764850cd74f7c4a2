"""When a symbol is traded, as Yahoo's replies say it. No I/O. Times are whole seconds since the epoch."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from pipeline.model.messages import MarketSession

SESSIONS: Final[tuple[MarketSession, ...]] = ("pre", "regular", "post")
_ALWAYS: Final = 23 * 3600
"""A regular session as long as this is one of the whole day, as for crypto-currencies, pairs and futures."""


class Period(NamedTuple):
    """From `start` until before `end`."""

    session: MarketSession
    start: int
    end: int

    def __contains__(self, at: object) -> bool:
        return isinstance(at, int) and self.start <= at < self.end


class SymbolHours(NamedTuple):
    """`current` are the parts of the day that is on or comes next, `periods` those and what else a reply names."""

    current: tuple[Period, ...] = ()
    periods: tuple[Period, ...] = ()

    @property
    def regular(self) -> Period | None:
        """The regular session of the day that is on or comes next."""
        return next((period for period in self.current if period.session == "regular"), None)

    @property
    def all_day(self) -> bool:
        """Whether there is a price at any hour."""
        return self.regular is not None and self.regular.end - self.regular.start >= _ALWAYS

    def at(self, moment: int) -> Period | None:
        """The part of the day that the moment lies in."""
        return next((period for period in self.periods if moment in period), None)

    def is_open(self, now: datetime, margin: timedelta = timedelta()) -> bool:
        """Whether prices move now, or did until `margin` ago; so it is taken where the hours are not known."""
        if not self.current or self.all_day:
            return True
        first, last = min(p.start for p in self.current), max(p.end for p in self.current)
        return first <= now.timestamp() < last + margin.total_seconds()

    def next_open(self, now: datetime) -> datetime | None:
        """When it opens next, where that is known."""
        starts = [p.start for p in self.current if p.start > now.timestamp()]
        return datetime.fromtimestamp(min(starts), UTC) if starts else None


def trading(current: Any, periods: Any) -> SymbolHours:
    """The hours in the fields `currentTradingPeriod` and `tradingPeriods`; what cannot be read is left out."""
    now = tuple(_periods(current))
    return SymbolHours(now, tuple(dict.fromkeys((*now, *_periods(periods)))))


def _periods(value: Any) -> Iterator[Period]:
    """Of `{"pre": …, "regular": …, "post": …}`; a list alone is of regular sessions. Those of length 0 do not exist."""
    named = value if isinstance(value, dict) else {"regular": value}
    for session in SESSIONS:
        for item in _flat(named.get(session)):
            start, end = item.get("start"), item.get("end")
            if type(start) is int and type(end) is int and start < end:
                yield Period(session, start, end)


def _flat(value: Any, depth: int = 3) -> Iterator[dict[str, Any]]:
    """The objects in lists within lists."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _flat(item, depth - 1)
