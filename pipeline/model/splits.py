"""Splits of shares, as prices show them. Pure."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from fractions import Fraction
from typing import Final, NamedTuple

_LIKE_A_SPLIT: Final = 1.8
"""A bar that opens and closes at this many times the last close, or at the inverse, looks like a split; three for two
is not noticed."""
_SURE: Final = 1.45
"""From here on a split is greater than what a price moves on its day."""

_WHOLE: Final = 2.75
"""Greater splits are of whole numbers; the rest is a dividend."""


class SplitDay(NamedTuple):
    """A daily bar, and what the file says of splits: new shares for one old, the close adjusted for later splits."""

    close: float
    split: float | None = None
    adjusted: float | None = None


class Jump(NamedTuple):
    """Where prices jump as they do at a split: `factor` is the new close over the old one."""

    ts: datetime
    factor: float


def is_like_a_split(factor: float) -> bool:
    """Whether a price that has become so many times what it was looks as if the share had been split."""
    return factor >= _LIKE_A_SPLIT or 0 < factor <= 1 / _LIKE_A_SPLIT


def jumps(bars: Iterable[tuple[datetime, float, float]]) -> list[Jump]:
    """Where daily bars (time, open, close), oldest first, look as if the share had been split."""
    found = []
    last: float | None = None
    for ts, opening, close in bars:
        if last is not None and min(last, opening, close) > 0:
            factors = (opening / last, close / last)
            if all(map(is_like_a_split, factors)) and (opening > last) == (close > last):
                found.append(Jump(ts, close / last))
        last = close
    return found


def told(found: Iterable[Jump], zone: tzinfo) -> str:
    """The latest of them in words; empty where there are none. `zone` is the exchange's."""
    latest = max(found, default=None)
    if latest is None:
        return ""
    day = f"{latest.ts.astimezone(zone):%Y-%m-%d}"
    return f"the price jumps on {day} as at a split (× {latest.factor:.3g}); bars and indicators are as traded"


def splits_to_adjust(days: Mapping[datetime, SplitDay], *, as_traded: bool) -> dict[datetime, float]:
    """The splits, by day, that the file of these bars contains and for which the prices before are not adjusted yet.

    A split that the price cannot hide is in the prices or it is not; of a small one `as_traded` says so, which is what
    prices beside such splits usually are. Where only an adjusted close is there, a split is where its ratio to the
    close changes as no dividend changes it.
    """
    splits: dict[datetime, float] = {}
    last: SplitDay | None = None
    for ts, day in sorted(days.items()):
        if last is not None and min(last.close, day.close) > 0:
            split = day.split if day.split is not None else _split_between(last, day)
            if split is None or split <= 0 or split == 1:
                pass
            elif as_traded if 1 / _SURE < split < _SURE else _holds(day.close / last.close, split):
                splits[ts] = split
        last = day
    return splits


def _split_between(last: SplitDay, day: SplitDay) -> float | None:
    if not last.adjusted or not day.adjusted or min(last.adjusted, day.adjusted) <= 0:
        return None
    change = (day.adjusted / day.close) / (last.adjusted / last.close)
    if 1 / _SURE < change < _SURE:
        return None
    ratio = change if change > 1 else 1 / change
    whole = float(round(ratio) if ratio >= _WHOLE else Fraction(ratio).limit_denominator(2))
    return whole if change > 1 else 1 / whole


def _holds(change: float, split: float) -> bool:
    """Whether the price's change over the day has the split in it."""
    return abs(math.log(change * split)) < abs(math.log(change))
