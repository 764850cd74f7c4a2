"""The latest of everything, by ticker: what snapshots show. Pure; fed by the view stage."""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.messages import (
    INDICATOR_FIELDS,
    INTERVALS,
    AnyMessage,
    Bar,
    IndicatorRow,
    Quote,
    ScoredItem,
    TickerMessage,
    bar_rank,
)
from pipeline.sentiment import rolling_score
from pipeline.snapshot import HeadlineView, IndicatorsView, TickerDetail, TickerView

SPARK: Final = 32
# Sessions that are kept of an interval; a daily bar is one of its own, and history may hold days to come.
_SESSIONS: Final = 4
_DAILY_SESSIONS: Final = 60
_ITEMS: Final = 500
_HEADLINES: Final = 30


class _Session:
    """One exchange day of a ticker, from the bars of one interval."""

    def __init__(self) -> None:
        self.bars: dict[datetime, Bar] = {}
        self.volume = 0.0

    def put(self, bar: Bar) -> None:
        known = self.bars.get(bar.ts)
        if known is None or bar_rank(bar) >= bar_rank(known):
            self.volume += bar.volume - (known.volume if known else 0.0)
            self.bars[bar.ts] = bar

    def close(self) -> float:
        return self.bars[max(self.bars)].close


class TickerState:
    """What is known of one ticker. Messages may come in any order and more than once."""

    def __init__(self, ticker: str, zone: ZoneInfo) -> None:
        self.ticker = ticker
        self.chart_version = 0
        self.updated_at: float | None = None
        self._zone = zone
        self._quote: Quote | None = None
        self._sessions: dict[str, dict[date, _Session]] = {}
        self._rows: dict[str, IndicatorRow] = {}
        self._items: dict[tuple[str, str, str], ScoredItem] = {}
        self._simulated = False
        self._score: tuple[int, float | None] | None = None
        """The rolling score, and the minute it is of: it ages slowly."""
        self._shown: tuple[int, str, TickerView] | None = None
        """The view since the last message, its minute and note: each screen asks four times a second."""

    def put(self, message: AnyMessage, heard_at: float | None) -> None:
        """Take a message; `heard_at` is the time it came, None for what was stored before."""
        match message:
            case Bar():
                self._put_bar(message)
            case Quote():
                if self._quote is None or message.ts >= self._quote.ts:
                    self._quote = message
            case IndicatorRow(interval=interval):
                latest = self._rows.get(interval)
                if latest is None or (message.ts, message.lineage) >= (latest.ts, latest.lineage):
                    self._rows[interval] = message
            case ScoredItem():
                self._items[message.source, message.kind, message.id] = message
                self._score = None
                if len(self._items) > 2 * _ITEMS:
                    newest = sorted(self._items.items(), key=lambda item: item[1].ts)[-_ITEMS:]
                    self._items = dict(newest)
            case _:
                return
        self._shown = None
        self._simulated = message.simulated
        if heard_at is not None:
            self.updated_at = heard_at

    def _put_bar(self, bar: Bar) -> None:
        days = self._sessions.setdefault(bar.interval, {})
        day = self._day(bar.ts)
        if day not in days:
            kept = _DAILY_SESSIONS if bar.interval == "daily" else _SESSIONS
            if len(days) >= kept and day < min(days):
                return
            days[day] = _Session()
            while len(days) > kept:
                del days[min(days)]
        days[day].put(bar)
        self.chart_version += 1

    def view(self, now: datetime, note: str = "") -> TickerView:
        minute = _minute_of(now)
        if self._shown is None or self._shown[:2] != (minute, note):
            self._shown = minute, note, self._view(now, note)
        return self._shown[2]

    def _view(self, now: datetime, note: str) -> TickerView:
        price, as_of, volume, previous = self._price()
        change = None if price is None or previous is None else price - previous
        row = self._finest(self._rows)
        return TickerView(
            ticker=self.ticker,
            price=price,
            change=change,
            change_percent=None if change is None or not previous else 100 * change / previous,
            volume=volume,
            spark=self._spark(),
            rsi=row.rsi_14 if row else None,
            macd_hist=row.macd_hist if row else None,
            sentiment=self._rolling_score(now),
            as_of=None if as_of is None else as_of.timestamp(),
            updated_at=self.updated_at,
            simulated=self._simulated,
            note=note,
        )

    def values(self, now: datetime) -> dict[str, float | None]:
        """The ticker's metrics, by the names of `pipeline.alerts`."""
        price, _, volume, previous = self._price()
        row = self._finest(self._rows)
        return {
            "price": price,
            "change_percent": None if price is None or not previous else 100 * (price - previous) / previous,
            "volume": volume,
            "sentiment": self._rolling_score(now),
            **{field: getattr(row, field) for field in INDICATOR_FIELDS if row is not None},
        }

    def detail(self) -> TickerDetail:
        newest = sorted(self._items.values(), key=lambda item: (item.ts, item.id), reverse=True)[:_HEADLINES]
        return TickerDetail(
            ticker=self.ticker,
            indicators=[_indicators(self._rows[i]) for i in INTERVALS if i in self._rows],
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
                )
                for item in newest
            ],
            chart_version=self.chart_version,
        )

    def _rolling_score(self, now: datetime) -> float | None:
        minute = _minute_of(now)
        if self._score is None or self._score[0] != minute:
            scored = ((item.ts, item.compound) for item in self._items.values())
            self._score = minute, rolling_score(scored, now)
        return self._score[1]

    def _price(self) -> tuple[float | None, datetime | None, float | None, float | None]:
        """Price, its time, the day's volume and the previous session's close."""
        bar, session = self._latest_bar()
        quote = self._quote
        if quote is None:
            if bar is None or session is None:
                return None, None, None, None
            return bar.close, bar.ts, session.volume, self._close_before(bar.ts)
        price, as_of = quote.price, quote.ts
        if bar is not None and _observed(bar) > quote.ts:
            price, as_of = bar.close, bar.ts
        if self._day(as_of) != self._day(quote.ts):
            return price, as_of, session.volume if session else None, self._close_before(as_of)
        # Of its own day the quote knows best: the bars at hand need not reach back to the day's beginning.
        volume = quote.volume if quote.volume is not None else (session.volume if session else None)
        return price, as_of, volume, quote.previous_close or self._close_before(as_of)

    def _latest_bar(self) -> tuple[Bar | None, _Session | None]:
        """The latest bar and its session. A daily bar only where there is no other: history may hold days to come."""
        best: tuple[Bar | None, _Session | None] = (None, None)
        for interval in INTERVALS:  # the finest first: it wins where two end at the same time
            days = self._sessions.get(interval)
            if days and (interval != "daily" or best[0] is None):
                session = days[max(days)]
                bar = session.bars[max(session.bars)]
                if best[0] is None or bar.ts > best[0].ts:
                    best = (bar, session)
        return best

    def _day(self, ts: datetime) -> date:
        """The exchange's day, which is a session."""
        return ts.astimezone(self._zone).date()

    def _close_before(self, ts: datetime) -> float | None:
        """The close of the latest session before that of `ts`; the finest interval that has it tells."""
        today = self._day(ts)
        closes: dict[date, float] = {}
        for interval in INTERVALS:
            for day, session in self._sessions.get(interval, {}).items():
                if day < today:
                    closes.setdefault(day, session.close())
        return closes[max(closes)] if closes else None

    def _spark(self) -> list[float]:
        days = self._finest(self._sessions)
        closes: deque[float] = deque(maxlen=SPARK)
        for day in sorted(days or ()):
            bars = days[day].bars if days else {}
            closes.extend(bars[ts].close for ts in sorted(bars)[-SPARK:])
        return list(closes)

    @staticmethod
    def _finest[T](by_interval: dict[str, T]) -> T | None:
        return next((by_interval[i] for i in INTERVALS if i in by_interval), None)


def _minute_of(time: datetime) -> int:
    return int(time.timestamp()) // 60


def _observed(bar: Bar) -> datetime:
    """When the bar was as it is. A forming one may bear the end of its interval, and says when it was seen."""
    return bar.ts if bar.closed or not bar.revision else datetime.fromtimestamp(bar.revision / 1000, UTC)


class LiveView:
    """The states of all watched tickers."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._tickers: dict[str, TickerState] = {}

    def of(self, ticker: str) -> TickerState:
        """The ticker's state, made if need be."""
        if ticker not in self._tickers:
            self._tickers[ticker] = TickerState(ticker, self._zone)
        return self._tickers[ticker]

    @property
    def tickers(self) -> list[str]:
        return list(self._tickers)

    def put(self, message: AnyMessage, heard_at: float | None) -> None:
        """Take a message of a ticker that is shown; others are not kept."""
        if isinstance(message, TickerMessage) and message.ticker in self._tickers:
            self._tickers[message.ticker].put(message, heard_at)

    def forget(self, tickers: Iterable[str]) -> None:
        for ticker in tickers:
            self._tickers.pop(ticker, None)


def _indicators(row: IndicatorRow) -> IndicatorsView:
    return IndicatorsView(
        interval=row.interval,
        ts=row.ts.timestamp(),
        closed=row.closed,
        close=row.close,
        values={field: getattr(row, field) for field in INDICATOR_FIELDS},
    )
