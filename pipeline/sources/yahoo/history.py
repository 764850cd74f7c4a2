"""What Yahoo has of a ticker's past, as the questions that it takes. No I/O."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pipeline.model.messages import Interval
from pipeline.sources.yahoo.client import TimeSpan

MINUTES_BACK: Final = timedelta(days=29)
"""Bars of a minute go back 30 days; one less, so that the first question is not a moment too late."""
MINUTES_AT_ONCE: Final = timedelta(days=7)
_EVER: Final = timedelta(days=99 * 365)
_YEAR: Final = timedelta(days=366)


class Part(NamedTuple):
    """The bars of one question."""

    interval: Interval
    span: TimeSpan


def parts(now: datetime, years: int) -> Sequence[Part]:
    """Daily bars of so many years, of all with 0, and then bars of a minute, oldest first."""
    found = [Part("daily", TimeSpan(now - (years * _YEAR if years else _EVER), now))]
    start = now - MINUTES_BACK
    while start < now:
        end = min(start + MINUTES_AT_ONCE, now)
        found.append(Part("1min", TimeSpan(start, end)))
        start = end
    return found
