"""A simulated market: bars, quotes, news, posts and economic data for any ticker, with no key and no network."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import batched, chain
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.clock import Clock, SystemClock
from pipeline.model.messages import AnyMessage, Article, Bar, Post, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed, FeedName, HistoryChunk, Source, SourceContext
from pipeline.sources.simulator.economy import SERIES, period_of, points
from pipeline.sources.simulator.path import MINUTE, SOURCE, PricePath, moment
from pipeline.sources.simulator.text import NewsStream, PostStream, TextStream

BATCH: Final = 500
US_EASTERN: Final = ZoneInfo("America/New_York")

TICK: Final = 0.1
"""Real seconds between two looks at the market; what fell due in between goes out together."""
POLL: Final = 1.0
"""Real seconds between two looks at the other feeds."""
FORMING_EVERY: Final = 5
"""Simulated seconds between two observations of the bar under way."""

# What a ticker begins with, so that its screen is not empty for long: bars, and articles and posts, of the past.
FIRST_MINUTES: Final = 120
FIRST_ITEMS: Final = 3
FIRST_POINTS: Final = 24
HISTORY_DAYS: Final = 250
HISTORY_MINUTES: Final = 2 * 1440
HISTORY_ARTICLES: Final = 40
HISTORY_POSTS: Final = 80


def create(context: SourceContext) -> Source:
    """The simulator as the settings want it."""
    settings = context.settings
    pace, zone = settings.pipeline.pace, settings.indicators.zone
    return SimulatorSource(seed=settings.pipeline.seed, speed=pace, clock=context.clock, zone=zone)


class SimulatorSource:
    """Every message is marked as simulated. Markets trade around the clock.

    The data are a pure function of seed, ticker and simulated time, which starts at the clock's now and runs `speed`
    times as fast. With `speed` None the market feed does not wait at all: it streams closed bars, minute after minute
    without end, and the other feeds follow its time. Intraday bars have the end of their minute as their time, as the
    recorded ones do, and daily bars the start of their day.
    """

    name: str = SOURCE
    simulated: bool = True

    def __init__(
        self,
        *,
        seed: int = 7,
        speed: float | None = 1.0,
        clock: Clock | None = None,
        zone: ZoneInfo = US_EASTERN,
    ) -> None:
        self._seed = seed
        self._zone = zone
        clock = clock or SystemClock()
        self._time = _SimulatedTime(speed, clock)
        self._articles = NewsStream(seed)
        self._posts = PostStream(seed)

        @lru_cache(maxsize=1024)
        def path_of(ticker: str) -> PricePath:
            return PricePath(seed, ticker, zone)

        market = _MarketFeed if speed else _UnpacedMarketFeed
        self._feeds: tuple[Feed, ...] = (
            market(path_of, self._time, clock),
            _TextFeed("news", self._articles, path_of, self._time, clock),
            _TextFeed("social", self._posts, path_of, self._time, clock),
            _EconomicFeed(seed, self._time, clock),
        )

    def feeds(self) -> Sequence[Feed]:
        return self._feeds

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """250 whole days, the last two days minute by minute, and some articles and posts, up to the simulated now."""
        total = HISTORY_DAYS + HISTORY_MINUTES + HISTORY_ARTICLES + HISTORY_POSTS
        done = 0
        chunks = batched(self._past(ticker, self._time.now()), BATCH)
        while chunk := await asyncio.to_thread(next, chunks, ()):
            done += len(chunk)
            yield HistoryChunk(chunk, done, total)

    async def close(self) -> None:
        """Nothing is held open."""

    def _past(self, ticker: str, now: float) -> Iterator[AnyMessage]:
        path = PricePath(self._seed, ticker, self._zone)  # one of its own, for this runs in a thread
        today = path.date_of(now)
        last_end = int(now) // MINUTE * MINUTE
        ends = range(last_end - (HISTORY_MINUTES - 1) * MINUTE, last_end + 1, MINUTE)
        article, post = self._articles.number_at(now), self._posts.number_at(now)
        return heapq.merge(
            (path.daily_bar(today - timedelta(days)) for days in range(HISTORY_DAYS, 0, -1)),
            (path.bar(end) for end in ends),
            (self._articles.item(path, number) for number in range(article - HISTORY_ARTICLES, article)),
            (self._posts.item(path, number) for number in range(post - HISTORY_POSTS, post)),
            key=lambda message: message.ts,
        )


class _SimulatedTime:
    """The time all feeds of one simulator share, in seconds since the epoch."""

    def __init__(self, speed: float | None, clock: Clock) -> None:
        self._speed = speed
        self._clock = clock
        self._origin = clock.now().timestamp()
        self._started = clock.monotonic()

    def now(self) -> float:
        if self._speed is None:
            return self._origin
        return self._origin + (self._clock.monotonic() - self._started) * self._speed

    def jump(self, seconds: float) -> None:
        """Move to an instant at once; only for a time without speed."""
        self._origin = seconds


class _Seen(NamedTuple):
    """How far a ticker's market has been handed out, in whole seconds since the epoch."""

    closed: int
    second: int


class _MarketFeed:
    """Quotes every second, the bar under way every five, and each bar as it closes.

    A feed that was held up or restarted goes on with the bars that closed meanwhile, and with quotes of now.
    """

    name: FeedName = "market"

    def __init__(self, path_of: Callable[[str], PricePath], time: _SimulatedTime, clock: Clock) -> None:
        self._path_of = path_of
        self._time = time
        self._clock = clock
        self._seen: Mapping[str, _Seen] = {}

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        while True:
            seen: dict[str, _Seen] = {}
            now = self._time.now()
            news = chain.from_iterable(self._observe(ticker, now, seen) for ticker in watchlist.tickers)
            for batch in batched(news, BATCH):
                yield batch
            # Only now are they published; a feed restarted before says them again.
            self._seen = seen
            await self._clock.sleep(TICK)

    def _observe(self, ticker: str, now: float, seen: dict[str, _Seen]) -> Iterator[Bar | Quote]:
        path = self._path_of(ticker)
        second = int(now - path.phase)
        minute = second - second % MINUTE
        last = self._seen.get(ticker) or _Seen(minute - FIRST_MINUTES * MINUTE, second - FORMING_EVERY)
        for end in range(last.closed + MINUTE, minute + 1, MINUTE):
            yield path.bar(end)
        if second > last.second:
            yield path.quote(second + path.phase)
            shift = int(path.phase * FORMING_EVERY)  # so that the bars of all tickers do not come in the same second
            if (second + shift) // FORMING_EVERY > (last.second + shift) // FORMING_EVERY:
                yield path.forming_bar(second + path.phase)
        seen[ticker] = _Seen(minute, second)


class _UnpacedMarketFeed:
    """Closed bars as fast as they are taken. It is what makes the simulated time pass."""

    name: FeedName = "market"

    def __init__(self, path_of: Callable[[str], PricePath], time: _SimulatedTime, clock: Clock) -> None:
        self._path_of = path_of
        self._time = time
        self._clock = clock

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        while True:
            paths = [self._path_of(ticker) for ticker in watchlist]
            if not paths:
                await self._clock.sleep(POLL)
                continue
            begin = int(self._time.now()) // MINUTE * MINUTE
            end = begin + max(1, BATCH // len(paths)) * MINUTE
            for batch in batched(
                (path.bar(t) for t in range(begin + MINUTE, end + 1, MINUTE) for path in paths), BATCH
            ):
                yield batch
            self._time.jump(end)


class _TextFeed:
    """Articles or posts as they fall due."""

    def __init__(
        self,
        name: FeedName,
        texts: TextStream,
        path_of: Callable[[str], PricePath],
        time: _SimulatedTime,
        clock: Clock,
    ) -> None:
        self.name = name
        self._texts = texts
        self._path_of = path_of
        self._time = time
        self._clock = clock
        self._next: Mapping[str, tuple[int, float]] = {}
        """The number of each ticker's next item, and when it falls due."""

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        while True:
            upcoming: dict[str, tuple[int, float]] = {}
            now = self._time.now()
            items = chain.from_iterable(self._due(ticker, now, upcoming) for ticker in watchlist.tickers)
            for batch in batched(items, BATCH):
                yield batch
            self._next = upcoming
            await self._clock.sleep(POLL)

    def _due(self, ticker: str, now: float, upcoming: dict[str, tuple[int, float]]) -> Iterator[Article | Post]:
        number, due = self._next.get(ticker) or (self._texts.number_at(now) - FIRST_ITEMS, now)
        while due <= now:
            yield self._texts.item(self._path_of(ticker), number)
            number += 1
            due = self._texts.time_of(ticker, number)
        upcoming[ticker] = number, due


class _EconomicFeed:
    """The latest points of eight series, then each new one as its period begins."""

    name: FeedName = "economic"

    def __init__(self, seed: int, time: _SimulatedTime, clock: Clock) -> None:
        self._seed = seed
        self._time = time
        self._clock = clock
        self._next: Mapping[str, int] = {}

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:  # noqa: ARG002 - of no ticker
        while True:
            now = moment(self._time.now())
            periods = {series.name: period_of(series, now) for series in SERIES}
            first = self._next or {name: period - FIRST_POINTS + 1 for name, period in periods.items()}
            new = (points(self._seed, series, first[series.name], periods[series.name]) for series in SERIES)
            for batch in batched(chain.from_iterable(new), BATCH):
                yield batch
            self._next = {name: period + 1 for name, period in periods.items()}
            await self._clock.sleep(POLL)
