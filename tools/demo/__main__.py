"""Makes the recording that `fintrends-tui demo` plays, with the project's own simulator. It is under its licence.

uv run python -m tools.demo
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from pipeline.model.messages import AnyMessage, Article, Bar, Dividend, EconomicPoint, Post, Quote
from pipeline.sources.demo.recording import END, FILE, SOURCE, START, TICKERS, compressed, written
from pipeline.sources.simulator.economy import SERIES, period_of, points
from pipeline.sources.simulator.path import MINUTE, PricePath
from pipeline.sources.simulator.text import NewsStream, PostStream, TextStream

Recordable = Bar | Quote | Dividend | Article | Post | EconomicPoint

SEED: Final = 7
ZONE: Final = ZoneInfo("America/New_York")
DAYS: Final = 372
"""Daily bars of the past, for the initial load: 52 weeks, and a little more."""
MINUTES: Final = 180
"""Bars of the past."""
QUOTE_EVERY: Final = 8
"""Seconds between two quotes of a ticker."""
ARTICLES: Final = 6
POSTS: Final = 15
PAID: Final = {"HARBOR": (0.62, 23), "TIMBER": (0.35, 51)}
"""What a share was paid last, and how many days ago."""
POINTS: Final = 24
"""Of the past, so that nothing begins empty."""

_START: Final = int(START.timestamp())
_END: Final = int(END.timestamp())


def hour() -> Iterator[AnyMessage]:
    """All that is recorded. What is alike stands together, for the sake of its size."""
    paths = [PricePath(SEED, ticker, ZONE) for ticker in TICKERS]
    for series in (_days, _dividends, _minutes, _quotes, _articles, _posts):
        for path in paths:
            yield from map(_ours, series(path))
    for spec in SERIES:
        yield from map(_ours, points(SEED, spec, period_of(spec, START) - POINTS + 1, period_of(spec, END)))


def _ours(message: Recordable) -> AnyMessage:
    return replace(message, source=SOURCE)


def _days(path: PricePath) -> Iterator[Recordable]:
    today = path.date_of(_START)
    return (path.daily_bar(today - timedelta(days)) for days in range(DAYS, 0, -1))


def _dividends(path: PricePath) -> Iterator[Recordable]:
    if path.ticker in PAID:
        amount, days = PAID[path.ticker]
        day = path.daily_bar(path.date_of(_START) - timedelta(days))
        yield Dividend(ticker=path.ticker, ts=day.ts, amount=amount, currency="USD", simulated=True)


def _minutes(path: PricePath) -> Iterator[Recordable]:
    return (path.bar(end) for end in range(_START - MINUTES * MINUTE, _END + 1, MINUTE))


def _quotes(path: PricePath) -> Iterator[Recordable]:
    first = _START + int(path.phase * QUOTE_EVERY)  # so that not all tickers move in the same second
    return (path.quote(time) for time in range(first, _END, QUOTE_EVERY))


def _articles(path: PricePath) -> Iterator[Recordable]:
    return _texts(NewsStream(SEED), ARTICLES, path)


def _posts(path: PricePath) -> Iterator[Recordable]:
    return _texts(PostStream(SEED), POSTS, path)


def _texts(stream: TextStream, past: int, path: PricePath) -> Iterator[Recordable]:
    numbers = range(stream.number_at(_START) - past, stream.number_at(_END))
    return (stream.item(path, number) for number in numbers)


def main() -> None:
    FILE.write_bytes(compressed(written(hour())))


if __name__ == "__main__":
    main()
