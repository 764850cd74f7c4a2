"""Every message that crosses the bus: typed, validated, JSON.

Times are UTC. Prices are in the quote currency of the ticker, volumes in shares (or units).
"""

import hashlib
import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from pipeline.model import topics
from pipeline.model.skill import Skill
from pipeline.model.text import clean
from pipeline.model.tickers import MAX_LENGTH, can_be_negative, is_ticker, parse_ticker

Interval = Literal["1min", "5min", "15min", "30min", "60min", "daily"]
INTERVALS: Final[tuple[Interval, ...]] = ("1min", "5min", "15min", "30min", "60min", "daily")

Price = float
"""Below zero only where the instrument can be, see `pipeline.model.tickers.can_be_negative`."""
Volume = Annotated[float, Meta(ge=0)]
MarketCap = Annotated[float, Meta(gt=0, le=1e18)]
Ts = Annotated[datetime, Meta(tz=True)]
Valence = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]
REVISIONS: Final = 1 << 52
Revision = Annotated[int, Meta(ge=0, lt=REVISIONS)]
"""Orders observations of the same thing: a higher one supersedes (milliseconds since the epoch of the observation, for
providers that correct; 0 for those that speak once)."""
Score = Annotated[float, Meta(ge=-1, le=1)]
ShortText = Annotated[str, Meta(min_length=1, max_length=256)]
Currency = str
"""As providers write it: ISO 4217, a minor unit such as ``GBp``, ``ZAc`` and ``ILA``, or a crypto-currency's code. One
that cannot be right is not known."""
Amount = Annotated[float, Meta(gt=0, le=1e12)]
MarketSession = Literal["pre", "regular", "post"]
Tag = Literal["bullish", "bearish"]
ItemKind = Literal["article", "post"]
Weight = Annotated[float, Meta(ge=0, le=1)]
MAX_WORDS: Final = 8
MAX_HORIZONS: Final = 16
_CURRENCY: Final = re.compile("[A-Za-z]{3,5}")
_ROUNDING: Final = 1e-5
"""By which part of itself a price may lie outside its bar: adjusted prices are rounded one by one."""
_BEYOND_ANY: Final = 1e300
"""No price and no volume is as much, and four of what is less have a sum."""
NOWHERE: Final = -1
"""Partition and offset in the dead letter of a record that its topic did not take."""


_KEPT: Final = 1 << 12
"""Tickers, and names of sources, that are looked at once: each message has one of a few."""
_is_written_so: Final = lru_cache(_KEPT)(is_ticker)
_clean_short: Final = lru_cache(_KEPT)(partial(clean, limit=256))


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=False):
    """What every message has. `ts` is the event's time, not that of its arrival."""

    VERSION: ClassVar[int] = 1
    """Raised by a change that breaks programs that read or write the message; see docs/downstream.md."""

    ts: Ts
    simulated: bool = False

    def __post_init__(self) -> None:
        if not 1 < self.ts.year < 9999:  # so that it has a date in every zone
            raise ValueError("ts is out of range")
        # One zone from here on: equal instants are equal texts, and so equal natural keys.
        if self.ts.tzinfo is not UTC:
            msgspec.structs.force_setattr(self, "ts", self.ts.astimezone(UTC))


class TickerMessage(Message, frozen=True, kw_only=True):
    ticker: str

    def __post_init__(self) -> None:
        super().__post_init__()
        known = len(self.ticker) <= MAX_LENGTH and _is_written_so(self.ticker)
        if not known and parse_ticker(self.ticker) != self.ticker:
            raise ValueError(f"ticker {self.ticker!r} is not in its upper-case form")


class Bar(TickerMessage, frozen=True, kw_only=True, tag="bar"):
    """Open, high, low, close and volume of one interval. `ts` is the provider's label of the bar.

    `closed` is False while the bar forms. `volume` is None where there is none, as for an index; `currency` where the
    provider does not say it.
    """

    interval: Interval
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume | None = None
    currency: Currency | None = None
    closed: bool = True
    revision: Revision = 0
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_source(self)
        _check_currency(self)
        low, high = self.low, self.high
        is_usual = 0 < low <= self.open <= high and low <= self.close <= high < _BEYOND_ANY
        if not (is_usual and (self.volume is None or 0 <= self.volume < _BEYOND_ANY)):
            self._check_prices()  # which takes longer than all else that is checked

    def _check_prices(self) -> None:
        """
        Raises:
            ValueError: if they are none of one bar.
        """
        if not math.isfinite(self.open + self.high + self.low + self.close + (self.volume or 0.0)):
            raise ValueError("a value is not finite")
        if self.low > self.high:
            raise ValueError("low is above high")
        _check_price(self.ticker, min(self.open, self.low, self.close))
        lesser = min(self.open, self.close)
        if self.low == 0 and lesser > 2 * (self.high - lesser):  # what trades about zero moves as far upwards
            raise ValueError("a low of 0 between other prices is a missing value")
        tolerance = _ROUNDING * max(abs(self.low), abs(self.high))
        for name, price in (("open", self.open), ("close", self.close)):
            if not self.low - tolerance <= price <= self.high + tolerance:
                raise ValueError(f"{name} {price:.12g} is not between low {self.low:.12g} and high {self.high:.12g}")


class Quote(TickerMessage, frozen=True, kw_only=True, tag="quote"):
    """The last trade and the day so far. What cannot be right of all but the price is not known.

    `session` says in which part of the day the price was made, where the provider tells: before the open and after the
    close it is not what the day's change is counted with. `open`, `high` and `low` are those of the day's regular
    session, `year_high` and `year_low` of the last 52 weeks; `market_cap` is in units of the currency.
    """

    price: Price
    previous_close: Price | None = None
    volume: Volume | None = None
    currency: Currency | None = None
    session: MarketSession | None = None
    open: Price | None = None
    high: Price | None = None
    low: Price | None = None
    year_high: Price | None = None
    year_low: Price | None = None
    market_cap: MarketCap | None = None
    revision: Revision = 0
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_source(self)
        _check_currency(self)
        _check_price(self.ticker, self.price)
        for name in ("previous_close", "open", "high", "low", "year_high", "year_low"):
            value = getattr(self, name)
            if value is not None and not _can_be_price(self.ticker, value):
                msgspec.structs.force_setattr(self, name, None)


class Split(TickerMessage, frozen=True, kw_only=True, tag="split"):
    """A split of shares. From `ts` on, the day it takes effect, `denominator` shares are `numerator` shares: 4 and 1 is
    four for one.

    A source that adjusts its prices hands out the bars before that day again, with higher revisions.
    """

    numerator: Amount
    denominator: Amount
    revision: Revision = 0
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_source(self)


class Dividend(TickerMessage, frozen=True, kw_only=True, tag="dividend"):
    """What is paid a share; `ts` is the ex-date. `currency` is None where the provider does not say it."""

    amount: Amount
    currency: Currency | None = None
    revision: Revision = 0
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_source(self)
        _check_currency(self)


class IndicatorRow(TickerMessage, frozen=True, kw_only=True, tag="indicators"):
    """Technical indicators at one bar; None while warming up. Formulas: `pipeline.analytics.indicators`.

    `lineage` says which bars the row was computed from, all of them of `source`: of two rows for the same bar the
    greater one knows more.
    """

    interval: Interval
    lineage: Annotated[str, Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{32}$")]
    closed: bool = True
    source: ShortText = "unknown"
    close: Price
    sma_20: float | None = None
    sma_50: float | None = None
    ema_12: float | None = None
    ema_26: float | None = None
    rsi_14: float | None = None
    macd: float | None = None
    macd_signal: float | None = None
    macd_hist: float | None = None
    bb_upper: float | None = None
    bb_middle: float | None = None
    bb_lower: float | None = None
    atr_14: float | None = None
    obv: float | None = None
    stoch_k: float | None = None
    stoch_d: float | None = None
    adx_14: float | None = None
    vwap: float | None = None
    return_1: float | None = None
    volatility_10: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_source(self)


class DueBands(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier bar, `ts` with its `close`, had said of the close of the bar that this stands at: bands as in
    `HorizonForecast`."""

    ts: Ts
    close: Price
    low_50: Price
    high_50: Price
    low_80: Price
    high_80: Price
    low_95: Price
    high_95: Price


class HorizonForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the close `horizon` bars later, and what was said of this one so many bars ago (`due`).

    The close will lie between `low_80` and `high_80` with a probability of 80 %, and so for 50 and 95. `volatility` is
    the expected standard deviation of the return until then, as a fraction. All of these are None while nothing can be
    said: before a series has 100 bars, or while it does not move. `due` is None where nothing was said, across what
    looks like a split, and after a long pause.

    The rest is the record so far, of the forecasts for this horizon whose bars had come: how many (`count`), the part
    that the bands held, and the mean interval scores of the 80 % bands in percent of the price, ours and those of the
    two baselines; `skill` says whether ours was better by more than chance.
    """

    horizon: Annotated[int, Meta(ge=1, le=1000)]
    low_50: Price | None = None
    high_50: Price | None = None
    low_80: Price | None = None
    high_80: Price | None = None
    low_95: Price | None = None
    high_95: Price | None = None
    volatility: float | None = None
    count: int = 0
    held_50: float | None = None
    held_80: float | None = None
    held_95: float | None = None
    score: float | None = None
    score_ewma: float | None = None
    score_rolling: float | None = None
    skill: Skill = "unknown"
    due: DueBands | None = None


class Forecast(TickerMessage, frozen=True, kw_only=True, tag="forecast"):
    """What was said at one closed bar, `ts`, of the closes to come, and before of its own `close`. Models:
    `pipeline.analytics.forecasts`.

    `horizons` are 1, 5 and 15 bars, the nearest first. `up` is the probability that the next return is positive, None
    while nothing can be said. Records begin with the bar `since`; `up_loss` and `up_loss_base` are the mean log-losses
    of `up` and of the base rate (a coin has 0.693), and `up_skill` says whether ours was better by more than chance.
    `drifted` is the last bar at which the returns had ceased to be like those before.

    `lineage` says which bars all this was computed from: of two rows for the same bar the greater one knows more.
    """

    interval: Interval
    lineage: Annotated[str, Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{32}$")]
    source: ShortText = "unknown"
    close: Price
    horizons: Annotated[tuple[HorizonForecast, ...], Meta(min_length=1, max_length=MAX_HORIZONS)]
    up: Annotated[float, Meta(ge=0, le=1)] | None = None
    up_loss: float | None = None
    up_loss_base: float | None = None
    up_skill: Skill | None = None
    since: Ts | None = None
    drifted: Ts | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_source(self)


INDICATOR_FIELDS: Final = IndicatorRow.__struct_fields__[IndicatorRow.__struct_fields__.index("sma_20") :]


class Article(TickerMessage, frozen=True, kw_only=True, tag="article"):
    """A news article. `id` is the provider's, or the URL.

    `relevance` says how much it is about the ticker, from 0 to 1; None where the provider does not say.
    """

    id: ShortText
    title: str
    summary: str = ""
    url: str = ""
    publisher: str = ""
    relevance: Weight | None = None
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_fields(self, id=256, title=512, summary=4096, url=2048, publisher=128, source=256)


class Post(TickerMessage, frozen=True, kw_only=True, tag="post"):
    """A post on a social platform. `tag` is the poster's own opinion where the platform asks for one."""

    id: ShortText
    text: str
    author: str = ""
    url: str = ""
    tag: Tag | None = None
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_fields(self, id=256, text=4096, author=128, url=2048, source=256)


class ScoredItem(TickerMessage, frozen=True, kw_only=True, tag="sentiment"):
    """The sentiment of one article or post. `compound` is VADER's, from -1 to 1.

    `words` says what made it, strongest first: words and what each added, negations and emphasis included, on VADER's
    scale of about -4 to 4. `tag` is the poster's own opinion where that decided instead. `scoring` numbers the lexicon
    and rules; a greater one is newer. `weight` says how much of the item is about the ticker. Articles whose `story` is
    alike tell the same (`pipeline.analytics.stories`); it is "" where there is too little to tell by.
    """

    id: ShortText
    kind: ItemKind
    text: str
    compound: Score
    label: Literal["positive", "neutral", "negative"]
    words: Annotated[list[tuple[str, Valence]], Meta(max_length=MAX_WORDS)] = []
    tag: Tag | None = None
    scoring: Annotated[int, Meta(ge=0, lt=10_000)] = 0
    weight: Weight = 1.0
    story: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    url: str = ""
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_fields(self, id=256, text=512, url=2048, source=256)
        cleaned = [(clean(word, 64), valence) for word, valence in self.words]
        if cleaned != self.words:
            msgspec.structs.force_setattr(self, "words", cleaned)


class EconomicPoint(Message, frozen=True, kw_only=True, tag="economic"):
    """One value of an economic series. `value` is None where the publisher left it out."""

    series: ShortText
    interval: str
    value: float | None
    unit: str = ""
    revision: Revision = 0
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_fields(self, series=256, interval=64, unit=64, source=256)


class DeadLetter(Message, frozen=True, kw_only=True, tag="dead_letter"):
    """A record that could not be processed: where it stood, why, and its beginning. `ts` is the record's time."""

    topic: str
    partition: int
    offset: int
    reason: str
    payload: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_fields(self, topic=256, reason=1024, payload=4096)


AnyMessage = (
    Bar | Quote | Split | Dividend | IndicatorRow | Forecast | Article | Post | ScoredItem | EconomicPoint | DeadLetter
)

_TOPIC_TYPES: Final[dict[str, Any]] = {
    topics.STOCK_DATA: Bar | Quote | Split | Dividend,
    topics.INDICATORS: IndicatorRow,
    topics.FORECASTS: Forecast,
    topics.NEWS: Article,
    topics.SOCIAL: Post,
    topics.SENTIMENT: ScoredItem,
    topics.ECONOMIC: EconomicPoint,
    topics.DEAD_LETTER: DeadLetter,
}
_PREFIX: Final[dict[type, str]] = {
    Bar: topics.STOCK_DATA,
    Quote: topics.STOCK_DATA,
    Split: topics.STOCK_DATA,
    Dividend: topics.STOCK_DATA,
    IndicatorRow: topics.INDICATORS,
    Forecast: topics.FORECASTS,
    Article: topics.NEWS,
    Post: topics.SOCIAL,
    ScoredItem: topics.SENTIMENT,
    EconomicPoint: topics.ECONOMIC,
    DeadLetter: topics.DEAD_LETTER,
}
_KEY: Final[dict[type, Callable[[AnyMessage], str]]] = {
    **dict.fromkeys(_PREFIX, attrgetter("ticker")),
    EconomicPoint: attrgetter("series"),
    DeadLetter: attrgetter("topic"),
}
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    prefix: msgspec.json.Decoder(type_) for prefix, type_ in _TOPIC_TYPES.items()
}
_ENCODER: Final = msgspec.json.Encoder()


class UndecodableError(ValueError):
    """A record's value is not the message its topic promises."""


def encode(message: AnyMessage) -> bytes:
    """The message as JSON."""
    return _ENCODER.encode(message)


def decode(topic: str, value: bytes) -> AnyMessage:
    """The message that `value` holds, of the type its topic promises.

    Raises:
        UndecodableError: if it is not JSON, not of that type, or of another ticker than its topic's.
    """
    prefix, ticker = topics.split_topic(topic)
    try:
        message: AnyMessage = _DECODERS[prefix].decode(value)
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
        raise UndecodableError(str(error)) from error
    if ticker is not None and getattr(message, "ticker", ticker) != ticker:
        raise UndecodableError(f"a message of another ticker in {topic}")
    return message


def topic_of(message: AnyMessage) -> str:
    """The topic that carries the message."""
    prefix = _PREFIX[type(message)]
    return topics.topic_for(prefix, message.ticker) if isinstance(message, TickerMessage) else prefix


def topic_kind_of(type_: type[AnyMessage]) -> str:
    """The kind of topic that carries such messages: its name up to the ticker."""
    return _PREFIX[type_]


def schema_name(type_: type[AnyMessage]) -> str:
    """Type and version, as in the record header `schema`."""
    return f"{type_.__struct_config__.tag}.v{type_.VERSION}"


def key_of(message: AnyMessage) -> str:
    """The record key: the ticker, so that the messages of one ticker keep their order."""
    return _KEY[type(message)](message)


_VALUES: Final = struct.Struct("<5d?")


def bar_rank(bar: Bar) -> int:
    """Orders all observations of one bar, whatever their order of arrival; the greatest is the bar.

    Closed above open, then the higher revision; between two that differ in nothing but their values a digest
    decides, for any rule will do as long as everybody applies the same. Below 2**93.
    """
    digest = values_digest(bar.open, bar.high, bar.low, bar.close, bar.volume, simulated=bar.simulated)
    return (bar.closed << 92) | (bar.revision << 40) | digest


def values_digest(open_: float, high: float, low: float, close: float, volume: float | None, *, simulated: bool) -> int:
    """The last 40 bits of a `bar_rank`."""
    values = _VALUES.pack(open_, high, low, close, -1.0 if volume is None else volume, simulated)
    return int.from_bytes(hashlib.blake2b(values, digest_size=5).digest())


def _can_be_price(ticker: str, price: float) -> bool:
    return math.isfinite(price) and (price > 0 or can_be_negative(ticker))


def _check_price(ticker: str, price: float) -> None:
    if not math.isfinite(price):
        raise ValueError("a price is not finite")
    if not _can_be_price(ticker, price):
        raise ValueError(f"{price:.12g} is not a price of {ticker}: only futures (CL=F), rates and spreads reach zero")


def _check_currency(message: "Bar | Quote | Dividend") -> None:
    if message.currency is not None and _CURRENCY.fullmatch(message.currency) is None:
        msgspec.structs.force_setattr(message, "currency", None)


def _clean_source(message: "Bar | Quote | Split | Dividend | IndicatorRow | Forecast") -> None:
    if (cleaned := _clean_short(message.source)) != message.source:
        msgspec.structs.force_setattr(message, "source", cleaned)


def _clean_fields(message: Message, **limits: int) -> None:
    for field, limit in limits.items():
        text = getattr(message, field)
        cleaned = clean(text, limit)
        if cleaned != text:
            msgspec.structs.force_setattr(message, field, cleaned)
