"""Alpha Vantage's replies as messages of the pipeline. No I/O."""

import hashlib
import math
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Raw

from pipeline.messages import Article, Bar, EconomicPoint, Interval, Quote
from pipeline.sources.alpha_vantage.answer import SOURCE, Answer, Reply
from pipeline.sources.alpha_vantage.errors import NoArticlesError, UnknownSymbolError
from pipeline.sources.alpha_vantage.symbols import symbol_of
from pipeline.text import clean_html

US_EASTERN: Final = ZoneInfo("America/New_York")
SESSION_END: Final = time(16)
"""Of a regular day; one that ends early is over a little later for us."""

_MISSING: Final = frozenset({"", ".", "-", "None"})
_MINUTES: Final[Mapping[Interval, int]] = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "60min": 60}
_LONGEST_ID: Final = 256

_Number = float | str | None
"""Documented as text; a number is taken as well."""


class _BarRow(msgspec.Struct, frozen=True):
    open: _Number = msgspec.field(name="1. open")
    high: _Number = msgspec.field(name="2. high")
    low: _Number = msgspec.field(name="3. low")
    close: _Number = msgspec.field(name="4. close")
    volume: _Number = msgspec.field(name="5. volume")


class _GlobalQuote(msgspec.Struct, frozen=True):
    """All but the price may be missing; all of it is, for a symbol that is unknown."""

    symbol: str = msgspec.field(name="01. symbol")
    price: _Number = msgspec.field(name="05. price")
    day: str = msgspec.field(name="07. latest trading day")
    volume: _Number = msgspec.field(name="06. volume", default=None)
    previous_close: _Number = msgspec.field(name="08. previous close", default=None)


class _GlobalQuoteReply(msgspec.Struct, frozen=True):
    quote: Raw = msgspec.field(name="Global Quote")


class _BulkQuote(msgspec.Struct, frozen=True):
    symbol: str
    timestamp: str
    close: _Number
    volume: _Number = None
    previous_close: _Number = None


class _List(msgspec.Struct, frozen=True):
    data: list[Raw]


class _Mention(msgspec.Struct, frozen=True):
    ticker: str


class _NewsItem(msgspec.Struct, frozen=True):
    title: str
    url: str
    time_published: str
    ticker_sentiment: list[_Mention]
    summary: str = ""
    source: str = ""


class _NewsReply(msgspec.Struct, frozen=True):
    feed: list[Raw]


class _EconomicReply(msgspec.Struct, frozen=True):
    interval: str
    data: list[Raw]
    unit: str = ""


class _EconomicRow(msgspec.Struct, frozen=True):
    date: str
    value: _Number


def bars(answer: Answer, ticker: str, interval: Interval) -> Reply[Bar]:
    """The bars of a TIME_SERIES reply.

    `ts` is the label in UTC: the start of the interval, and for daily bars the start of the exchange's day. The bar
    is closed once its interval, or the day's regular session, is over by the clock; `revision` is when it was seen.

    Raises:
        AlphaVantageError
    """
    reply = answer.decode(dict[str, Raw])
    name = f"Time Series ({'Daily' if interval == 'daily' else interval})"
    if name not in reply or "Meta Data" not in reply:
        raise answer.unreadable(f"it has no {name}")
    zone = _zone(answer, reply["Meta Data"])
    try:
        series = msgspec.json.decode(reply[name], type=dict[str, Raw])
    except msgspec.ValidationError as error:
        raise answer.unreadable(str(error)) from error

    def parse(label: str, raw: bytes) -> Bar:
        row = msgspec.json.decode(raw, type=_BarRow)
        ts = datetime.fromisoformat(label).replace(tzinfo=zone)
        over = (
            datetime.combine(ts, SESSION_END, zone) if interval == "daily" else ts.astimezone(UTC) + _length(interval)
        )
        values = {field: _number(getattr(row, field)) for field in ("open", "high", "low", "close", "volume")}
        identity = {"ticker": ticker, "interval": interval, "source": SOURCE, "ts": ts}
        return _message(Bar, identity | values | {"closed": over <= answer.now, "revision": answer.revision})

    return answer.rows(series.items(), parse)


def quote(answer: Answer, ticker: str) -> Quote:
    """The quote of a GLOBAL_QUOTE reply. It names a day only, so `ts` is that day's close, or now if that is earlier.

    Raises:
        AlphaVantageError
    """
    reply = answer.decode(_GlobalQuoteReply)
    if bytes(reply.quote).strip() == b"{}":
        raise UnknownSymbolError(ticker)
    try:
        row = msgspec.json.decode(reply.quote, type=_GlobalQuote)
        if row.symbol != symbol_of(ticker):
            raise ValueError(f"it is about {row.symbol}")
        close = datetime.combine(datetime.fromisoformat(row.day), SESSION_END, US_EASTERN)
        return _quote(answer, ticker, min(close, answer.now), row.price, row)
    except ValueError as error:
        raise answer.unreadable(str(error)) from error


def bulk_quotes(answer: Answer, tickers: Mapping[str, str]) -> Reply[Quote]:
    """The quotes of a REALTIME_BULK_QUOTES reply; `tickers` are those asked for, by their symbols there.

    Raises:
        AlphaVantageError
    """

    def parse(_: str, raw: bytes) -> Quote:
        row = msgspec.json.decode(raw, type=_BulkQuote)
        if row.symbol not in tickers:
            raise ValueError(f"{row.symbol} was not asked for")
        ts = datetime.fromisoformat(row.timestamp).replace(tzinfo=US_EASTERN)
        return _quote(answer, tickers[row.symbol], ts, row.close, row)

    return answer.rows((("", raw) for raw in answer.decode(_List).data), parse)


def articles(answer: Answer, ticker: str) -> Reply[Article]:
    """The articles of a NEWS_SENTIMENT reply that name the ticker.

    Raises:
        AlphaVantageError
    """
    symbol = symbol_of(ticker)
    try:
        feed = answer.decode(_NewsReply).feed
    except NoArticlesError:
        return Reply([], [])

    def parse(_: str, raw: bytes) -> Article | None:
        item = msgspec.json.decode(raw, type=_NewsItem)
        if symbol not in {symbol_of(mention.ticker) for mention in item.ticker_sentiment}:
            return None
        fields = {
            "ticker": ticker,
            "ts": datetime.strptime(item.time_published, "%Y%m%dT%H%M%S").replace(tzinfo=UTC),
            "id": _article_id(item.url),
            "title": clean_html(item.title),
            "summary": clean_html(item.summary),
            "url": item.url,
            "publisher": clean_html(item.source),
            "source": SOURCE,
        }
        return _message(Article, fields)

    return answer.rows((("", raw) for raw in feed), parse)


def economic_points(answer: Answer) -> Reply[EconomicPoint]:
    """The points of an economic series; each bears the start of its period, UTC.

    Raises:
        AlphaVantageError
    """
    reply = answer.decode(_EconomicReply)
    shared = {
        "series": answer.function,
        "interval": reply.interval,
        "unit": reply.unit,
        "revision": answer.revision,
        "source": SOURCE,
    }

    def parse(_: str, raw: bytes) -> EconomicPoint:
        row = msgspec.json.decode(raw, type=_EconomicRow)
        ts = datetime.fromisoformat(row.date).replace(tzinfo=UTC)
        return _message(EconomicPoint, shared | {"ts": ts, "value": _number(row.value)})

    return answer.rows((("", raw) for raw in reply.data), parse)


def _quote(answer: Answer, ticker: str, ts: datetime, price: _Number, row: _GlobalQuote | _BulkQuote) -> Quote:
    fields = {
        "ticker": ticker,
        "ts": ts,
        "price": _number(price),
        "previous_close": _number(row.previous_close),
        "volume": _number(row.volume),
        "revision": answer.revision,
        "source": SOURCE,
    }
    return _message(Quote, fields)


def _message[Row: Bar | Quote | Article | EconomicPoint](type_: type[Row], fields: dict[str, Any]) -> Row:
    """Converted, not constructed: only that checks the ranges."""
    return msgspec.convert(fields | {"type": type_.__struct_config__.tag}, type_)


def _number(value: _Number) -> float | None:
    """None for what is marked as missing.

    Raises:
        ValueError: if it is no number, or not finite.
    """
    if value is None or value in _MISSING:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a finite number")
    return number


def _zone(answer: Answer, meta: Raw) -> ZoneInfo:
    """The zone of the labels; the number in its key varies."""
    try:
        facts = msgspec.json.decode(meta, type=dict[str, Any])
        name = next((value for key, value in facts.items() if key.endswith("Time Zone")), None)
        return ZoneInfo(str(name))
    except (ValueError, OSError, KeyError) as error:
        raise answer.unreadable("its Meta Data names no time zone") from error


def _length(interval: Interval) -> timedelta:
    return timedelta(minutes=_MINUTES[interval])


def _article_id(url: str) -> str:
    """The URL, or a digest where that is too long: cut, two of them might be one."""
    return url if len(url) <= _LONGEST_ID else hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
