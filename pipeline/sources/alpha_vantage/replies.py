"""Alpha Vantage's replies as messages of the pipeline. No I/O."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Raw

from pipeline.model.messages import Article, Bar, EconomicPoint, Interval, Price, Quote, Volume, Weight
from pipeline.model.text import clean_html
from pipeline.sources.alpha_vantage.answer import SOURCE, Answer, ParsedReply
from pipeline.sources.alpha_vantage.errors import NoArticlesError, UnknownSymbolError
from pipeline.sources.alpha_vantage.symbols import symbol_of
from pipeline.sources.outside import LEFT_OUT, moment, number, number_or_none, text_or_none

US_EASTERN: Final = ZoneInfo("America/New_York")
SESSION_END: Final = time(16)
"""Of a regular day; one that ends early is over a little later for us."""

_MINUTES: Final[Mapping[Interval, int]] = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "60min": 60}
_LONGEST_ID: Final = 256
AHEAD: Final = timedelta(minutes=5)
"""How far a provider's clock may be ahead of ours."""
DAY_AHEAD: Final = timedelta(days=1)
"""As much of a day that begins earlier elsewhere."""

_Number = float | str | None
"""Documented as text; a number is taken as well."""


class _BarRow(msgspec.Struct, frozen=True):
    open: _Number = msgspec.field(name="1. open")
    high: _Number = msgspec.field(name="2. high")
    low: _Number = msgspec.field(name="3. low")
    close: _Number = msgspec.field(name="4. close")
    volume: _Number = msgspec.field(name="5. volume", default=None)


class _GlobalQuote(msgspec.Struct, frozen=True):
    """All but symbol and price may be missing, and for a symbol that is unknown all is."""

    symbol: str = msgspec.field(name="01. symbol")
    price: _Number = msgspec.field(name="05. price")
    day: Any = msgspec.field(name="07. latest trading day", default=None)
    volume: Any = msgspec.field(name="06. volume", default=None)
    previous_close: Any = msgspec.field(name="08. previous close", default=None)
    open: Any = msgspec.field(name="02. open", default=None)
    high: Any = msgspec.field(name="03. high", default=None)
    low: Any = msgspec.field(name="04. low", default=None)


class _GlobalQuoteReply(msgspec.Struct, frozen=True):
    quote: Raw = msgspec.field(name="Global Quote")


class _BulkQuote(msgspec.Struct, frozen=True):
    symbol: str
    timestamp: str
    close: _Number
    volume: Any = None
    previous_close: Any = None
    open: Any = None
    high: Any = None
    low: Any = None


class _List(msgspec.Struct, frozen=True):
    data: list[Raw]


class _NewsItem(msgspec.Struct, frozen=True):
    """An article needs a title, a time and an address, which identifies it."""

    title: str
    url: str
    time_published: str
    ticker_sentiment: Any = None
    summary: Any = None
    source: Any = None

    def mentions(self) -> Iterator[tuple[str, float | None]]:
        """The symbols that it names, as far as it says, and how much it is about each, from 0 to 1."""
        for mention in self.ticker_sentiment if isinstance(self.ticker_sentiment, list) else ():
            if isinstance(mention, dict) and isinstance(symbol := mention.get("ticker"), str):
                yield symbol, number_or_none(mention.get("relevance_score"), Weight)


class _NewsReply(msgspec.Struct, frozen=True):
    feed: list[Raw]


class _EconomicReply(msgspec.Struct, frozen=True):
    data: list[Raw]
    interval: Any = None
    unit: Any = None


class _EconomicRow(msgspec.Struct, frozen=True):
    date: str
    value: _Number = None


def bars(answer: Answer, ticker: str, interval: Interval) -> ParsedReply[Bar]:
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
        ts = moment(label, zone)
        if interval == "daily":
            ts = datetime.combine(ts, time(), ts.tzinfo)
        _begun(answer, ts, DAY_AHEAD if interval == "daily" else AHEAD)
        over = (
            datetime.combine(ts, SESSION_END, ts.tzinfo)
            if interval == "daily"
            else ts.astimezone(UTC) + _length(interval)
        )
        values = {field: number(getattr(row, field)) for field in ("open", "high", "low", "close", "volume")}
        identity = {"ticker": ticker, "interval": interval, "source": SOURCE, "ts": ts}
        return _message(Bar, identity | values | {"closed": over <= answer.now, "revision": answer.revision})

    return answer.rows(series.items(), parse)


def quote(answer: Answer, ticker: str) -> Quote:
    """The quote of a GLOBAL_QUOTE reply. It names a day only, so `ts` is that day's close, or now if that is earlier
    or the day is not said.

    Raises:
        AlphaVantageError
    """
    reply = answer.decode(_GlobalQuoteReply)
    if bytes(reply.quote).translate(None, b" \t\r\n") == b"{}":
        raise UnknownSymbolError(ticker, answer.function, empty=True)
    try:
        row = msgspec.json.decode(reply.quote, type=_GlobalQuote)
        if row.symbol != symbol_of(ticker):
            raise ValueError(f"it is about {row.symbol}")
        return _quote(answer, ticker, _close_of(row.day), row.price, row)
    except ValueError as error:
        raise answer.unreadable(str(error)) from error


def bulk_quotes(answer: Answer, tickers: Mapping[str, str]) -> ParsedReply[Quote]:
    """The quotes of a REALTIME_BULK_QUOTES reply; `tickers` are those asked for, by their symbols there.

    Raises:
        AlphaVantageError
    """

    def parse(_: str, raw: bytes) -> Quote:
        row = msgspec.json.decode(raw, type=_BulkQuote)
        if row.symbol not in tickers:
            raise ValueError(f"{row.symbol} was not asked for")
        return _quote(answer, tickers[row.symbol], moment(row.timestamp, US_EASTERN), row.close, row)

    return answer.rows((("", raw) for raw in answer.decode(_List).data), parse)


def articles(answer: Answer, ticker: str) -> ParsedReply[Article]:
    """The articles of a NEWS_SENTIMENT reply that name the ticker.

    Raises:
        AlphaVantageError
    """
    symbol = symbol_of(ticker)
    try:
        feed = answer.decode(_NewsReply).feed
    except NoArticlesError:
        return ParsedReply([], [])

    def parse(_: str, raw: bytes) -> Article | None:
        item = msgspec.json.decode(raw, type=_NewsItem)
        # One that does not say whom it names is about the ticker, for it was asked for.
        mentions = {symbol_of(mention): relevance for mention, relevance in item.mentions()}
        if mentions and symbol not in mentions:
            return None
        relevance = mentions.get(symbol)
        fields = {
            "ticker": ticker,
            "ts": moment(item.time_published, UTC),
            "id": _article_id(item.url),
            "title": clean_html(item.title),
            "summary": clean_html(text_or_none(item.summary) or ""),
            "url": item.url,
            "publisher": clean_html(text_or_none(item.source) or ""),
            "relevance": 1 / len(mentions) if relevance is None and mentions else relevance,
            "source": SOURCE,
        }
        return _message(Article, fields)

    return answer.rows((("", raw) for raw in feed), parse)


def economic_points(answer: Answer, interval: str = "") -> ParsedReply[EconomicPoint]:
    """The points of an economic series; each has the start of its period, UTC, as its time.

    `interval` is that which was asked for, should the reply not say it.

    Raises:
        AlphaVantageError
    """
    reply = answer.decode(_EconomicReply)
    shared = {
        "series": answer.function,
        "interval": text_or_none(reply.interval) or interval,
        "unit": text_or_none(reply.unit) or "",
        "revision": answer.revision,
        "source": SOURCE,
    }

    def parse(_: str, raw: bytes) -> EconomicPoint:
        row = msgspec.json.decode(raw, type=_EconomicRow)
        ts = moment(row.date, UTC)
        _begun(answer, ts, DAY_AHEAD)
        return _message(EconomicPoint, shared | {"ts": ts, "value": number(row.value, LEFT_OUT)})

    return answer.rows((("", raw) for raw in reply.data), parse)


def _quote(answer: Answer, ticker: str, ts: datetime | None, price: _Number, row: _GlobalQuote | _BulkQuote) -> Quote:
    """It was seen, so it is not of a time to come."""
    fields = {
        "ticker": ticker,
        "ts": answer.now if ts is None else min(ts, answer.now),
        "price": number(price),
        "previous_close": number_or_none(row.previous_close, Price) or None,  # none was ever 0
        "volume": number_or_none(row.volume, Volume),
        "open": number_or_none(row.open, Price),
        "high": number_or_none(row.high, Price),
        "low": number_or_none(row.low, Price),
        "revision": answer.revision,
        "source": SOURCE,
    }
    return _message(Quote, fields)


def _message[Row: Bar | Quote | Article | EconomicPoint](type_: type[Row], fields: dict[str, Any]) -> Row:
    """Converted, not constructed: only that checks the ranges."""
    return msgspec.convert(fields | {"type": type_.__struct_config__.tag}, type_)


def _begun(answer: Answer, ts: datetime, ahead: timedelta) -> None:
    """Whether a bar with that label can be known already.

    Raises:
        ValueError: if not, for either the label is wrong or our clock.
    """
    if ts - ahead > answer.now:
        raise ValueError(
            f"{ts.isoformat()} is a time to come: by the clock of this machine it is {answer.now:%Y-%m-%d %H:%M} UTC"
        )


def _close_of(day: Any) -> datetime | None:
    """The close of the day; None if it is not said, or cannot be read."""
    try:
        return datetime.combine(moment(day, US_EASTERN), SESSION_END, US_EASTERN) if isinstance(day, str) else None
    except ValueError:
        return None


def _zone(answer: Answer, meta: Raw) -> ZoneInfo:
    """The zone of the labels; the number in its key varies."""
    try:
        facts = msgspec.json.decode(meta, type=dict[str, Any])
        name = next((value for key, value in facts.items() if key.endswith("Time Zone")), None)
        return ZoneInfo(str(name))
    except (ValueError, OSError, KeyError) as error:
        raise answer.unreadable("its Meta Data has no time zone") from error


def _length(interval: Interval) -> timedelta:
    return timedelta(minutes=_MINUTES[interval])


def _article_id(url: str) -> str:
    """The URL, or a digest where that is too long: cut, two of them might be one."""
    return url if len(url) <= _LONGEST_ID else hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
