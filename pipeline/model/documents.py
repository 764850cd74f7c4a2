"""Messages as documents: their collection, their natural key, and which of two with one key is kept."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
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


class Document(msgspec.Struct, frozen=True):
    """What a store keeps.

    `id` is the natural key; of two documents with one key the store keeps that of the greater `version` (compared
    as text), whichever comes first, so that neither a replay nor a different order changes the result. `ts` is the
    event's time in UTC. `source` is part of the key wherever there is one: what two providers say of one bar are two
    documents. `body` is the message's other fields.
    """

    collection: str
    id: str
    version: str
    ts: datetime
    body: dict[str, Any]
    ticker: str | None = None
    interval: str | None = None
    source: str | None = None


def collection_of(type_: type[AnyMessage]) -> str:
    """The collection that keeps such messages."""
    return _COLLECTION[type_]


def document_of(message: AnyMessage) -> Document:
    """The document that stores the message."""
    body = msgspec.structs.asdict(message)
    del body["ts"]
    ticker = body.pop("ticker", None)
    interval = body.pop("interval", None)
    interval = OTHER_THAN_BARS.get(type(message), interval)  # type: ignore[arg-type] # of most there is none
    if isinstance(message, Forecast):
        body["horizons"] = msgspec.to_builtins(message.horizons, builtin_types=(datetime,))
    source = body.pop("source", None)
    return Document(
        collection_of(type(message)), _key(message), version_of(message), message.ts, body, ticker, interval, source
    )


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
    match message:
        case IndicatorRow() | Forecast():
            return message.lineage
        case Bar():
            return f"{bar_rank(message):024x}"
        case Quote() | Split() | Dividend() | EconomicPoint():
            return _revised(message)
        case Article() | Post():
            return _later(message)
        case ScoredItem():
            return _newer_score(message)
        case DeadLetter():
            return _digest(message)


def _key(message: AnyMessage) -> str:
    ts = stamp(message.ts)
    match message:
        case Bar(ticker=ticker, interval=interval, source=source):
            return series_key(ticker, interval, source, ts)
        case (
            Quote(ticker=ticker, source=source)
            | Split(ticker=ticker, source=source)
            | Dividend(ticker=ticker, source=source)
        ):
            return series_key(ticker, OTHER_THAN_BARS[type(message)], source, ts)
        case (
            IndicatorRow(ticker=ticker, interval=interval, source=source)
            | Forecast(ticker=ticker, interval=interval, source=source)
        ):
            return series_key(ticker, interval, source, ts)
        case Article(ticker=ticker) | Post(ticker=ticker):
            return f"{ticker}|{message.source}|{message.id}"
        case ScoredItem(ticker=ticker):
            return f"{ticker}|{message.source}|{message.kind}|{message.id}"
        case EconomicPoint():
            return series_key(message.series, message.interval, message.source, ts)
        case DeadLetter(offset=offset) if offset == NOWHERE:
            return f"{message.topic}|refused|{_digest(message)}"
        case DeadLetter():
            return f"{message.topic}|{message.partition}|{message.offset}"


def series_key(name: str, interval: str, source: str, stamped: str) -> str:
    """The key of one point of a series, which is of one source: `stamped` is its time as `stamp` writes it."""
    return f"{name}|{interval}|{source}|{stamped}"


def stamp(ts: datetime) -> str:
    """The instant as text, such as ``2019-02-15T21:00:00Z``; fractions of a second only where there are any."""
    utc = ts if ts.tzinfo is UTC else ts.astimezone(UTC)
    return utc.isoformat(timespec="microseconds" if ts.microsecond else "seconds").removesuffix("+00:00") + "Z"


def _revised(message: Quote | Split | Dividend | EconomicPoint) -> str:
    """A version by which the later observation wins."""
    return f"r{message.revision:016d}-{_digest(message)}"  # "r" sorts after a digest, where none was recorded


def _later(message: AnyMessage) -> str:
    """A version by which the later of two editions wins; of two of the same time either, but always the same."""
    return f"{int(message.ts.timestamp() * 1_000_000):017d}-{_digest(message)}"


def _newer_score(item: ScoredItem) -> str:
    """As `_later`; of one edition's scores that of the newer scoring wins, so that a replay brings a new lexicon in."""
    edition, digest = _later(item).split("-")
    return f"{edition}-v{item.scoring:04d}-{digest}"  # "v" sorts after a digest, where no scoring was recorded


def _digest(message: AnyMessage) -> str:
    return hashlib.blake2b(encode(message), digest_size=8).hexdigest()
