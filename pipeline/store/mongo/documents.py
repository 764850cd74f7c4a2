"""Documents and queries as MongoDB has them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, IndexModel

from pipeline.model.documents import Document
from pipeline.store.base import Query

MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
_WITH_INTERVAL: Final = frozenset({"stock_data", "indicators", "forecasts"})
BESIDE_THE_BODY: Final = frozenset({"_id", "version", "ts", "ticker", "interval", "source"})
ORDER: Final = (("ts", ASCENDING), ("_id", ASCENDING))


def filter_of(query: Query) -> dict[str, Any]:
    """The filter that finds the query's documents."""
    fields = {"ticker": query.ticker, "interval": query.interval, "source": query.source}
    wanted: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    span = {"$gte": query.since, "$lt": query.until}
    if bounds := {operator: ts for operator, ts in span.items() if ts is not None}:
        wanted["ts"] = bounds
    return wanted


def after(document: Mapping[str, Any], comparison: Literal["$gt", "$gte"]) -> dict[str, Any]:
    """The filter for what comes after the document in the order of results, itself included or not."""
    ts, key = document["ts"], document["_id"]
    # The first condition says nothing new, but lets the index begin there.
    return {"ts": {"$gte": ts}, "$or": [{"ts": {"$gt": ts}}, {"_id": {comparison: key}}]}


def encode(document: Document) -> RawBSONDocument:
    """The document as BSON.

    Raises:
        ValueError: if it is too large (and what `bson.encode` raises).
    """
    flat = {
        "_id": document.id,
        "version": document.version,
        "ticker": document.ticker,
        "interval": document.interval,
        "source": document.source,
    }
    raw = bson.encode({k: v for k, v in flat.items() if v is not None} | {"ts": document.ts} | document.body)
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"it has {len(raw):,} bytes, and MongoDB takes {MAX_DOCUMENT_BYTES:,}")
    return RawBSONDocument(raw)


def is_ours(document: Mapping[str, Any]) -> bool:
    return isinstance(document.get("ts"), datetime) and isinstance(document.get("version"), str)


def document_of(collection: str, flat: Mapping[str, Any]) -> Document:
    """The inverse of `encode`."""
    body = {key: value for key, value in flat.items() if key not in BESIDE_THE_BODY}
    ticker, interval, source = (flat.get(key) for key in ("ticker", "interval", "source"))
    return Document(collection, flat["_id"], flat.get("version", ""), flat["ts"], body, ticker, interval, source)


def indexes_of(collection: str) -> list[IndexModel]:
    """For the latest of a ticker (and interval) and for ranges of time; each ends as results are ordered."""
    keys = [[*ORDER], [("ticker", ASCENDING), *ORDER]]
    if collection in _WITH_INTERVAL:
        keys.append([("ticker", ASCENDING), ("interval", ASCENDING), *ORDER])
    return [IndexModel(key) for key in keys]
