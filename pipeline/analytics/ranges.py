"""How far a price has gone: in the day so far, and in 52 weeks. Pure."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from pipeline.analytics.columns import BarColumns
from pipeline.analytics.extended_hours import RegularHours
from pipeline.analytics.indicators import session_of
from pipeline.model.messages import Interval, Quote
from pipeline.model.sessions import Session
from pipeline.model.splits import jumps
from pipeline.model.times import microseconds

YEAR: Final = 364
"""Days of the 52 weeks."""
YEAR_SESSIONS: Final = YEAR + 8
"""Daily bars that reach over them, also of what trades every day."""
_GAP: Final = 7
"""Days. No exchange of note has been closed for longer: more without a bar is a hole."""
_LENGTHS: Final[dict[Interval, int]] = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "60min": 60}
_MINUTE: Final = 60_000_000
_TOLD: Final = ("open", "high", "low", "year_high", "year_low", "market_cap")


class Extremes(NamedTuple):
    """The highest price and the lowest."""

    high: float
    low: float

    def over(self, *prices: float | None) -> Self:
        """With these in it."""
        known = [price for price in prices if price is not None]
        return self._replace(high=max(self.high, *known), low=min(self.low, *known)) if known else self


class DayRange(NamedTuple):
    """Of the regular trading of one day; the opening price may be unknown."""

    open: float | None
    extremes: Extremes


class DayBars(NamedTuple):
    """The bars of one interval from `start` to before `stop`, at least one: those of one day's regular trading."""

    interval: Interval
    bars: BarColumns
    start: int
    stop: int

    @property
    def open(self) -> float:
        return self.bars.opening(self.start)

    @property
    def extremes(self) -> Extremes:
        return Extremes(max(self.bars.high[self.start : self.stop]), min(self.bars.low[self.start : self.stop]))

    def begins_by(self, opening: int) -> bool:
        """Whether the first is that of the opening, which is in microseconds since the epoch. It may be labelled with
        its end."""
        return self.interval == "daily" or self.bars.ts[self.start] <= opening + _LENGTHS[self.interval] * _MINUTE


def day_bars(interval: Interval, bars: BarColumns, day: int, regular: Session | None) -> DayBars | None:
    """Those of the day; of the `regular` session only, where others are told apart from them."""
    start, stop = bars.before(day), bars.until(day)
    if regular is not None and interval != "daily":
        stop = bisect_left(bars.ts, microseconds(regular.close), start, stop)
        start = bisect_left(bars.ts, microseconds(regular.open), start, stop)
    return DayBars(interval, bars, start, stop) if start < stop else None


class SeenDay(NamedTuple):
    """A day as bars show it. The opening price is that of bars which begin with the day; without any such it is None,
    and the bars may not have seen the highest price of it, or the lowest."""

    open: float | None
    extremes: Extremes


def seen_day(found: Sequence[DayBars], opening: int, *, whole: bool) -> SeenDay | None:
    """The bars of a day together. `opening` is in microseconds since the epoch; `whole` says that all bars begin with
    the day, as those of a recording do."""
    if not found:
        return None
    daily_first = sorted(found, key=lambda bars: bars.interval != "daily")
    extremes = [bars.extremes for bars in found]
    return SeenDay(
        next((bars.open for bars in daily_first if whole or bars.begins_by(opening)), None),
        Extremes(max(of.high for of in extremes), min(of.low for of in extremes)),
    )


def day_range(said: DayRange | None, seen: SeenDay | None) -> DayRange | None:
    """What was said of a day and what was seen of it, together; None where neither reaches back to its beginning."""
    if said is None:
        return None if seen is None or seen.open is None else DayRange(*seen)
    if seen is None:
        return said
    return DayRange(said.open if seen.open is None else seen.open, said.extremes.over(*seen.extremes))


def year_range(bars: BarColumns | None, day: int) -> Extremes | str:
    """Of the daily bars of the 52 weeks up to that day; else why not: there is a hole in them, or a price jumps as at a
    split, before and after which prices are not to be compared."""
    start, stop = (bars.before(day - YEAR), bars.until(day)) if bars is not None else (0, 0)
    if bars is None or start == stop:
        return "no daily bars are stored"
    days = [day - YEAR, *bars.session[start:stop], day]
    hole = next((i for i in range(len(days) - 1) if days[i + 1] - days[i] > _GAP), None)
    if hole == 0:
        return f"daily bars reach back to {date.fromordinal(days[1])} only"
    if hole is not None:
        return f"there are no daily bars for a while after {date.fromordinal(days[hole])}"
    if jumps(bars.days(start, stop)):
        return "prices jump as at a split"
    return DayBars("daily", bars, start, stop).extremes


def midnight(day: int, zone: ZoneInfo) -> int:
    """In microseconds since the epoch."""
    return microseconds(datetime.combine(date.fromordinal(day), time.min, zone))


class QuotedFigures:
    """What the quotes of one source say beside the price: of each figure the latest that says it, in whatever order
    they come."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._said: dict[str, tuple[datetime, float]] = {}

    def put(self, quote: Quote) -> None:
        for name in _TOLD:
            value = getattr(quote, name)
            if value is not None:
                said = quote.ts, value
                self._said[name] = max(self._said.get(name, said), said)

    def market_cap(self, day: int) -> float | None:
        """As it was said at most a week before that day."""
        return self._of("market_cap", day - _GAP, day)

    def day(self, day: int) -> DayRange | None:
        """Of that day; None if it was not said."""
        extremes = self._between("high", "low", day, day)
        return None if extremes is None else DayRange(self._of("open", day, day), extremes)

    def year(self, day: int) -> Extremes | None:
        """As it was said at most a week before that day."""
        return self._between("year_high", "year_low", day - _GAP, day)

    def _between(self, highest: str, lowest: str, first: int, last: int) -> Extremes | None:
        high, low = self._of(highest, first, last), self._of(lowest, first, last)
        return Extremes(high, low) if high is not None and low is not None and low <= high else None

    def _of(self, name: str, first: int, last: int) -> float | None:
        said = self._said.get(name)
        return said[1] if said is not None and first <= session_of(said[0], self._zone) <= last else None


class PriceRanges:
    """The ranges of one source's prices of one ticker. What follows from bars is kept until another comes, for quotes
    come more often."""

    def __init__(self, zone: ZoneInfo, hours: RegularHours | None, *, whole: bool) -> None:
        """`hours` are as of `SourceState`; `whole` says that bars always begin with the day, as in a recording."""
        self._zone = zone
        self._hours = hours
        self._whole = whole
        self._quoted = QuotedFigures(zone)
        self._seen: tuple[int, SeenDay | None] | None = None
        self._year: tuple[int, Extremes | str] | None = None

    def market_cap(self, day: int | None) -> float | None:
        return None if day is None else self._quoted.market_cap(day)

    def put_quote(self, quote: Quote) -> None:
        self._quoted.put(quote)

    def put_bars(self, interval: Interval) -> None:
        """Some of that interval have come."""
        self._seen = None
        if interval == "daily":
            self._year = None

    def until(
        self, day: int | None, price: float | None, bars: Mapping[Interval, BarColumns], *, apart: bool
    ) -> tuple[DayRange | None, Extremes | str]:
        """Of that day, on which there is that price, and of the 52 weeks up to it, or why there is none. `apart` says
        that bars of before the open and after the close are told apart from others."""
        if day is None:
            return None, ""
        seen = self._seen_on(day, bars, apart=apart)
        today = day_range(self._quoted.day(day), seen)
        year: Extremes | str = self._quoted.year(day) or self._of_daily(day, bars.get("daily"))
        return (
            None if today is None else today._replace(extremes=today.extremes.over(price)),
            year if isinstance(year, str) else year.over(price, *(seen.extremes if seen is not None else ())),
        )

    def _seen_on(self, day: int, bars: Mapping[Interval, BarColumns], *, apart: bool) -> SeenDay | None:
        if self._seen is None or self._seen[0] != day:
            session = self._hours.session_of(date.fromordinal(day)) if self._hours is not None else None
            regular = session if apart else None
            found = [day_bars(interval, columns, day, regular) for interval, columns in bars.items()]
            opening = microseconds(session.open) if session is not None else midnight(day, self._zone)
            self._seen = day, seen_day([of for of in found if of is not None], opening, whole=self._whole)
        return self._seen[1]

    def _of_daily(self, day: int, daily: BarColumns | None) -> Extremes | str:
        if self._year is None or self._year[0] != day:
            self._year = day, year_range(daily, day)
        return self._year[1]
