"""Keys that follow from a series and a time, such as ``AAPL|1min|coinbase|2024-01-02T14:30:00Z``."""

from datetime import datetime
from typing import Final

from pipeline.model.documents import stamp
from pipeline.model.times import microseconds, moment
from pipeline.store.embedded.tables import SERIES

_PARTS: Final = 3
"""Of a series in a key, each with a separator behind it. Where there are more, a text contains one."""


def prefix_in(collection: str, key: str, ts: int) -> str | None:
    """The part of the key that all documents of its series have, if the rest of it is the time; `ts` is in microseconds
    since the epoch.

    Raises:
        ValueError: if the rest is another time.
    """
    if collection not in SERIES:
        return None
    prefix, stamped = _parted(key)
    if prefix.count("|") != _PARTS:
        return None
    if stamped == stamp(moment(ts)):
        return prefix
    if _time_in(stamped) is not None:
        raise ValueError(f"its key {key!r} is that of another time than its ts")
    return None


def place_in(key: str) -> tuple[str, int | None]:
    """The inverse of `key_at`; the time is None where the key does not end with one."""
    prefix, stamped = _parted(key)
    return prefix, _time_in(stamped)


def key_at(prefix: str, ts: datetime) -> str:
    """The key of the document of that time."""
    return prefix + stamp(ts)


def _parted(key: str) -> tuple[str, str]:
    before, separator, stamped = key.rpartition("|")
    return before + separator, stamped


def _time_in(stamped: str) -> int | None:
    try:
        ts = datetime.fromisoformat(stamped)
    except ValueError:
        return None
    return microseconds(ts) if ts.tzinfo is not None and stamp(ts) == stamped else None
