"""What one source says of one ticker: the latest of everything, and the figures that follow. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.analytics.columns import APPENDED, BarColumns
from pipeline.analytics.extended_hours import Extended, RegularHours
from pipeline.analytics.forecasts.latest import LatestForecasts
from pipeline.analytics.indicators import session_of
from pipeline.analytics.ranges import YEAR_SESSIONS, DayRange, Extremes, PriceRanges
from pipeline.contract.snapshot import ForecastView
from pipeline.model.documents import version_of
from pipeline.model.messages import INTERVALS, Bar, Dividend, Forecast, IndicatorRow, Interval, Quote, Split
from pipeline.model.returns import return_of
from pipeline.model.splits import jumps, told
from pipeline.model.times import microseconds

SPARK: Final = 32
RECORDINGS: Final = frozenset({"replay"})
"""Sources that play back recordings: their daily history reaches beyond the present of the replay."""
# Sessions that are kept of an interval; a daily bar is one of its own, and history may hold days to come.
_SESSIONS: Final = 4
_SPLITS: Final = 60
"""Daily bars in which a split is looked for: those that indicators look back on."""
_NEWEST: Final = 5
"""Bars that the store may not have yet."""
LATELY: Final = 7
"""Days. No exchange of note has been closed for longer: what is older says nothing of the day before, or of now."""

OfSeries = Bar | Quote | Split | Dividend | IndicatorRow | Forecast


class Figures(NamedTuple):
    """What one source says of a ticker now. Times are microseconds since the epoch, days proleptic ordinals.

    `price` is that of regular trading, `extended` a later one of before the open or after the close. `row` is the
    latest row of indicators, `interval` and `spark` are of the bars that show the price's course. `regular` is the
    trading of the price's day, `year` the 52 weeks up to it, or why they are not known.
    """

    price: float | None = None
    as_of: int | None = None
    day: int | None = None
    volume: float | None = None
    previous: float | None = None
    row: IndicatorRow | None = None
    interval: Interval | None = None
    spark: Sequence[float] = ()
    simulated: bool = False
    split: str = ""
    currency: str = ""
    extended: Extended | None = None
    regular: DayRange | None = None
    year: Extremes | str = ""
    market_cap: float | None = None

    @property
    def change(self) -> float | None:
        return None if self.price is None or self.previous is None else self.price - self.previous

    @property
    def change_percent(self) -> float | None:
        """None from or to what is below zero, of which a percentage says nothing."""
        change = None if self.price is None or self.previous is None else return_of(self.price, self.previous)
        return None if change is None else 100 * change


class _Series:
    """The bars of the latest sessions of one interval."""

    def __init__(self, zone: ZoneInfo, sessions: int) -> None:
        self.bars = BarColumns(zone, ranked=False)
        self._most = sessions
        self._sessions = 0

    def put_all(self, bars: Sequence[Bar]) -> bool:
        """Whether anything has changed."""
        count = len(self.bars)
        if len(bars) < APPENDED or self.bars.append(bars) is None:
            changed = [self._put(bar) for bar in bars]
            return any(changed)
        sessions = self.bars.session[max(0, count - 1) :]
        self._sessions += len(set(sessions)) - (count > 0)
        while self._sessions > self._most:
            self._sessions -= 1
            self.bars.drop(self.bars.until(self.bars.session[0]))
        return True

    def _put(self, bar: Bar) -> bool:
        bars = self.bars
        count = len(bars.ts)
        index, is_news = bars.put(bar)
        if len(bars.ts) == count:
            return is_news
        sessions = bars.session
        session = sessions[index]
        if (index and sessions[index - 1] == session) or (index < count and sessions[index + 1] == session):
            return True
        self._sessions += 1
        if self._sessions <= self._most:
            return True
        self._sessions -= 1
        bars.drop(bars.until(sessions[0]))
        return index > 0  # or it is what is too old


class SourceState:
    """What is known of one ticker from one source.

    `hours` are those of regular trading, where there is another. A source tells them apart if its quotes say which part
    of the day they are of; the bars of others are taken for regular ones.
    """

    def __init__(self, name: str, zone: ZoneInfo, hours: RegularHours | None = None) -> None:
        self.heard_at: float | None = None
        self.chart_version = 0
        self.rows_version = 0
        self._name = name
        self._is_recording = name in RECORDINGS
        self._zone = zone
        self._hours = hours
        self._tells_parts = False
        self._regular_quote: Quote | None = None
        self._extended_quote: Quote | None = None
        self._currency: tuple[datetime, str] | None = None
        """What the latest message that names one says, and its time."""
        self.splits: dict[datetime, Split] = {}
        self.dividend: Dividend | None = None
        self._series: dict[Interval, _Series] = {}
        self._rows: dict[Interval, IndicatorRow] = {}
        self.forecasts = LatestForecasts()
        self._forecast_views: list[ForecastView] | None = None
        self._split: str | None = ""
        """The note about a split; None if it has yet to be looked for."""
        self._ranges = PriceRanges(zone, hours, whole=self._is_recording)

    def put(self, run: Sequence[OfSeries]) -> bool:
        """Take messages of one type, and of one interval where that has any; whether they change the bars."""
        match run[0]:
            case Bar():
                return self._put_bars(run)  # type: ignore[arg-type]
            case IndicatorRow():
                self._put_rows(run)  # type: ignore[arg-type]
            case _:
                for message in run:
                    self._put_other(message)  # type: ignore[arg-type]
        return False

    def _put_bars(self, bars: Sequence[Bar]) -> bool:
        interval = bars[0].interval
        self._put_currency([(bar.ts, bar.currency) for bar in bars if bar.currency is not None])
        self._ranges.put_bars(interval)
        if interval == "daily":
            self._split = None
        series = self._series.get(interval)
        if series is None:
            sessions = YEAR_SESSIONS if interval == "daily" else _SESSIONS
            series = self._series[interval] = _Series(self._zone, sessions)
        return series.put_all(bars)

    def _put_rows(self, rows: Sequence[IndicatorRow]) -> None:
        self.rows_version += 1
        for row in rows:
            self._rows[row.interval] = _newer(row, self._rows.get(row.interval))

    def _put_currency(self, named: list[tuple[datetime, str]]) -> None:
        if named:
            known = [] if self._currency is None else [self._currency]
            self._currency = max(known + named)

    def _put_other(self, message: Quote | Split | Dividend | Forecast) -> None:
        if isinstance(message, Quote) and message.currency is not None:
            self._put_currency([(message.ts, message.currency)])
        match message:
            case Quote(session="pre" | "post"):
                self._tells_parts = True
                self._extended_quote = _newer(message, self._extended_quote)
            case Quote():
                self._tells_parts |= message.session is not None
                self._ranges.put_quote(message)
                self._regular_quote = _newer(message, self._regular_quote)
            case Split():
                self.splits[message.ts] = _newer(message, self.splits.get(message.ts))
            case Dividend():
                self.dividend = _newer(message, self.dividend)
            case Forecast():
                self.forecasts.put(message)
                self._forecast_views = None

    @property
    def _quote(self) -> Quote | None:
        """That of regular trading; of what is only known before the open or after the close, that."""
        return self._extended_quote if self._regular_quote is None and not self._series else self._regular_quote

    @property
    def forecast_views(self) -> list[ForecastView]:
        """Of each interval, the finest first."""
        if self._forecast_views is None:
            self._forecast_views = self.forecasts.views()
        return self._forecast_views

    @property
    def rows(self) -> list[IndicatorRow]:
        """The latest of each interval, the finest first."""
        return [self._rows[interval] for interval in INTERVALS if interval in self._rows]

    def newest(self, ticker: str, interval: Interval) -> list[Bar | IndicatorRow]:
        """The last few bars of one interval, and the last row of their indicators."""
        series, row = self._series.get(interval), self._rows.get(interval)
        bars = series.bars.newest(_NEWEST, ticker, interval, self._name) if series is not None else []
        return [*bars, *([row] if row is not None else [])]

    def figures(self, today: int) -> Figures:
        """Of all that the source says, what is of the latest exchange day comes first, and then the finest interval."""
        limit = self._last_day(today)
        quote, quote_day = self._quote, self._quote_day()
        price, as_of, day, volume = None, None, None, None
        simulated = False
        if (latest := self._latest_bar(limit)) is not None:
            bars, index = latest
            price, as_of, day = bars.close[index], bars.observed(index), bars.session[index]
            simulated = bool(bars.simulated[index])
            volume = bars.volume_of(bars.before(day), index + 1)
        if quote is not None and (as_of is None or microseconds(quote.ts) >= as_of):
            price, as_of = quote.price, microseconds(quote.ts)
            volume = volume if day == quote_day else None
            day, simulated = quote_day, quote.simulated
        if quote is not None and day == quote_day and quote.volume is not None:
            volume = quote.volume  # of its own day it knows best: the bars at hand need not reach back to the morning
        extended = self._extended(limit)
        if extended is not None and as_of is not None and extended.as_of <= as_of and quote is not self._extended_quote:
            extended = None
        row = self._latest_row(limit, day)
        interval, spark = self._course(limit, day)
        columns = {interval: series.bars for interval, series in self._series.items()}
        regular, year = self._ranges.until(day, price, columns, apart=self._tells_parts)
        return Figures(
            price=price,
            as_of=as_of,
            day=day,
            volume=volume,
            previous=None if day is None else self._close_before(day),
            row=row,
            interval=interval,
            spark=spark,
            simulated=simulated if price is not None or row is None else row.simulated,
            split=self._split_told(),
            currency=self._currency[1] if self._currency is not None else "",
            extended=extended,
            regular=regular,
            year=year,
            market_cap=self._ranges.market_cap(day),
        )

    def _extended(self, limit: int | None) -> Extended | None:
        """The latest price of before the open or after the close."""
        found = []
        if (quote := self._extended_quote) is not None and quote.session in ("pre", "post"):
            found.append(Extended(microseconds(quote.ts), quote.price, quote.session))
        if self._hours is not None and self._tells_parts:
            for interval, bars, index in self._latest_bars(limit):
                if self._regular(interval, bars, index + 1) <= index:
                    found.append(self._hours.extended(bars, index))
        return max(found, default=None)

    def _regular(self, interval: Interval, bars: BarColumns, stop: int) -> int:
        """How many of the first `stop` bars there are up to the last of regular trading."""
        if self._hours is None or not self._tells_parts or interval == "daily":
            return stop
        return self._hours.until_last(bars, stop)

    def _split_told(self) -> str:
        """What looks like a split among the sessions kept, which are those that indicators look back on."""
        if self._split is None:
            daily = self._series.get("daily")
            self._split = told(jumps(daily.bars.days(-_SPLITS)), self._zone) if daily is not None else ""
        return self._split

    def newest_day(self, figures: Figures) -> int:
        """The day of the newest figure; 0 if there is none."""
        if figures.day is not None:
            return figures.day
        return 0 if figures.row is None else session_of(figures.row.ts, self._zone)

    def row_of_today(self, figures: Figures) -> IndicatorRow | None:
        """The row, unless it is of an earlier day than the price."""
        row = figures.row
        return row if row is not None and figures.day in (None, session_of(row.ts, self._zone)) else None

    def _quote_day(self) -> int | None:
        return None if self._quote is None else session_of(self._quote.ts, self._zone)

    def _last_day(self, today: int) -> int | None:
        """The day after which nothing counts; None if all does.

        Where a recording is played back, the daily history has days that are in the future there: the present is the
        day of what is finer. A source is taken for a recording by its name, or if its daily history reaches beyond
        `today`.
        """
        finer = [series.bars.session[-1] for interval, series in self._series.items() if interval != "daily"]
        finer += [session_of(row.ts, self._zone) for interval, row in self._rows.items() if interval != "daily"]
        if (quote_day := self._quote_day()) is not None:
            finer.append(quote_day)
        daily = self._series["daily"].bars.session[-1] if "daily" in self._series else 0
        if "daily" in self._rows:
            daily = max(daily, session_of(self._rows["daily"].ts, self._zone))
        return max(finer) if finer and (self._is_recording or daily > today) else None

    def _latest_bars(self, limit: int | None) -> list[tuple[Interval, BarColumns, int]]:
        """Of each interval, the finest first: its bars, and the position of the latest that counts."""
        found: list[tuple[Interval, BarColumns, int]] = []
        for interval in INTERVALS:
            if interval in self._series:
                bars = self._series[interval].bars
                if (stop := len(bars) if limit is None else bars.until(limit)) > 0:
                    found.append((interval, bars, stop - 1))
        return found

    def _latest_bar(self, limit: int | None) -> tuple[BarColumns, int] | None:
        """That of the latest day of regular trading, and there the one seen last; a daily one only where no other is of
        that day."""
        latest = [
            (interval, bars, stop - 1)
            for interval, bars, index in self._latest_bars(limit)
            if (stop := self._regular(interval, bars, index + 1))
        ]
        if not latest:
            return None
        _, bars, index = max(
            latest, key=lambda bar: (bar[1].session[bar[2]], bar[0] != "daily", bar[1].observed(bar[2]))
        )
        return bars, index

    def _course(self, limit: int | None, day: int | None) -> tuple[Interval | None, list[float]]:
        """The interval that shows how the price went, and its latest closes, unless they are of long before."""
        latest = self._latest_bars(limit)
        if not latest:
            return None, []
        interval, bars, index = max(latest, key=lambda bar: bar[1].session[bar[2]])
        is_old = day is not None and day - bars.session[index] > LATELY
        return interval, [] if is_old else bars.close[max(0, index + 1 - SPARK) : index + 1].tolist()

    def _latest_row(self, limit: int | None, day: int | None) -> IndicatorRow | None:
        """The row of the latest day, there of the finest interval, unless it is of long before the price."""
        days = [(session_of(row.ts, self._zone), row) for row in self.rows]
        known = [(of, row) for of, row in days if limit is None or of <= limit]
        latest, row = max(known, key=lambda known: known[0], default=(0, None))
        return row if day is None or day - latest <= LATELY else None

    def _close_before(self, day: int) -> float | None:
        """The close of the session before that of `day`.

        That is the official close, of a closed daily bar; where that may be of an earlier session, or there is none,
        what a quote of `day` says; else the last bar of the latest session known, which may not reach to its end.
        """
        quote = self._quote
        quoted = quote.previous_close if quote is not None and self._quote_day() == day else None
        known = [
            (bars.session[stop - 1], bars.observed(stop - 1), interval, bars, stop - 1)
            for interval, bars, _ in self._latest_bars(None)
            if (stop := self._regular(interval, bars, bars.before(day)))
        ]
        if not known:
            return quoted
        last = max(session for session, *_ in known)
        of_last = [bar for bar in known if bar[0] == last]
        official = next(
            (bars.close[i] for _, _, interval, bars, i in of_last if interval == "daily" and bars.closed(i)), None
        )
        if official is not None and (quoted is None or self._follows(day, last)):
            close = official
        elif quoted is not None:
            return quoted
        else:
            _, _, _, bars, index = max(of_last, key=lambda bar: bar[1])
            close = bars.close[index]
        return close if day - last <= LATELY else None

    def _follows(self, day: int, last: int) -> bool:
        """Whether no session can have been between the two days: only a weekend is, and none is traded on."""
        if day - last == 1:
            return True
        if any(_is_weekend(between) is False for between in range(last + 1, day)):
            return False
        daily = self._series["daily"].bars.session[-_SPLITS:] if "daily" in self._series else ()
        return not any(map(_is_weekend, (last, day, *daily)))


def _is_weekend(day: int) -> bool:
    return day % 7 in (0, 6)  # the first of January of the year 1 was a Monday


def _newer[T: (Quote, Split, Dividend, IndicatorRow)](message: T, known: T | None) -> T:
    """The later of the two; of two of the same time the one that the store keeps."""
    if known is None or message.ts > known.ts:
        return message
    return message if message.ts == known.ts and version_of(message) > version_of(known) else known
