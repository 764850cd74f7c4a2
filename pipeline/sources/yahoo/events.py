"""Splits and dividends in a chart reply. No I/O."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, tzinfo
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.model.messages import DeadLetter, Dividend, Split
from pipeline.sources.outside import number
from pipeline.sources.yahoo.reply import SOURCE, Asked

_LATEST: Final = 1 << 33


class Events(NamedTuple):
    """Oldest first, each at the start of the exchange's day, and what did not fit. Dividends are adjusted for later
    splits."""

    splits: Sequence[Split]
    dividends: Sequence[Dividend]
    misfits: Sequence[DeadLetter]


class _Split(Struct, frozen=True):
    date: int
    numerator: Any
    denominator: Any


class _Dividend(Struct, frozen=True):
    date: int
    amount: Any


def read_events(events: Any, asked: Asked, zone: tzinfo | None, currency: str | None) -> Events:
    """What is in the field `events`, such as `{"splits": {"1598880600": {"date": 1598880600, "numerator": 4, …}}}`."""
    shared = {"ticker": asked.ticker, "revision": asked.revision, "source": SOURCE}
    splits, dividends, misfits = list[Split](), list[Dividend](), list[DeadLetter]()
    for kind, item in _items(events):
        try:
            if kind == "splits":
                split = msgspec.convert(item, _Split)
                values = {"numerator": number(split.numerator), "denominator": number(split.denominator)}
                fields = shared | values | {"type": "split", "ts": _day(split.date, zone)}
                splits.append(msgspec.convert(fields, Split))
            else:
                dividend = msgspec.convert(item, _Dividend)
                values = {"amount": number(dividend.amount)}
                fields = shared | values | {"type": "dividend", "ts": _day(dividend.date, zone), "currency": currency}
                dividends.append(msgspec.convert(fields, Dividend))
        except (ValueError, OverflowError) as error:
            misfits.append(asked.misfit(msgspec.json.encode({kind: item}), str(error)))
    return Events(sorted(splits, key=_time), sorted(dividends, key=_time), misfits)


def _items(events: Any) -> Iterator[tuple[str, Any]]:
    for kind in ("splits", "dividends"):
        found = events.get(kind) if isinstance(events, dict) else None
        if isinstance(found, dict):
            yield from ((kind, item) for item in found.values())


def _time(event: Split | Dividend) -> datetime:
    return event.ts


def _day(at: int, zone: tzinfo | None) -> datetime:
    """The start of the exchange's day; where its zone is not said, of that of UTC.

    Raises:
        ValueError: if it is not a time.
    """
    if not 0 < at < _LATEST:
        raise ValueError(f"{at} is not a time")
    day = datetime.fromtimestamp(at, zone or UTC).date()
    return datetime.combine(day, time(), zone or UTC)
