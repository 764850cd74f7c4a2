"""The bars of one ticker, interval and source as columns of numbers: a fifth of the memory that the messages take."""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import repeat
from operator import ge
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.analytics.indicators import BarArrays, session_of
from pipeline.model.bar_table import BarTable
from pipeline.model.messages import Bar, Interval, values_digest
from pipeline.model.times import microseconds, moment

_DAY: Final = timedelta(days=1)
_DIGEST: Final = (1 << 40) - 1
"""In a rank."""
_REVISION_LIMIT: Final = 253_339_228_800_000
"""The year 9998 in milliseconds: a producer that is not ours may number revisions as it likes."""
APPENDED: Final = 8
"""Bars from which on it is quicker to `append` them than to `put` each."""


class BarColumns:
    """Bars in time order, 61 bytes each. `zone` is the exchange's, whose calendar day is a session.

    Of several observations of one bar that of the greatest `bar_rank` stays. If they are `ranked`, all ranks are kept,
    and `rank_sum` is their sum; else a digest is computed where two observations differ in nothing but their values.
    """

    def __init__(self, zone: ZoneInfo, *, ranked: bool) -> None:
        self._zone = zone
        self._ranked = ranked
        # An unknown volume adds nothing to OBV and VWAP; where it is shown, it is unknown.
        self._uncounted = 0.0 if ranked else math.nan
        self._session, self._session_start, self._session_end = 0, 0, 0
        self.ts = array("q")  # microseconds since the epoch
        self.high = array("d")
        self.low = array("d")
        self.close = array("d")
        self.volume = array("d")
        self.session = array("i")
        self.simulated = array("b")
        # A rank has up to 93 bits: 1 of closed, 52 of revision, 40 of digest.
        self._rank_high = array("Q")
        # The digest, or where it is not kept what it needs besides.
        self._digest_or_open: array[Any] = array("Q" if ranked else "d")
        self._all: tuple[array[Any], ...] = (
            self.ts,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.session,
            self.simulated,
            self._rank_high,
            self._digest_or_open,
        )
        self.rank_sum = 0

    def __len__(self) -> int:
        return len(self.ts)

    def put(self, bar: Bar) -> tuple[int, bool]:
        """Take in an observation of a bar: the bar's position, and whether it is new or supersedes what stood there."""
        return self._put(
            microseconds(bar.ts),
            bar.closed << 52 | bar.revision,
            self._digest_of(bar) if self._ranked else None,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
            bar.simulated,
        )

    def put_row(self, table: BarTable, row: int) -> tuple[int, bool]:
        """As `put`, of one bar of the table."""
        rank = table.rank(row)
        return self._put(
            table.ts[row],
            rank >> 40,
            rank & _DIGEST,
            table.open[row],
            table.high[row],
            table.low[row],
            table.close[row],
            table.volume[row],
            table.simulated[row],
        )

    def insert(self, table: BarTable) -> int | None:
        """Take in all bars of the table where none that is here lies among them: the position of the first. Else take
        in nothing; None."""
        if not len(table):
            return len(self)
        at = bisect_left(self.ts, table.ts[0])
        if at != bisect_right(self.ts, table.ts[-1]):
            return None
        words = np.frombuffer(table.ranks, ">u4").reshape(-1, 3).astype(np.uint64)
        high, digest = words[:, 0] << np.uint64(24) | words[:, 1] >> np.uint64(8), None
        if self._ranked:
            digest = (words[:, 1] & np.uint64(0xFF)) << np.uint64(32) | words[:, 2]
            self.rank_sum += (sum(high.tolist()) << 40) + sum(digest.tolist())
        volume = np.array(table.volume, dtype=np.float64)
        volume[np.isnan(volume)] = self._uncounted
        columns = (
            array("q", table.ts),
            array("d", table.high),
            array("d", table.low),
            array("d", table.close),
            array("d", volume.tobytes()),
            self._sessions(table.ts),
            array("b", table.simulated),
            array("Q", high.tobytes()),
            array("d", table.open) if digest is None else array("Q", digest.tobytes()),
        )
        for kept, more in zip(self._all, columns, strict=True):
            kept[at:at] = more
        return at

    def append(self, bars: Sequence[Bar]) -> int | None:
        """Take in bars that are all later than those here, and each later than the one before: the position of the
        first. Else take in nothing; None. Of many that is `put` of each in half the time."""
        times = [microseconds(bar.ts) for bar in bars]
        ordered = self.ts[-1:].tolist() + times
        if any(map(ge, ordered, ordered[1:])):
            return None
        rank_high = [bar.closed << 52 | bar.revision for bar in bars]
        digests = [self._digest_of(bar) for bar in bars] if self._ranked else []
        self.rank_sum += (sum(rank_high) << 40) + sum(digests) if self._ranked else 0
        at, uncounted = len(self), self._uncounted
        columns: tuple[Iterable[float], ...] = (
            times,
            [bar.high for bar in bars],
            [bar.low for bar in bars],
            [bar.close for bar in bars],
            [uncounted if bar.volume is None else bar.volume for bar in bars],
            self._sessions(times),
            [bar.simulated for bar in bars],
            rank_high,
            digests if self._ranked else [bar.open for bar in bars],
        )
        for kept, more in zip(self._all, columns, strict=True):
            kept.extend(more)
        return at

    def _sessions(self, times: Sequence[int]) -> "array[int]":
        """The session of each of these, which are ascending."""
        found = array("i")
        while len(found) < len(times):
            ts = times[len(found)]
            if not self._session_start <= ts < self._session_end:
                self._open_session(moment(ts))
            found.extend(repeat(self._session, bisect_left(times, self._session_end) - len(found)))
        return found

    def _put(
        self,
        ts: int,
        rank_high: int,
        digest: int | None,
        open_: float,
        high: float,
        low: float,
        close: float,
        volume: float | None,
        simulated: bool,
    ) -> tuple[int, bool]:
        """`digest` may be None if they are not ranked."""
        column = self.ts
        index = len(column) if not column or ts > column[-1] else bisect_left(column, ts)
        is_known = index < len(column) and column[index] == ts
        if is_known:
            stands = self._rank_high[index]
            if rank_high < stands:
                return index, False
            if rank_high == stands:
                if digest is None:
                    digest = values_digest(open_, high, low, close, volume, simulated=simulated)
                if digest <= self._digest(index):
                    return index, False
        digest_or_open = digest if self._ranked else open_
        counted = volume if volume is not None else self._uncounted
        if is_known:
            if self._ranked:
                self.rank_sum -= self.rank(index)
            self.high[index] = high
            self.low[index] = low
            self.close[index] = close
            self.volume[index] = counted
            self.simulated[index] = simulated
            self._rank_high[index] = rank_high
            self._digest_or_open[index] = digest_or_open
        else:
            if not self._session_start <= ts < self._session_end:
                self._open_session(moment(ts))
            if index == len(column):  # as nearly always, and quicker than to insert there
                self.ts.append(ts)
                self.high.append(high)
                self.low.append(low)
                self.close.append(close)
                self.volume.append(counted)
                self.session.append(self._session)
                self.simulated.append(simulated)
                self._rank_high.append(rank_high)
                self._digest_or_open.append(digest_or_open)
            else:
                row = (ts, high, low, close, counted, self._session, simulated, rank_high, digest_or_open)
                for kept, value in zip(self._all, row, strict=True):
                    kept.insert(index, value)
        if digest is not None and self._ranked:
            self.rank_sum += rank_high << 40 | digest
        return index, True

    def drop(self, count: int) -> None:
        """Forget the first `count` bars."""
        if self._ranked:
            self.rank_sum -= sum(map(self.rank, range(count)))
        for column in self._all:
            del column[:count]

    def position(self, ts: datetime) -> int:
        """How many bars are before this time."""
        return self.position_of(microseconds(ts))

    def position_of(self, ts: int) -> int:
        """How many bars are before this time, which is in microseconds since the epoch."""
        return bisect_left(self.ts, ts)

    def before(self, session: int) -> int:
        """How many bars are of sessions before this one."""
        return bisect_left(self.session, session)

    def until(self, session: int) -> int:
        """How many bars are of this session and those before."""
        return len(self) if not self.session or self.session[-1] <= session else bisect_right(self.session, session)

    def _open_session(self, ts: datetime) -> None:
        """Make its session the one at hand: most bars are of that of the bar before."""
        self._session = session_of(ts, self._zone)
        midnight = datetime.combine(date.fromordinal(self._session), time.min, self._zone)
        self._session_start = microseconds(midnight.astimezone(UTC))
        self._session_end = microseconds((midnight + _DAY).astimezone(UTC))

    @staticmethod
    def _digest_of(bar: Bar) -> int:
        return values_digest(bar.open, bar.high, bar.low, bar.close, bar.volume, simulated=bar.simulated)

    def _digest(self, index: int) -> int:
        if self._ranked:
            return int(self._digest_or_open[index])
        volume = self.volume[index]
        return values_digest(
            self._digest_or_open[index],
            self.high[index],
            self.low[index],
            self.close[index],
            None if math.isnan(volume) else volume,
            simulated=bool(self.simulated[index]),
        )

    def rank(self, index: int) -> int:
        return self._rank_high[index] << 40 | self._digest(index)

    def ranks(self, first: int) -> list[int]:
        """Those of the bars from this position on. Of bars that are ranked."""
        parts = zip(self._rank_high[first:], self._digest_or_open[first:], strict=True)
        return [high << 40 | digest for high, digest in parts]

    def closed(self, index: int) -> bool:
        return bool(self._rank_high[index] >> 52)

    def time(self, index: int) -> datetime:
        """The bar's label."""
        return moment(self.ts[index])

    def observed(self, index: int) -> int:
        """When the bar was as it is, in microseconds since the epoch. A forming one may be labelled with the end of its
        interval, and says when it was seen."""
        revision = self._rank_high[index] & 0xF_FFFF_FFFF_FFFF
        is_a_time = 0 < revision < _REVISION_LIMIT
        return revision * 1000 if is_a_time and not self.closed(index) else self.ts[index]

    def volume_of(self, start: int, stop: int) -> float | None:
        """The volume of these bars together; None where none of them has one. Of bars that are not ranked."""
        volumes = self.volume[start:stop]
        total = math.fsum(volumes)
        if not math.isnan(total):
            return total
        counted = [volume for volume in volumes if not math.isnan(volume)]
        return math.fsum(counted) if counted else None

    def opening(self, index: int) -> float:
        """The price that the bar opened with. Of bars that are not ranked."""
        return float(self._digest_or_open[index])

    def days(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[datetime, float, float]]:
        """Time, open and close of each of these. Of bars that are not ranked."""
        indices = range(*slice(start, stop).indices(len(self)))
        return ((self.time(index), self._digest_or_open[index], self.close[index]) for index in indices)

    def newest(self, count: int, ticker: str, interval: Interval, source: str) -> list[Bar]:
        """The last `count` bars, oldest first, with the name of what they are of. Of bars that are not ranked."""
        return [
            Bar(
                ticker=ticker,
                interval=interval,
                source=source,
                ts=self.time(index),
                open=self._digest_or_open[index],
                high=self.high[index],
                low=self.low[index],
                close=self.close[index],
                volume=None if math.isnan(self.volume[index]) else self.volume[index],
                simulated=bool(self.simulated[index]),
                closed=self.closed(index),
                revision=self._rank_high[index] & 0xF_FFFF_FFFF_FFFF,
            )
            for index in range(max(0, len(self) - count), len(self))
        ]

    def values(self, index: int) -> tuple[float, float, float, float, int]:
        """What `Live.update` and `Live.peek` take."""
        return self.high[index], self.low[index], self.close[index], self.volume[index], self.session[index]

    def history(self, stop: int, start: int = 0) -> BarArrays:
        """A copy of the bars from position `start` to before `stop`, at least one."""
        # Of slices, for an array cannot grow as long as anything looks into it.
        high, low, close, volume = (
            np.frombuffer(column[start:stop], dtype=np.float64)
            for column in (self.high, self.low, self.close, self.volume)
        )
        return BarArrays(high, low, close, volume, np.frombuffer(self.session[start:stop], dtype=np.intc))
