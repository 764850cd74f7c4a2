"""The latest of everything, by ticker: what snapshots show. Pure; fed by the view stage."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Final, cast
from zoneinfo import ZoneInfo

from pipeline.analytics.extended_hours import RegularHours
from pipeline.analytics.indicators import session_of
from pipeline.analytics.sentiment import Opinion, rolling_score
from pipeline.analytics.source_state import LATELY, Figures, OfSeries, SourceState
from pipeline.contract.snapshot import (
    DayView,
    DividendView,
    ExtendedView,
    ForecastView,
    HeadlineView,
    IndicatorsView,
    NextCloseView,
    RangeView,
    SplitView,
    TickerDetail,
    TickerView,
)
from pipeline.model.documents import version_of
from pipeline.model.instruments import zone_of
from pipeline.model.messages import (
    INDICATOR_FIELDS,
    AnyMessage,
    Bar,
    Dividend,
    Forecast,
    IndicatorRow,
    Interval,
    Quote,
    ScoredItem,
    Split,
)
from pipeline.model.returns import return_of
from pipeline.model.sessions import Session, has_extended_hours, usual_session

ITEMS: Final = 500
"""Scored items that are kept, of the simulated ones and of the others."""
_HEADLINES: Final = 30

_OF_ONE_SERIES: Final = attrgetter("__class__", "ticker", "source", "interval")

Preference = Callable[[str], Sequence[str]]
"""The sources of a ticker's market data by their names, that to be shown first; others come after them."""
Sessions = Callable[[str, date], Session | None]
"""The regular session of a ticker's day, of what trades outside of it too; None on a day without one."""


class TickerState:
    """What is known of one ticker. Messages may come in any order and more than once.

    A series is of one source, and so is all that `view`, `values` and `detail` say at one time but for the sentiment,
    whose items come from several sources: that of the ticker's preference (see `LiveView`) which has come first; of the
    others a real one before a simulated one, then that whose newest figure is of the latest exchange day, then the
    first by its name. So the choice does not alternate between two that stream at the same time: it can change only
    when a day begins.
    """

    def __init__(
        self,
        ticker: str,
        zone: ZoneInfo,
        preferred: Preference = lambda _: (),
        session_on: Sessions = usual_session,
    ) -> None:
        self.ticker = ticker
        extends = has_extended_hours(ticker)
        self._hours = RegularHours(lambda day: session_on(ticker, day)) if extends else None
        self._zone = zone
        self._preferred = preferred
        self._sources: dict[str, SourceState] = {}
        self._chart_versions = 0
        self._items: dict[tuple[str, str, str], ScoredItem] = {}
        self._items_heard_at: dict[bool, float] = {}
        """When the last item was heard, of the simulated ones and of the others."""
        self._score: tuple[int, bool, float | None] | None = None
        """The rolling score, the minute it is of, and whether of simulated items: it ages slowly."""
        self._now: tuple[int, str, Figures] | None = None
        """The figures since the last message, with their day and source."""
        self._preferring: Sequence[str] = ()
        """What was preferred when those two were made."""
        self._shown: tuple[int, str, TickerView] | None = None
        """The view since the last message, its minute and note."""
        self.changes = 0
        """How often something has come."""

    def put(self, message: AnyMessage, heard_at: float | None) -> None:
        """Take a message; `heard_at` is the time it came, None for what was stored before."""
        self.put_run([message], heard_at)

    def put_run(self, run: Sequence[AnyMessage], heard_at: float | None) -> None:
        """As `put` of each; they are all of one `_run_of`."""
        match run[0]:
            case Bar() | Quote() | Split() | Dividend() | IndicatorRow() | Forecast() as first:
                source = self._sources.get(first.source) or self._new_source(first.source)
                if source.put(cast("Sequence[OfSeries]", run)):
                    self._chart_versions += 1
                    source.chart_version = self._chart_versions
                if heard_at is not None:
                    source.heard_at = heard_at
                self._now = None
            case ScoredItem() as item:
                self._put_item(item)
                if heard_at is not None:
                    self._items_heard_at[item.simulated] = heard_at
            case _:
                return
        self._shown = None
        self.changes += 1

    def _new_source(self, name: str) -> SourceState:
        source = self._sources[name] = SourceState(name, self._zone, self._hours)
        self._chart_versions += 1  # one for all sources: that of another is another
        source.chart_version = self._chart_versions
        return source

    def newest(self, source: str, interval: Interval) -> list[Bar | IndicatorRow]:
        """The last few bars that are known of a source, and the last row of their indicators, stored or not."""
        state = self._sources.get(source)
        return state.newest(self.ticker, interval) if state is not None else []

    def _put_item(self, item: ScoredItem) -> None:
        key = item.source, item.kind, item.id
        known = self._items.get(key)
        if known is not None and version_of(item) <= version_of(known):
            return
        self._items[key] = item
        self._score = None
        if len(self._items) > 4 * ITEMS:
            kept = [*self._newest_items(simulated=False), *self._newest_items(simulated=True)]
            self._items = {(item.source, item.kind, item.id): item for item in kept}

    def _newest_items(self, *, simulated: bool) -> list[ScoredItem]:
        """At most 500, the newest first. Simulated items and real ones are never together."""
        items = (item for item in self._items.values() if item.simulated is simulated)
        return sorted(items, key=lambda item: (item.ts, item.source, item.kind, item.id), reverse=True)[:ITEMS]

    def shown(self, now: datetime) -> tuple[str | None, Interval | None]:
        """The source that is shown, and which of its bars show the price's course: of the latest day the finest."""
        source, figures = self._figures(now)
        return source or None, figures.interval

    def heard_source(self, now: datetime) -> str | None:
        """The source whose figures `values` returns; None while it returns none."""
        source, _ = self._figures(now)
        return source if source and self._sources[source].heard_at is not None else None

    def market_heard_at(self, now: datetime) -> float | None:
        """When something of its source came in, sentiment aside; None where nothing has in this run."""
        source, _ = self._figures(now)
        return self._sources[source].heard_at if source else None

    def view(self, now: datetime, note: str = "") -> TickerView:
        minute = _minute_of(now)
        self._heed_preference()
        if self._shown is None or self._shown[:2] != (minute, note):
            self._shown = minute, note, self._view(now, note)
        return self._shown[2]

    def _view(self, now: datetime, note: str) -> TickerView:
        source, figures = self._figures(now)
        simulated = self._is_simulated(source, figures)
        heard = (self._sources[source].heard_at if source else None, self._items_heard_at.get(simulated))
        return TickerView(
            ticker=self.ticker,
            source=source,
            price=figures.price,
            change=figures.change,
            change_percent=figures.change_percent,
            volume=figures.volume,
            spark=list(figures.spark),
            rsi=figures.row.rsi_14 if figures.row else None,
            macd_hist=figures.row.macd_hist if figures.row else None,
            sentiment=self._rolling_score(now, simulated),
            as_of=None if figures.as_of is None else figures.as_of / 1e6,
            updated_at=max((at for at in heard if at is not None), default=None),
            simulated=simulated,
            note="; ".join(filter(None, (note, figures.split))),
            currency=figures.currency,
            extended=_extended(figures),
            splits=self._splits(source, simulated),
            day=_day(figures),
            year=None if isinstance(figures.year, str) else RangeView(high=figures.year.high, low=figures.year.low),
            market_cap=figures.market_cap,
            next_close=self._next_close(source, figures),
        )

    def _splits(self, source: str, simulated: bool) -> list[SplitView]:
        """What any source has told of, for few do: a share is split for all of them. Of a day the one that is shown."""
        known: dict[date, Split] = {}
        for _, state in sorted(self._sources.items(), key=lambda item: item[0] == source):
            days = {split.ts.astimezone(self._zone).date(): split for split in state.splits.values()}
            known |= {day: split for day, split in days.items() if split.simulated == simulated}
        return [_told(known[day]) for day in sorted(known)]

    def _next_close(self, source: str, figures: Figures) -> NextCloseView | None:
        """Of the longest interval of which something is said that is of lately."""
        for view in reversed(self._sources[source].forecast_views if source else ()):
            day = session_of(datetime.fromtimestamp(view.ts, UTC), self._zone)
            if figures.day is not None and 0 <= figures.day - day <= LATELY and (band := next_close(view)) is not None:
                return band
        return None

    def values(self, now: datetime) -> dict[str, float | None]:
        """The ticker's metrics, by the names of `pipeline.model.alert_rules`: what is so now.

        What an earlier run has stored is not until the source is heard again, and a row of indicators is not once the
        price is of a later day.
        """
        source, figures = self._figures(now)
        values = {"sentiment": self._rolling_score(now, self._is_simulated(source, figures))}
        if not source or (state := self._sources[source]).heard_at is None:
            return values
        row = state.row_of_today(figures)
        return values | {
            "price": figures.price,
            "change_percent": figures.change_percent,
            "volume": figures.volume,
            **{field: getattr(row, field) for field in INDICATOR_FIELDS if row is not None},
            **_forecast_values(state, row),
        }

    def detail(self, now: datetime | None = None) -> TickerDetail:
        """Without a time, as if nothing that is known were of days to come."""
        source, figures = self._figures(now)
        state = self._sources.get(source)
        items = self._newest_items(simulated=self._is_simulated(source, figures))
        return TickerDetail(
            ticker=self.ticker,
            source=source,
            interval=figures.row.interval if figures.row else None,
            zone=self._zone.key,
            previous_close=figures.previous,
            year_note=figures.year if isinstance(figures.year, str) else "",
            split=_split(state),
            dividend=_dividend(state),
            indicators=[_indicators(row) for row in state.rows] if state else [],
            forecasts=state.forecast_views if state else [],
            headlines=[
                HeadlineView(
                    ts=item.ts.timestamp(),
                    kind=item.kind,
                    source=item.source,
                    text=item.text,
                    compound=item.compound,
                    label=item.label,
                    words=item.words,
                    tag=item.tag,
                    url=item.url,
                )
                for item in items[:_HEADLINES]
            ],
            chart_version=state.chart_version if state else 0,
            rows_version=state.rows_version if state else 0,
        )

    def _figures(self, now: datetime | None) -> tuple[str, Figures]:
        """The source that is shown, "" for none, and what it says."""
        today = date.max.toordinal() if now is None else _today(now, self._zone)
        self._heed_preference()
        if self._now is None or self._now[0] != today:
            self._now = (today, *self._choose(today))
        return self._now[1:]

    def _heed_preference(self) -> None:
        """Another source may serve the ticker from one moment to the next, without a message."""
        if (preferring := self._preferred(self.ticker)) != self._preferring:
            self._preferring, self._now, self._shown = preferring, None, None

    def _choose(self, today: int) -> tuple[str, Figures]:
        if not self._sources:
            return "", Figures()
        for name in (*self._preferring, *(self._sources if len(self._sources) == 1 else ())):
            if name in self._sources:
                return name, self._sources[name].figures(today)

        def rank(name: str) -> tuple[bool, bool, int, str]:
            of_it = figures[name]
            return of_it.simulated, of_it.price is None, -self._sources[name].newest_day(of_it), name

        figures = {name: source.figures(today) for name, source in self._sources.items()}
        first = min(figures, key=rank)
        return first, figures[first]

    def _is_simulated(self, source: str, figures: Figures) -> bool:
        """As its source is; while there is none, whether there are simulated items only."""
        if source:
            return figures.simulated
        return bool(self._items) and all(item.simulated for item in self._items.values())

    def _rolling_score(self, now: datetime, simulated: bool) -> float | None:
        minute = _minute_of(now)
        if self._score is None or self._score[:2] != (minute, simulated):
            items = self._newest_items(simulated=simulated)
            opinions = (Opinion(item.ts, item.compound, item.weight, item.story) for item in items)
            self._score = minute, simulated, rolling_score(opinions, now)
        return self._score[2]


_today: Final = lru_cache(64)(session_of)
"""All tickers are looked at with the same time, and most are of the same zone."""


def _minute_of(time: datetime) -> int:
    return int(time.timestamp()) // 60


class LiveView:
    """The states of all watched tickers. `preferred` are the sources this pipeline itself publishes a ticker from; days
    are those of `zone` where a symbol names no exchange."""

    def __init__(
        self, zone: ZoneInfo, preferred: Preference = lambda _: (), session_on: Sessions = usual_session
    ) -> None:
        self._zone = zone
        self.preferred = preferred
        self._session_on = session_on
        self._tickers: dict[str, TickerState] = {}

    def of(self, ticker: str) -> TickerState:
        """The ticker's state, made if need be."""
        if ticker not in self._tickers:
            self._tickers[ticker] = TickerState(ticker, zone_of(ticker, self._zone), self.preferred, self._session_on)
        return self._tickers[ticker]

    @property
    def tickers(self) -> list[str]:
        return list(self._tickers)

    def put(self, message: AnyMessage, heard_at: float | None) -> None:
        """Take a message of a ticker that is shown; others are not kept."""
        self.put_all([message], heard_at)

    def put_all(self, messages: Iterable[AnyMessage], heard_at: float | None) -> None:
        """As `put` of each, in that order."""
        for _, run in groupby(messages, _run_of):
            together = list(run)
            state = self._tickers.get(getattr(together[0], "ticker", ""))
            if state is not None:
                state.put_run(together, heard_at)

    def forget(self, tickers: Iterable[str]) -> None:
        for ticker in tickers:
            self._tickers.pop(ticker, None)


def _run_of(message: AnyMessage) -> object:
    """What is alike of messages that are put together: bars of one series, rows of one, or what is the same."""
    return _OF_ONE_SERIES(message) if isinstance(message, Bar | IndicatorRow) else message


def next_close(view: ForecastView) -> NextCloseView | None:
    """The 80 % band of the bar after the last, around whose close it lies; None while there is none."""
    band = next((horizon.bands.get("80") for horizon in view.horizons if horizon.bars == 1), None)
    if band is None or view.close <= 0:
        return None
    low, high = band
    return NextCloseView(interval=view.interval, percent=100 * max(high - view.close, view.close - low) / view.close)


def _day(figures: Figures) -> DayView | None:
    day = figures.regular
    return None if day is None else DayView(open=day.open, high=day.extremes.high, low=day.extremes.low)


def _extended(figures: Figures) -> ExtendedView | None:
    """Its change is from the price of regular trading."""
    extended, close = figures.extended, figures.price
    if extended is None:
        return None
    change = None if close is None else extended.price - close
    part = None if close is None else return_of(extended.price, close)
    return ExtendedView(
        session=extended.part,
        price=extended.price,
        change=change,
        change_percent=None if part is None else 100 * part,
        as_of=extended.as_of / 1e6,
    )


def _split(state: SourceState | None) -> SplitView | None:
    return _told(state.splits[max(state.splits)]) if state and state.splits else None


def _told(split: Split) -> SplitView:
    return SplitView(ts=split.ts.timestamp(), numerator=split.numerator, denominator=split.denominator)


def _dividend(state: SourceState | None) -> DividendView | None:
    paid = state.dividend if state else None
    if paid is None:
        return None
    return DividendView(ts=paid.ts.timestamp(), amount=paid.amount, currency=paid.currency or "")


def _forecast_values(state: SourceState, row: IndicatorRow | None) -> dict[str, float | None]:
    """Of the interval of the row, which is of the price's day."""
    if row is None:
        return {}
    return {"forecast_up": state.forecasts.up(row.interval), "outside_band": state.forecasts.outside(row.interval)}


def _indicators(row: IndicatorRow) -> IndicatorsView:
    return IndicatorsView(
        interval=row.interval,
        ts=row.ts.timestamp(),
        closed=row.closed,
        close=row.close,
        values={field: getattr(row, field) for field in INDICATOR_FIELDS},
    )
