"""Messages as documents: their collection, their natural key, and which of two with one key is kept."""

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from pipeline.messages import (
    AnyMessage,
    Article,
    Bar,
    DeadLetter,
    EconomicPoint,
    IndicatorRow,
    Post,
    Quote,
    ScoredItem,
    bar_rank,
    encode,
)

COLLECTIONS: Final = (
    "stock_data",
    "indicators",
    "sentiment",
    "news",
    "social",
    "economic",
    "dead_letter",
)


class Document(msgspec.Struct, frozen=True):
    """What a store keeps.

    `id` is the natural key; of two documents with one key the store keeps that of the greater `version` (compared
    as text), whichever comes first, so that neither a replay nor a different order changes the result. `ts` is the
    event's time in UTC. `body` is the message's fields with `ts` as datetime, without `ticker`, `interval` and `ts`,
    which stand beside it.
    """

    collection: str
    id: str
    version: str
    ts: datetime
    body: dict[str, Any]
    ticker: str | None = None
    interval: str | None = None


def document_of(message: AnyMessage) -> Document:
    """The document that stores the message."""
    collection, key, version = _identity(message)
    body = msgspec.structs.asdict(message)
    del body["ts"]
    ticker = body.pop("ticker", None)
    interval = body.pop("interval", None)
    if isinstance(message, Quote):
        interval = "quote"
    return Document(collection, key, version, message.ts, body, ticker, interval)


def _identity(message: AnyMessage) -> tuple[str, str, str]:
    ts = stamp(message.ts)
    match message:
        case Bar(ticker=ticker, interval=interval):
            return "stock_data", f"{ticker}|{interval}|{ts}", f"{bar_rank(message):024x}"
        case Quote(ticker=ticker):
            return "stock_data", f"{ticker}|quote|{ts}", _revised(message)
        case IndicatorRow(ticker=ticker, interval=interval):
            return "indicators", f"{ticker}|{interval}|{ts}", message.lineage
        case Article(ticker=ticker):
            return "news", f"{ticker}|{message.source}|{message.id}", _later(message)
        case Post(ticker=ticker):
            return "social", f"{ticker}|{message.source}|{message.id}", _later(message)
        case ScoredItem(ticker=ticker):
            return "sentiment", f"{ticker}|{message.source}|{message.kind}|{message.id}", _newer_score(message)
        case EconomicPoint():
            return "economic", f"{message.series}|{message.interval}|{ts}", _revised(message)
        case DeadLetter():
            return (
                "dead_letter",
                f"{message.topic}|{message.partition}|{message.offset}",
                _digest(message),
            )


def stamp(ts: datetime) -> str:
    """The instant as text, such as ``2019-02-15T21:00:00Z``; fractions of a second only where there are any."""
    text = ts.astimezone(UTC).isoformat(timespec="microseconds" if ts.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z"


def _revised(message: Quote | EconomicPoint) -> str:
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
