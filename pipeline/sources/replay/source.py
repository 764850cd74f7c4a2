"""Recorded bars from CSV files, streamed as if they happened now."""

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pipeline.aio import first_of
from pipeline.clock import Clock, SystemClock
from pipeline.contract.snapshot import BudgetView, ReplayView
from pipeline.model.instruments import zone_of
from pipeline.model.messages import INTERVALS, AnyMessage, Bar
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed, FeedName, HistoryChunk, SourceError
from pipeline.sources.replay.clock import ReplayClock
from pipeline.sources.replay.csv_files import UNDATED, BarFile, Row

log = logging.getLogger(__name__)

BATCH: Final = 500
INTRADAY: Final = tuple(interval for interval in INTERVALS if interval != "daily")
US_EASTERN: Final = ZoneInfo("America/New_York")
EXPECTED: Final = "expected are files <TICKER>_<interval>.csv such as AAPL_1min.csv, the interval one of " + ", ".join(
    INTERVALS
)
_NIGHT: Final = timedelta(hours=2)
"""A longer pause in trading is skipped."""
_EMPTY: Final = "has a header and no bars"


class ReplaySource:
    """The bars of a directory's ``<TICKER>_<interval>.csv`` files.

    Every intraday interval found is streamed as live data, in order of time over all tickers and intervals; the daily
    file is the ticker's history. Times without an offset are in the exchange's zone, and a daily bar has the start of
    its day there as its time. A row that does not parse is handed out as a dead letter in its place.
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
        """`speed` is times real time; None is as fast as the bars are taken. `zone` is that of tickers whose symbol
        names no exchange."""
        self._directory = directory
        self._zone = zone
        self._clock = ReplayClock(speed, clock or SystemClock())
        self._market = _MarketFeed(directory, zone, self._clock)

    def feeds(self) -> Sequence[Feed]:
        return [self._market]

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        """The ticker's daily bars, oldest first. Rows are what `done` and `total` count.

        Raises:
            SourceError: if there is no daily file, or it cannot be used, or has no rows.
        """
        path = self._directory / f"{ticker}_daily.csv"
        if not await asyncio.to_thread(path.is_file):
            raise SourceError(f"there is no {path.name} in {self._directory}")
        file = await asyncio.to_thread(BarFile, path, ticker, "daily", zone_of(ticker, self._zone))
        if not len(file):
            raise SourceError(f"{path} {_EMPTY}")
        note = ", ".join(f"{day} ({_ratio(split)})" for day, split in file.splits.items())
        note = f"prices before a split are adjusted for it: {note}" if note else ""
        for start in range(0, len(file), BATCH):
            rows = await asyncio.to_thread(file.read, start, BATCH)
            yield HistoryChunk(rows, done=min(start + BATCH, len(file)), total=len(file), note=note)

    def budgets(self) -> Sequence[BudgetView]:
        """None: files are free."""
        return ()

    def ticker_notes(self) -> dict[str, str]:
        """Of tickers that have nothing to replay, why."""
        without = {ticker: f"nothing to replay: there is no {ticker}_1min.csv" for ticker in self._market.without_bars}
        return without | self._market.failures

    def failures(self) -> dict[str, str]:
        """Of tickers with a file that gave no bar, why."""
        return self._market.failures

    def replay(self) -> ReplayView:
        """See `Replaying`."""
        return self._clock.view()

    def set_replay(self, speed: float | Literal["max"] | None, paused: bool | None, *, step: bool) -> None:
        """See `Replaying`."""
        self._clock.change(speed, paused, step=step)

    async def close(self) -> None:
        """Nothing is held open."""


class _Track:
    """One file's rows yet to be handed out. A read that is cancelled moves nothing, so it can be asked for again."""

    def __init__(self, ticker: str, file: BarFile) -> None:
        self.ticker = ticker
        self._file = file
        self._position = 0
        self._rows: deque[Row] = deque()
        self.bars = 0
        self._misfits = 0
        self._first_misfit = ""

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
        row = self._rows.popleft()
        if isinstance(row, Bar):
            self.bars += 1
        else:
            self._misfits += 1
            self._first_misfit = self._first_misfit or row.reason
        return row

    @property
    def trouble(self) -> str:
        """What was wrong with the rows handed out, a sentence; empty where nothing was."""
        if not len(self._file):
            return f"{self._file.path} {_EMPTY}"
        if not self._misfits:
            return ""
        of = f"{self._misfits} of {self._misfits + self.bars} rows" if self.bars else f"none of {self._misfits} rows"
        verb = "cannot be read; the first:" if self.bars else "can be read;"
        return f"{self._file.path}: {of} {verb} {self._first_misfit}"


class _MarketFeed:
    """Streams each row once over its whole life, however often it is started.

    It ends when all is handed out for the tickers watched; started again after a ticker was added, it streams that
    one, from its beginning and without waiting until it has caught up with the replay's time. A ticker that was
    removed goes on where it stopped when it comes back. A batch whose publication failed is handed out again.
    """

    name: FeedName = "market"

    def __init__(self, directory: Path, zone: ZoneInfo, clock: ReplayClock) -> None:
        self._directory = directory
        self._zone = zone
        self._clock = clock
        self._tracks: dict[str, list[_Track]] = {}
        self._batch: list[Row] = []
        self._told: set[_Track] = set()
        self.failures: dict[str, str] = {}
        """Of tickers with a file that gave no bar, why."""

    @property
    def without_bars(self) -> list[str]:
        """Tickers that have been looked for in vain."""
        return [ticker for ticker, tracks in self._tracks.items() if not tracks]

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        """See `Feed.stream`.

        Raises:
            SourceError: if the directory is missing, or no watched ticker has a file in it that can be used.
        """
        if self._batch:
            yield self._batch
            self._batch = []
        while True:
            version, tickers = watchlist.version, watchlist.tickers
            await self._open_files(tickers)
            tracks = [track for ticker in tickers for track in self._tracks[ticker]]
            due = [(track.time, order, track) for order, track in enumerate(tracks) if await self._load(track)]
            heapq.heapify(due)
            if due:
                self._clock.start(min((time for time, _, _ in due if time > UNDATED), default=UNDATED))
            while due and watchlist.version == version:
                now = self._clock.now()
                if self._clock.takes_step() or (due[0][0] - now > _NIGHT and not self._clock.paused):
                    self._clock.skip_to(due[0][0])
                    continue
                if due[0][0] > now:
                    await first_of(self._clock.sleep_until(due[0][0]), watchlist.changed_since(version))
                    continue
                while due and due[0][0] <= now and len(self._batch) < BATCH:
                    time, order, track = due[0]
                    self._batch.append(track.take())
                    if time > UNDATED:
                        self._clock.reached(time)
                    if await self._load(track):
                        heapq.heapreplace(due, (track.time, order, track))
                    else:
                        heapq.heappop(due)
                # Kept until the next is asked for, which says that this one is published.
                yield self._batch
                self._batch = []
            if watchlist.version == version:
                self._clock.end()
                return

    async def _load(self, track: _Track) -> bool:
        """As `_Track.load`. Of a file that has come to its end, say once what was wrong with it."""
        if await track.load():
            return True
        if (trouble := track.trouble) and track not in self._told:
            self._told.add(track)
            if track.bars:
                log.warning("%s", trouble)
            else:
                self._fail(track.ticker, trouble)
        return False

    def _fail(self, ticker: str, why: str) -> None:
        log.error("%s has no bars to replay: %s", ticker, why)
        self.failures[ticker] = why

    async def _open_files(self, tickers: Sequence[str]) -> None:
        opened: dict[str, list[BarFile]] = {}
        refused: list[tuple[str, str]] = []
        for ticker in tickers:
            if ticker not in self._tracks:
                opened[ticker] = await asyncio.to_thread(self._open, ticker, refused)
        if tickers and not any(self._tracks.get(ticker) or opened.get(ticker) for ticker in tickers):
            if refused:
                raise SourceError("; ".join(why for _, why in refused))
            dailies = [self._directory / f"{ticker}_daily.csv" for ticker in tickers]
            if not await asyncio.to_thread(lambda: any(path.is_file() for path in dailies)):
                raise SourceError(f"{self._directory} has no bars of {', '.join(tickers)}; {EXPECTED}")
        for ticker, why in refused:
            self._fail(ticker, why)
        for ticker, files in opened.items():
            if not files and ticker not in self.failures:
                log.warning("%s has no intraday bars of %s to replay; %s", self._directory, ticker, EXPECTED)
            self._tracks[ticker] = [_Track(ticker, file) for file in files]

    def _open(self, ticker: str, refused: list[tuple[str, str]]) -> list[BarFile]:
        """The ticker's files; why one cannot be used goes into `refused`."""
        if not self._directory.is_dir():
            raise SourceError(f"there is no directory {self._directory} to replay from")
        paths = {interval: self._directory / f"{ticker}_{interval}.csv" for interval in INTRADAY}
        files = []
        for interval, path in paths.items():
            if path.is_file():
                try:
                    files.append(BarFile(path, ticker, interval, zone_of(ticker, self._zone)))
                except SourceError as error:
                    refused.append((ticker, str(error)))
        return files


def _ratio(split: float) -> str:
    """As one speaks of splits: ``4 for 1``, ``1 for 10``, ``3 for 2``."""
    ratio = Fraction(split).limit_denominator(1000)
    return f"{ratio.numerator} for {ratio.denominator}"
