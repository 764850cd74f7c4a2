"""Histories and series for charts: from the store, and ahead of it what the view has already heard."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.contract.protocol import BarPoint, GetHistory, GetSeries, History, ValueSeries
from pipeline.control.server import CommandError
from pipeline.model.documents import messages_in
from pipeline.model.instruments import zone_of
from pipeline.model.messages import (
    INDICATOR_FIELDS,
    INTERVALS,
    Bar,
    EconomicPoint,
    IndicatorRow,
    Interval,
    ScoredItem,
)
from pipeline.model.sessions import Session, has_extended_hours
from pipeline.model.tickers import parse_tickers
from pipeline.store.base import Query, Store

MAX_BARS: Final = 5000
_DAY_TO_SESSION: Final = 3
"""So many bars make one of regular trading, where there are some before the open and after the close."""
_SECONDS: Final[dict[Interval, int]] = {
    "1min": 60,
    "5min": 300,
    "15min": 900,
    "30min": 1800,
    "60min": 3600,
    "daily": 86_400,
}
_LATE: Final = timedelta(days=5)
"""Bars that begin so much later than was asked for do not reach back that far: nothing closes for longer."""


Ahead = Callable[[str, str, Interval], Sequence[Bar | IndicatorRow]]
"""The newest bars and rows that are known of a ticker, source and interval, stored or not."""


class HistoryReader:
    """Answers `GetHistory` and `GetSeries`.

    A screen asks when the view has heard a bar, and the sink may not have stored it yet: so the newest bars and rows
    are taken from what the view knows.
    """

    def __init__(
        self,
        store: Store,
        zone: ZoneInfo,
        shown: Callable[[str], tuple[str | None, str | None] | None],
        ahead: Ahead,
        session_on: Callable[[str, date], Session | None] | None,
    ) -> None:
        """Days are those of `zone` where a symbol names no exchange; the others are as for `Commands`."""
        self._store = store
        self._zone = zone
        self._shown = shown
        self._ahead = ahead
        self._session_on = session_on

    async def history(self, wanted: GetHistory) -> History:
        """Raises CommandError or StoreError."""
        (ticker,) = parse_tickers([wanted.ticker])
        zone = zone_of(ticker, self._zone)
        since, until = _time("since", wanted.since), _time("until", wanted.until)
        source, shown = self._shown(ticker) or (None, None)
        if source is None:  # nothing is known of it yet, or it is not watched
            source, shown = await self._newest(ticker)
        newest = await self._stored(ticker, source)
        intervals: list[str] = list(newest)
        if wanted.interval is not None:
            interval = next((stored for stored in newest if stored == wanted.interval), None)
        elif wanted.longest is not None:
            interval = _longest(newest, wanted.longest, zone)
        else:
            interval = next((stored for stored in newest if stored == shown), next(iter(newest), None))
        if interval is None or source is None:
            return History(ticker, wanted.interval, intervals, [], zone=zone.key, source=source or "")
        bars, extended = await self._bars(ticker, interval, source, wanted, since, until)
        if wanted.interval is None and since is not None and "daily" in newest and _begins_late(bars, since):
            # What is finer has not been recorded for so long.
            older = Query(
                "stock_data", ticker, "daily", source, since=since, until=bars[0].ts if bars else until, last=2
            )
            if len(await self._store.find(older)) > 1:
                interval = "daily"
                bars, extended = await self._bars(ticker, interval, source, wanted, since, until)
        return History(
            ticker,
            interval,
            intervals,
            [BarPoint(b.ts.timestamp(), b.open, b.high, b.low, b.close, b.volume, b.ts in extended) for b in bars],
            await self._indicators(ticker, interval, source, bars, until, wanted.indicators),
            zone.key,
            source,
            self._session_on is not None and has_extended_hours(ticker),
        )

    async def series(self, wanted: GetSeries) -> ValueSeries:
        """Raises CommandError or StoreError."""
        since = _time("since", wanted.since)
        if wanted.of == "sentiment":
            (ticker,) = parse_tickers([wanted.name])
            query = Query("sentiment", ticker, since=since, last=MAX_BARS)
            items = messages_in(await self._store.find(query), ScoredItem)
            return ValueSeries(wanted.of, ticker, [(item.ts.timestamp(), item.compound) for item in items])
        points = messages_in(await self._store.find(Query("economic", since=since)), EconomicPoint)
        names = sorted({point.series for point in points})
        values = {p.ts.timestamp(): p.value for p in points if p.series == wanted.name and p.value is not None}
        return ValueSeries(wanted.of, wanted.name, sorted(values.items()), names)

    async def _bars(
        self,
        ticker: str,
        interval: Interval,
        source: str,
        wanted: GetHistory,
        since: datetime | None,
        until: datetime | None,
    ) -> tuple[list[Bar], set[datetime]]:
        """The bars wanted, and the times of those of before the open or after the close."""
        last = max(1, min(wanted.last, MAX_BARS))
        regular_only = not wanted.extended and interval != "daily" and has_extended_hours(ticker)
        reach = min(_DAY_TO_SESSION * last, MAX_BARS) if regular_only else last
        query = Query("stock_data", ticker, interval, source, since=since, until=until, last=reach)
        found = {bar.ts: bar for bar in messages_in(await self._store.find(query), Bar)}
        begin = min(found, default=since)
        found |= {
            bar.ts: bar
            for bar in self._ahead(ticker, source, interval)
            if isinstance(bar, Bar) and (begin is None or bar.ts >= begin) and (until is None or bar.ts < until)
        }
        bars = [found[ts] for ts in sorted(found)][-reach:]
        extended = self._extended(ticker, bars, zone_of(ticker, self._zone))
        if regular_only:
            bars = [bar for bar in bars if bar.ts not in extended][-last:]
        return bars, extended

    async def _indicators(
        self,
        ticker: str,
        interval: Interval,
        source: str,
        bars: Sequence[Bar],
        until: datetime | None,
        names: Sequence[str],
    ) -> dict[str, list[float | None]]:
        """A value for each bar."""
        rows: dict[datetime, IndicatorRow] = {}
        if bars and names:
            query = Query("indicators", ticker, interval, source, since=bars[0].ts, until=until)
            rows = {row.ts: row for row in messages_in(await self._store.find(query), IndicatorRow)}
            ahead = self._ahead(ticker, source, interval)
            rows |= {row.ts: row for row in ahead if isinstance(row, IndicatorRow)}
        return {
            name: [getattr(rows.get(bar.ts), name, None) for bar in bars] for name in names if name in INDICATOR_FIELDS
        }

    def _extended(self, ticker: str, bars: Sequence[Bar], zone: ZoneInfo) -> set[datetime]:
        """The times of those that are of before the open or after the close."""
        if self._session_on is None or not has_extended_hours(ticker):
            return set()
        session_on = lru_cache(None)(partial(self._session_on, ticker))
        sessions = ((bar.ts, session_on(bar.ts.astimezone(zone).date())) for bar in bars if bar.interval != "daily")
        return {ts for ts, session in sessions if session is None or not session.open <= ts < session.close}

    async def _stored(self, ticker: str, source: str | None) -> dict[Interval, datetime]:
        """The intervals that there are bars of, the finest first, with the time of the newest."""
        found = [(i, await self._store.find(Query("stock_data", ticker, i, source, last=1))) for i in INTERVALS]
        return {interval: bars[0]["ts"] for interval, bars in found if bars}

    async def _newest(self, ticker: str) -> tuple[str | None, str | None]:
        """Source and interval of the newest bar stored of the ticker; of one day's that of the finest interval."""
        found = [bar for i in INTERVALS for bar in await self._store.find(Query("stock_data", ticker, i, last=1))]
        bar = max(found, key=lambda bar: bar["ts"].date(), default={})
        return bar.get("source"), bar.get("interval")


def _longest(newest: dict[Interval, datetime], seconds: int, zone: ZoneInfo) -> Interval | None:
    """The longest interval of at most so many seconds that has bars of the latest day; the finest where all are longer.

    Daily bars may be a day behind: they come when the day is over.
    """
    if "daily" in newest and seconds >= _SECONDS["daily"]:
        return "daily"
    days = {i: ts.astimezone(zone).date() for i, ts in newest.items() if i != "daily"}
    latest = [interval for interval, day in days.items() if day == max(days.values())]
    short = [interval for interval in latest if _SECONDS[interval] <= seconds]
    return short[-1] if short else next(iter((*latest, *newest)), None)


def _begins_late(bars: Sequence[Bar], since: datetime) -> bool:
    return not bars or bars[0].ts - since > _LATE


def _time(name: str, at: float | None) -> datetime | None:
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CommandError(f"{name} {at} is not a time; write seconds since the epoch") from error
