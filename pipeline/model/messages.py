"""Every message that crosses the bus: typed, validated, JSON.

Times are UTC. Prices are in the quote currency of the ticker, volumes in shares (or units).
"""

import hashlib
import math
import struct
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pipeline import topics
from pipeline.text import clean
from pipeline.tickers import parse_ticker

Interval = Literal["1min", "5min", "15min", "30min", "60min", "daily"]
INTERVALS: Final[tuple[Interval, ...]] = ("1min", "5min", "15min", "30min", "60min", "daily")

Price = Annotated[float, Meta(gt=0)]
Volume = Annotated[float, Meta(ge=0)]
Ts = Annotated[datetime, Meta(tz=True)]
Valence = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]
Revision = Annotated[int, Meta(ge=0, lt=1 << 52)]
"""Orders observations of the same thing: a higher one supersedes (milliseconds since the epoch of the observation, for
providers that correct; 0 for those that speak once)."""
Score = Annotated[float, Meta(ge=-1, le=1)]
ShortText = Annotated[str, Meta(min_length=1, max_length=256)]
Tag = Literal["bullish", "bearish"]
MAX_WORDS: Final = 8


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=False):
    """What every message has. `ts` is the event's time, not that of its arrival."""

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
        if parse_ticker(self.ticker) != self.ticker:
            raise ValueError(f"ticker {self.ticker!r} is not in its upper-case form")


class Bar(TickerMessage, frozen=True, kw_only=True, tag="bar"):
    """Open, high, low, close and volume of one interval. `ts` is the provider's label of the bar.

    `closed` is False while the bar forms.
    """

    interval: Interval
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume
    closed: bool = True
    revision: Revision = 0
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_fields(self, source=256)
        if self.low > self.high:
            raise ValueError("low is above high")
        if not math.isfinite(self.open + self.high + self.low + self.close + self.volume):
            raise ValueError("a value is not finite")


class Quote(TickerMessage, frozen=True, kw_only=True, tag="quote"):
    """The last trade and the day so far."""

    price: Price
    previous_close: Price | None = None
    volume: Volume | None = None
    revision: Revision = 0
    source: ShortText = "unknown"

    def __post_init__(self) -> None:
        super().__post_init__()
        _clean_fields(self, source=256)


class IndicatorRow(TickerMessage, frozen=True, kw_only=True, tag="indicators"):
    """Technical indicators at one bar; None while warming up. Formulas: `pipeline.indicators`.

    `lineage` says which bars the row was computed from: of two rows for the same bar the greater one knows more.
    """

    interval: Interval
    lineage: Annotated[str, Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{32}$")]
    closed: bool = True
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


INDICATOR_FIELDS: Final = IndicatorRow.__struct_fields__[IndicatorRow.__struct_fields__.index("sma_20") :]


class Article(TickerMessage, frozen=True, kw_only=True, tag="article"):
    """A news article. `id` is the provider's, or the URL."""

    id: ShortText
    title: str
    summary: str = ""
    url: str = ""
    publisher: str = ""
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
    and rules; a greater one is newer.
    """

    id: ShortText
    kind: Literal["article", "post"]
    text: str
    compound: Score
    label: Literal["positive", "neutral", "negative"]
    words: Annotated[list[tuple[str, Valence]], Meta(max_length=MAX_WORDS)] = []
    tag: Tag | None = None
    scoring: Annotated[int, Meta(ge=0, lt=10_000)] = 0
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


AnyMessage = Bar | Quote | IndicatorRow | Article | Post | ScoredItem | EconomicPoint | DeadLetter

_TOPIC_TYPES: Final[dict[str, Any]] = {
    topics.STOCK_DATA: Bar | Quote,
    topics.INDICATORS: IndicatorRow,
    topics.NEWS: Article,
    topics.SOCIAL: Post,
    topics.SENTIMENT: ScoredItem,
    topics.ECONOMIC: EconomicPoint,
    topics.DEAD_LETTER: DeadLetter,
}
_PREFIX: Final[dict[type, str]] = {
    Bar: topics.STOCK_DATA,
    Quote: topics.STOCK_DATA,
    IndicatorRow: topics.INDICATORS,
    Article: topics.NEWS,
    Post: topics.SOCIAL,
    ScoredItem: topics.SENTIMENT,
    EconomicPoint: topics.ECONOMIC,
    DeadLetter: topics.DEAD_LETTER,
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


def schema_of(message: AnyMessage) -> str:
    """Type and version, as in the record header `schema`."""
    return f"{message.__struct_config__.tag}.v1"


def key_of(message: AnyMessage) -> str:
    """The record key: the ticker, so that the messages of one ticker keep their order."""
    match message:
        case TickerMessage():
            return message.ticker
        case EconomicPoint():
            return message.series
        case DeadLetter():
            return message.topic


_VALUES: Final = struct.Struct("<5d?")


def bar_rank(bar: Bar) -> int:
    """Orders all observations of one bar, whatever their order of arrival; the greatest is the bar.

    Closed above open, then the higher revision; between two that differ in nothing but their values a digest
    decides, for any rule will do as long as everybody applies the same. Below 2**93.
    """
    values = _VALUES.pack(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.simulated)
    digest = int.from_bytes(hashlib.blake2b(values, digest_size=5).digest())
    return (bar.closed << 92) | (bar.revision << 40) | digest


def _clean_fields(message: Message, **limits: int) -> None:
    for field, limit in limits.items():
        text = getattr(message, field)
        cleaned = clean(text, limit)
        if cleaned != text:
            msgspec.structs.force_setattr(message, field, cleaned)
