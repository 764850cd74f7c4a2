"""Recorded bars from CSV files, streamed as if they happened now."""

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.clock import Clock, SystemClock
from pipeline.messages import INTERVALS, AnyMessage
from pipeline.snapshot import BudgetView
from pipeline.sources.base import Feed, FeedName, HistoryChunk, SourceError
from pipeline.sources.replay_csv import UNDATED, BarFile, Row
from pipeline.supervisor import first_of
from pipeline.watchlist import Watchlist

log = logging.getLogger(__name__)

BATCH: Final = 500
INTRADAY: Final = tuple(interval for interval in INTERVALS if interval != "daily")
US_EASTERN: Final = ZoneInfo("America/New_York")
EXPECTED: Final = "expected are files <TICKER>_<interval>.csv such as AAPL_1min.csv, the interval one of " + ", ".join(
    INTERVALS
)
_NIGHT: Final = timedelta(hours=2)
"""Nobody wants to wait for the end of a pause in trading that is longer."""
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


class ReplaySource:
    """The bars of a directory's ``<TICKER>_<interval>.csv`` files.

    Every intraday interval found is streamed as live data, in order of time over all tickers and intervals; the
    daily file is the ticker's history. Times without an offset are in the exchange's zone, and a daily bar bears the
    start of its day there. A row that does not parse is handed out as a dead letter in its place.
    """

    name: str = "replay"
    simulated: bool = False

    def __init__(
        self,
        directory: Path,
        *,
        speed: float | None,
        clock: Clock | None = None,
        zone: ZoneInfo = US_EASTERN,
    ) -> None:
        """`speed` is times real time; None is as fast as the bars are taken."""
        self._directory = directory
        self._zone = zone
        self._market = _MarketFeed(directory, zone, _ReplayClock(speed, clock or SystemClock()))

    def feeds(self) -> Sequence[Feed]:
        return [self._market]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """The ticker's daily bars, oldest first. Lines are what `done` and `total` count.

        Raises:
            SourceError: if there is no daily file, or it cannot be used.
        """
        path = self._directory / f"{ticker}_daily.csv"
        if not await asyncio.to_thread(path.is_file):
            raise SourceError(f"there is no {path.name} in {self._directory}")
        file = await asyncio.to_thread(BarFile, path, ticker, "daily", self._zone)
        for start in range(0, len(file), BATCH):
            rows = await asyncio.to_thread(file.read, start, BATCH)
            yield HistoryChunk(rows, done=min(start + BATCH, len(file)), total=len(file))

    def budgets(self) -> Sequence[BudgetView]:
        """None: files are free."""
        return ()

    def ticker_notes(self) -> dict[str, str]:
        """Of tickers that have nothing to replay, why."""
        return {ticker: f"nothing to replay: there is no {ticker}_1min.csv" for ticker in self._market.without_bars}

    async def close(self) -> None:
        """Nothing is held open."""


class _ReplayClock:
    """The replay's time: that of its first bar when it starts, and `speed` times as fast as the real one since.

    But for what is skipped.
    """

    def __init__(self, speed: float | None, clock: Clock) -> None:
        self._speed = speed
        self._clock = clock
        self._origin: tuple[datetime, float] | None = None

    def start(self, first: datetime) -> None:
        """Begin at `first`, unless it has begun."""
        if self._origin is None:
            self._origin = first, self._clock.monotonic()

    def now(self) -> datetime:
        if self._speed is None or self._origin is None:
            return _FOREVER
        first, started = self._origin
        return first + timedelta(seconds=(self._clock.monotonic() - started) * self._speed)

    def skip_to(self, time: datetime) -> None:
        """Let it be that time now."""
        self._origin = time, self._clock.monotonic()

    async def sleep_until(self, time: datetime) -> None:
        if self._speed is not None:
            # A microsecond more, the resolution of `now`, lest rounding wake it just before.
            await self._clock.sleep((time - self.now()).total_seconds() / self._speed + 1e-6)


class _Track:
    """One file's rows yet to be handed out. A read that is cancelled moves nothing, so it can be asked for again."""

    def __init__(self, file: BarFile) -> None:
        self._file = file
        self._position = 0
        self._rows: deque[Row] = deque()

    async def load(self) -> bool:
        """Make `rows` hold the next row; False when there is none left."""
        while not self._rows and self._position < len(self._file):
            rows = await asyncio.to_thread(self._file.read, self._position, BATCH)
            self._position += BATCH
            self._rows.extend(rows)
        return bool(self._rows)

    @property
    def time(self) -> datetime:
        """The time of the next row."""
        return self._rows[0].ts

    def take(self) -> Row:
        return self._rows.popleft()


class _MarketFeed:
    """Streams each row once over its whole life, however often it is started.

    It ends when all is handed out for the tickers watched; started again after a ticker was added, it streams that
    one, from its beginning and without waiting until it has caught up with the replay's time. A ticker that was
    removed goes on where it stopped when it comes back. A batch whose publication failed is handed out again.
    """

    name: FeedName = "market"

    def __init__(self, directory: Path, zone: ZoneInfo, clock: _ReplayClock) -> None:
        self._directory = directory
        self._zone = zone
        self._clock = clock
        self._tracks: dict[str, list[_Track]] = {}
        self._batch: list[Row] = []

    @property
    def without_bars(self) -> list[str]:
        """Tickers that have been looked for in vain."""
        return [ticker for ticker, tracks in self._tracks.items() if not tracks]

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`.

        Raises:
            SourceError: if the directory is missing, no watched ticker has a file in it, or a file has no valid header.
        """
        if self._batch:
            yield self._batch
            self._batch = []
        while True:
            version, tickers = watchlist.version, watchlist.tickers
            await self._open_files(tickers)
            tracks = [track for ticker in tickers for track in self._tracks[ticker]]
            due = [(track.time, order, track) for order, track in enumerate(tracks) if await track.load()]
            heapq.heapify(due)
            if due:
                self._clock.start(min((time for time, _, _ in due if time > UNDATED), default=UNDATED))
            while due and watchlist.version == version:
                now = self._clock.now()
                if due[0][0] - now > _NIGHT:
                    self._clock.skip_to(due[0][0])
                    continue
                if due[0][0] > now:
                    await first_of(self._clock.sleep_until(due[0][0]), watchlist.changed_since(version))
                    continue
                while due and due[0][0] <= now and len(self._batch) < BATCH:
                    _, order, track = due[0]
                    self._batch.append(track.take())
                    if await track.load():
                        heapq.heapreplace(due, (track.time, order, track))
                    else:
                        heapq.heappop(due)
                # Kept until the next is asked for, which says that this one is published.
                yield self._batch
                self._batch = []
            if watchlist.version == version:
                return

    async def _open_files(self, tickers: Sequence[str]) -> None:
        opened = {
            ticker: await asyncio.to_thread(self._open, ticker) for ticker in tickers if ticker not in self._tracks
        }
        if tickers and not any(self._tracks.get(ticker) or opened.get(ticker) for ticker in tickers):
            dailies = [self._directory / f"{ticker}_daily.csv" for ticker in tickers]
            if not await asyncio.to_thread(lambda: any(path.is_file() for path in dailies)):
                raise SourceError(f"{self._directory} has no bars of {', '.join(tickers)}; {EXPECTED}")
        for ticker, files in opened.items():
            if not files:
                log.warning("%s has no intraday bars of %s to replay; %s", self._directory, ticker, EXPECTED)
            self._tracks[ticker] = [_Track(file) for file in files]

    def _open(self, ticker: str) -> list[BarFile]:
        if not self._directory.is_dir():
            raise SourceError(f"there is no directory {self._directory} to replay from")
        paths = {interval: self._directory / f"{ticker}_{interval}.csv" for interval in INTRADAY}
        return [BarFile(path, ticker, interval, self._zone) for interval, path in paths.items() if path.is_file()]
