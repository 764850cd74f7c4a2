"""Recorded bars under any number of made-up tickers."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import count, islice

import msgspec

from pipeline.model.messages import Bar
from testkit.data import BARS, recorded_bars


def market(tickers: int, each: int) -> list[Bar]:
    """So many bars of each of so many tickers, named T000 and so on, in time order over all of them."""
    series = [islice(_endless(number), each) for number in range(tickers)]
    return [bar for minute in zip(*series, strict=True) for bar in minute]


def _endless(number: int) -> Iterator[Bar]:
    """One of the recorded weeks, again and again."""
    names = sorted(path.name.removesuffix("_1min.csv") for path in BARS.glob("*_1min.csv"))
    for week in count():
        for bar in _recorded(names[number % len(names)]):
            yield msgspec.structs.replace(bar, ticker=f"T{number:03d}", ts=bar.ts + week * timedelta(weeks=1))


_recorded = cache(recorded_bars)
