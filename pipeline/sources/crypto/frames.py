"""Frames of streams as messages. Pure."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import DeadLetter, Quote
from pipeline.sources.crypto.candles import revision_of
from pipeline.sources.crypto.pairs import pair_of
from pipeline.sources.outside import moment, number
from pipeline.sources.polling.items import misfit

PreviousClose = Callable[[str, datetime], float | None]
"""Of a ticker, at a time."""
Refused = Callable[[str, str], None]
"""Told of a ticker that the exchange refuses, and why."""


def frame(**fields: object) -> str:
    """What is sent."""
    return json.dumps(fields, separators=(",", ":"))


def quote(source: str, ticker: str, price: object, time: str | None, now: datetime, previous: PreviousClose) -> Quote:
    """The last trade. Without a `time` it was now; one of a time to come was now, too, for it was seen.

    Raises:
        ValueError: if it is none.
    """
    made = now if time is None else moment(time, UTC).astimezone(UTC)
    ts, pair = min(made, now), pair_of(ticker)
    fields = {
        "type": "quote",
        "ticker": ticker,
        "ts": ts,
        "price": number(price),
        "previous_close": previous(ticker, ts),
        "currency": pair.quote if pair else None,
        "revision": revision_of(made),
        "source": source,
    }
    return msgspec.convert(fields, Quote)  # converted, not constructed: only that checks the ranges


def unfit(source: str, frame: str | bytes, reason: str, clock: Clock) -> DeadLetter:
    """The dead letter of a frame that is not what the exchange promises."""
    item = frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogateescape")
    return misfit(source, "stream", item, reason, clock)
