"""Yahoo's chart replies as messages of the pipeline. No I/O.

A reply has rows of one interval, adjusted for splits as of its time. Its last row may be the price of now, at a time of
its own: it belongs to the bar that forms.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from pipeline.model.messages import Bar, DeadLetter, Dividend, Interval, Price, Quote, Split, Volume
from pipeline.sources.outside import number, number_or_none, text_or_none
from pipeline.sources.yahoo.events import read_events
from pipeline.sources.yahoo.reply import SOURCE, Asked, Result, read_reply
from pipeline.sources.yahoo.rows import ChartRow, merged, raw_row, row_at
from pipeline.sources.yahoo.trading import SymbolHours, trading

GRANULARITIES: Final[Mapping[Interval, str]] = {
    "1min": "1m",
    "5min": "5m",
    "15min": "15m",
    "30min": "30m",
    "60min": "1h",
    "daily": "1d",
}
"""How Yahoo names our intervals."""
DELAY: Final = timedelta(minutes=20)
"""By how much prices of an exchange may be late; after that, nothing changes a bar that is over."""
AHEAD: Final = timedelta(minutes=5)
"""How far a provider's clock may be ahead of ours."""
DAY_AHEAD: Final = timedelta(days=1)
"""As much of a day that begins earlier elsewhere."""

_MINUTES: Final[Mapping[Interval, int]] = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "60min": 60}
_WITHOUT_VOLUME: Final = frozenset({"CURRENCY", "INDEX", "MUTUALFUND"})
"""Kinds of instruments whose volume is 0 where there is none."""
_LATEST: Final = 1 << 33
"""Seconds since the epoch; no time of a bar is so far from it."""


@dataclass(frozen=True, slots=True)
class ChartReply:
    """What a reply says: bars, splits and dividends, oldest first, the quote, and dead letters for what did not fit.

    `trading` are the hours of the symbol, `intraday` is whether it has bars shorter than a day.
    """

    bars: Sequence[Bar]
    quote: Quote | None
    splits: Sequence[Split]
    dividends: Sequence[Dividend]
    misfits: Sequence[DeadLetter]
    trading: SymbolHours
    intraday: bool


def read_chart(
    body: bytes, ticker: str, interval: Interval, now: datetime, since: datetime | None = None
) -> ChartReply:
    """The reply to a question for bars of that interval; of those before `since` nothing is read.

    `ts` of a bar is the start of its interval, and of a daily one the start of the exchange's day; UTC. It is closed
    once its interval, or the day's regular session, is over by the provider's clock; `revision` is when it was seen.

    Raises:
        SymbolError: if the reply holds no data of the symbol.
    """
    asked = Asked(ticker, GRANULARITIES[interval], now)
    return _Reader(read_reply(body, asked), asked, interval, since).chart()


class _Reader:
    """Reads one reply."""

    def __init__(self, result: Result, asked: Asked, interval: Interval, since: datetime | None) -> None:
        meta = result.meta
        self._result = result
        self._meta = meta
        self._asked = asked
        self._interval: Interval = interval
        self._since = -_LATEST if since is None else int(since.timestamp())
        self._trading = trading(meta.current_trading_period, meta.trading_periods)
        self._zone = _zone(meta.exchange_timezone_name)
        self._currency = text_or_none(meta.currency)
        self._priced_at = _moment(meta.regular_market_time)
        self._misfits: list[DeadLetter] = []

    def chart(self) -> ChartReply:
        bars = self._bars()
        quote = self._quote(bars)
        events = read_events(self._result.events, self._asked, self._zone, self._currency)
        ranges = self._meta.valid_ranges
        return ChartReply(
            bars=bars,
            quote=quote,
            splits=events.splits,
            dividends=events.dividends,
            misfits=[*self._misfits, *events.misfits],
            trading=self._trading,
            intraday=not isinstance(ranges, list) or "1d" in ranges,
        )

    def _bars(self) -> list[Bar]:
        granularity = text_or_none(self._meta.data_granularity)
        if granularity is not None and granularity.replace("60m", "1h") != self._asked.granularity:
            return []  # a range that is too long for the interval is answered with a longer one
        if self._interval == "daily" and self._zone is None and self._result.timestamp:
            name = msgspec.json.encode({"exchangeTimezoneName": self._meta.exchange_timezone_name})
            self._misfits.append(self._asked.misfit(name, "there are no daily bars without the exchange's time zone"))
            return []
        slots: dict[int, ChartRow] = {}
        latest = 0
        for at, row, on_grid in self._rows():
            if at <= (self._asked.now + AHEAD).timestamp():
                latest = max(latest, at)
            if row is None:
                continue
            slot = self._slot_of(at)
            if not on_grid and slot not in slots and slots and self._trading.periods and not self._trading.at(at):
                slot = max(slots)  # a price after the session belongs to its last bar
            slots[slot] = merged(slots[slot], row) if slot in slots else row
        bars = (self._bar(slot, row, latest) for slot, row in sorted(slots.items()))
        return [bar for bar in bars if bar is not None]

    def _rows(self) -> Iterator[tuple[int, ChartRow | None, bool]]:
        """Time, values, or None where nothing was traded, and whether that is the time of a bar."""
        columns = self._result.columns
        for index, at in enumerate(self._result.timestamp or ()):
            try:
                if type(at) is not int or not -_LATEST < at < _LATEST:
                    raise ValueError(f"{at!r} is not a time")
                if at < self._since:
                    continue
                row = row_at(columns, index)
            except (ValueError, OverflowError) as error:
                self._misfits.append(self._asked.misfit(raw_row(at, columns, index), str(error)))
                continue
            yield at, row, self._interval == "daily" or self._slot_of(at) == at

    def _slot_of(self, at: int) -> int:
        """The start of the bar that the moment belongs to; bars are counted from the start of their session."""
        if self._interval == "daily":
            day = (datetime.fromtimestamp(0, UTC) + timedelta(seconds=at)).astimezone(self._zone).date()
            return int(datetime.combine(day, time(), self._zone).timestamp())
        length = _MINUTES[self._interval] * 60
        period = self._trading.at(at)
        start = period.start if period else 0
        return start + (at - start) // length * length

    def _bar(self, slot: int, row: ChartRow, latest: int) -> Bar | None:
        ts = datetime.fromtimestamp(0, UTC) + timedelta(seconds=slot)
        try:
            if ts - (DAY_AHEAD if self._interval == "daily" else AHEAD) > self._asked.now:
                now = f"{self._asked.now:%Y-%m-%d %H:%M} UTC"
                raise ValueError(f"{ts.isoformat()} is a time to come: by the clock of this machine it is {now}")
            fields = row._asdict() | {
                "type": "bar",
                "ticker": self._asked.ticker,
                "interval": self._interval,
                "ts": ts,
                "volume": self._volume(row.volume, slot),
                "currency": self._currency,
                "closed": self._is_closed(ts, latest),
                "revision": self._asked.revision,
                "source": SOURCE,
            }
            return msgspec.convert(fields, Bar)  # not constructed: only that checks the ranges
        except (ValueError, OverflowError) as error:
            self._misfits.append(self._asked.misfit(msgspec.json.encode((slot, *row)), str(error)))
            return None

    def _volume(self, volume: float | None, slot: int) -> float | None:
        """None where a 0 stands for an unknown volume: before the open, after the close, and where there is none."""
        if volume != 0:
            return volume
        if self._meta.instrument_type in _WITHOUT_VOLUME:
            return None
        if self._interval == "daily":
            return volume
        period = self._trading.at(slot)
        return volume if period is not None and period.session == "regular" else None

    def _is_closed(self, ts: datetime, latest: int) -> bool:
        """Whether it is over by the provider's clock, which its prices tell; what is long over by ours, in any case.

        Prices of some exchanges are late, so that a bar still forms when by our clock its time is over.
        """
        now, told = self._asked.now, [datetime.fromtimestamp(latest, UTC)]
        told += [self._priced_at] if self._priced_at else []
        if self._interval != "daily":
            end = ts + timedelta(minutes=_MINUTES[self._interval])
            return end <= max(told) or end + DELAY <= now
        day = ts.astimezone(self._zone).date()
        regular = self._trading.regular
        if regular is None or self._trading.all_day or day != self._day(regular.start):
            return day < now.astimezone(self._zone).date()
        end = datetime.fromtimestamp(regular.end, UTC)
        return end + DELAY <= now or (self._priced_at is not None and end <= self._priced_at)

    def _day(self, at: int) -> date:
        return datetime.fromtimestamp(at, self._zone).date()

    def _quote(self, bars: Sequence[Bar]) -> Quote | None:
        """The last price of the regular session, which is what the previous close belongs to."""
        meta, at = self._meta, self._priced_at
        if meta.regular_market_price is None or at is None:
            return None
        volume = number_or_none(meta.regular_market_volume, Volume)
        try:
            fields = {
                "type": "quote",
                "ticker": self._asked.ticker,
                "ts": min(at, self._asked.now),  # it was seen, so it is not of a time to come
                "price": number(meta.regular_market_price),
                "previous_close": self._previous_close(bars, at) or None,  # none was ever 0
                "volume": None if not volume and meta.instrument_type in _WITHOUT_VOLUME else volume,
                "currency": self._currency,
                "session": "regular",
                "high": number_or_none(meta.regular_market_day_high, Price),
                "low": number_or_none(meta.regular_market_day_low, Price),
                "year_high": number_or_none(meta.fifty_two_week_high, Price),
                "year_low": number_or_none(meta.fifty_two_week_low, Price),
                "revision": self._asked.revision,
                "source": SOURCE,
            }
            return msgspec.convert(fields, Quote)
        except (ValueError, OverflowError) as error:
            self._misfits.append(self._asked.misfit(msgspec.json.encode(meta), str(error)))
            return None

    def _previous_close(self, bars: Sequence[Bar], at: datetime) -> float | None:
        """As the reply says it, or the close of the last daily bar before the day of the price."""
        if self._interval != "daily" or self._zone is None:
            return number_or_none(self._meta.previous_close, Price)
        today = datetime.combine(at.astimezone(self._zone).date(), time(), self._zone)
        return next((bar.close for bar in reversed(bars) if bar.ts < today), None)


def _zone(name: Any) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if isinstance(name, str) else None
    except (ValueError, OSError, KeyError):
        return None


def _moment(at: Any) -> datetime | None:
    """The time; None for what cannot be one of a price."""
    return datetime.fromtimestamp(at, UTC) if type(at) is int and 0 < at < _LATEST else None
