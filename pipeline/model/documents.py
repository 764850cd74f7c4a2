"""Messages as documents: their collection, their natural key, and which of two with one key is kept."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

import msgspec

from pipeline.model.messages import (
    NOWHERE,
    AnyMessage,
    Article,
    Bar,
    DeadLetter,
    Dividend,
    EconomicPoint,
    Forecast,
    IndicatorRow,
    Post,
    Quote,
    ScoredItem,
    Split,
    bar_rank,
    encode,
)

log = logging.getLogger(__name__)

COLLECTIONS: Final = (
    "stock_data",
    "indicators",
    "forecasts",
    "sentiment",
    "news",
    "social",
    "economic",
    "dead_letter",
)
_COLLECTION: Final[dict[type, str]] = {
    Bar: "stock_data",
    Quote: "stock_data",
    Split: "stock_data",
    Dividend: "stock_data",
    IndicatorRow: "indicators",
    Forecast: "forecasts",
    ScoredItem: "sentiment",
    Article: "news",
    Post: "social",
    EconomicPoint: "economic",
    DeadLetter: "dead_letter",
}

QUOTE: Final = "quote"
SPLIT: Final = "split"
DIVIDEND: Final = "dividend"
OTHER_THAN_BARS: Final[dict[type[Quote | Split | Dividend], str]] = {Quote: QUOTE, Split: SPLIT, Dividend: DIVIDEND}
"""What stands for the interval where a document of `stock_data` is no bar."""


BESIDE_THE_BODY: Final = ("ts", "ticker", "interval", "source")
"""The fields of a message that are such of its document too."""


class Document:
    """What a store keeps.

    `id` is the natural key; of two documents with one key the store keeps that of the greater `version` (compared
    as text), whichever comes first, so that neither a replay nor a different order changes the result. `ts` is the
    event's time in UTC. `source` is part of the key wherever there is one: what two providers say of one bar are two
    documents. `body` is the message's other fields.

    Of a `message` all of these are made when they are first asked for: not every store needs every one.
    """

    __slots__ = ("body", "collection", "id", "interval", "message", "source", "ticker", "ts", "version")

    collection: str
    id: str
    version: str
    ts: datetime
    body: dict[str, Any]
    ticker: str | None
    interval: str | None
    source: str | None
    message: AnyMessage | None

    def __init__(
        self,
        collection: str,
        id: str,  # noqa: A002 - as the field is named
        version: str,
        ts: datetime,
        body: dict[str, Any],
        ticker: str | None = None,
        interval: str | None = None,
        source: str | None = None,
    ) -> None:
        self.collection, self.id, self.version, self.ts, self.body = collection, id, version, ts, body
        self.ticker, self.interval, self.source = ticker, interval, source
        self.message = None

    def __getattr__(self, name: str) -> Any:
        make = _MADE.get(name)
        if make is None:
            raise AttributeError(name)
        value = make(self.message)
        setattr(self, name, value)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and _content(self) == _content(other)

    def __hash__(self) -> int:
        return hash((self.collection, self.id, self.version))

    def __repr__(self) -> str:
        return f"Document{_content(self)}"


_content: Final = attrgetter("collection", "id", "version", "ts", "body", "ticker", "interval", "source")


def collection_of(type_: type[AnyMessage]) -> str:
    """The collection that keeps such messages."""
    return _COLLECTION[type_]


def document_of(message: AnyMessage) -> Document:
    """The document that stores the message."""
    document = Document.__new__(Document)
    document.collection = _COLLECTION[type(message)]
    document.message = message
    return document


def message_in[M: AnyMessage](document: Mapping[str, Any], type_: type[M]) -> M:
    """The message that the document keeps.

    Raises:
        ValueError: if it is none, because others put it there.
    """
    if not isinstance(document.get("_id"), str):
        raise ValueError("its _id is not a key of this pipeline")
    try:
        return msgspec.convert(document, type_)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:  # ValueError: msgspec's errors
        raise ValueError(str(error)) from error


def messages_in[M: AnyMessage](documents: Iterable[Mapping[str, Any]], type_: type[M]) -> list[M]:
    """The documents that are such messages. What others put into a collection is passed over, with a warning."""
    found = []
    foreign: list[tuple[object, str]] = []
    for document in documents:
        try:
            found.append(message_in(document, type_))
        except ValueError as error:
            foreign.append((document.get("_id"), str(error)))
    if foreign:
        key, reason = foreign[-1]
        count, kind = len(foreign), type_.__name__
        log.warning(
            "%d documents in the store are not a valid %s and are skipped, such as %.100r: %s", count, kind, key, reason
        )
    return found


def version_of(message: AnyMessage) -> str:
    """The version of its document: of two messages with one key whoever keeps one keeps that of the greater."""
    return _VERSION[type(message)](message)


def _body(message: AnyMessage) -> dict[str, Any]:
    body = msgspec.structs.asdict(message)
    for name in BESIDE_THE_BODY:
        body.pop(name, None)
    if isinstance(message, Forecast):
        body["horizons"] = msgspec.to_builtins(message.horizons, builtin_types=(datetime,))
    return body


def _interval(message: AnyMessage) -> str | None:
    """What stands for the interval of a document of `stock_data` that is no bar; of most there is none."""
    return OTHER_THAN_BARS.get(type(message)) or getattr(message, "interval", None)  # type: ignore[arg-type]


def _key_in_series(message: Bar | Quote | Split | Dividend | IndicatorRow | Forecast) -> str:
    return series_key(message.ticker, _interval(message) or "", message.source, stamp(message.ts))


def _key_of_item(message: Article | Post) -> str:
    return f"{message.ticker}|{message.source}|{message.id}"


def _key_of_score(message: ScoredItem) -> str:
    return f"{message.ticker}|{message.source}|{message.kind}|{message.id}"


def _key_of_point(message: EconomicPoint) -> str:
    return series_key(message.series, message.interval, message.source, stamp(message.ts))


def _key_of_letter(message: DeadLetter) -> str:
    if message.offset == NOWHERE:
        return f"{message.topic}|refused|{_digest(message)}"
    return f"{message.topic}|{message.partition}|{message.offset}"


def series_key(name: str, interval: str, source: str, stamped: str) -> str:
    """The key of one point of a series, which is of one source: `stamped` is its time as `stamp` writes it."""
    return f"{name}|{interval}|{source}|{stamped}"


def stamp(ts: datetime) -> str:
    """The instant as text, such as ``2019-02-15T21:00:00Z``; fractions of a second only where there are any."""
    utc = ts if ts.tzinfo is UTC else ts.astimezone(UTC)
    return utc.isoformat()[:-6] + "Z"


def _revised(message: Quote | Split | Dividend | EconomicPoint) -> str:
    """A version by which the later observation wins."""
    return f"r{message.revision:016d}-{_digest(message)}"  # "r" sorts after a digest, where none was recorded


def _later(message: AnyMessage) -> str:
    """A version by which the later of two editions wins; of two of the same time either, but always the same."""
    return f"{int(message.ts.timestamp() * 1_000_000):017d}-{_digest(message)}"


def _newer_score(item: ScoredItem) -> str:
    """As `_later`; of one edition's scores that of the newer scoring wins, so that a replay brings a new lexicon in."""
    edition, _, digest = _later(item).rpartition("-")  # before 1970 that begins with one too
    return f"{edition}-v{item.scoring:04d}-{digest}"  # "v" sorts after a digest, where no scoring was recorded


def _digest(message: AnyMessage) -> str:
    return hashlib.blake2b(encode(message), digest_size=8).hexdigest()


_KEY: Final[dict[type, Callable[[Any], str]]] = {
    Bar: _key_in_series,
    Quote: _key_in_series,
    Split: _key_in_series,
    Dividend: _key_in_series,
    IndicatorRow: _key_in_series,
    Forecast: _key_in_series,
    Article: _key_of_item,
    Post: _key_of_item,
    ScoredItem: _key_of_score,
    EconomicPoint: _key_of_point,
    DeadLetter: _key_of_letter,
}
_VERSION: Final[dict[type, Callable[[Any], str]]] = {
    Bar: lambda bar: f"{bar_rank(bar):024x}",
    Quote: _revised,
    Split: _revised,
    Dividend: _revised,
    IndicatorRow: attrgetter("lineage"),
    Forecast: attrgetter("lineage"),
    Article: _later,
    Post: _later,
    ScoredItem: _newer_score,
    EconomicPoint: _revised,
    DeadLetter: _digest,
}
_MADE: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda message: _KEY[type(message)](message),
    "version": version_of,
    "ts": attrgetter("ts"),
    "body": _body,
    "ticker": lambda message: getattr(message, "ticker", None),
    "interval": _interval,
    "source": lambda message: getattr(message, "source", None),
}
