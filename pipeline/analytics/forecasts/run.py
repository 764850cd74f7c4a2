"""Running the models over a history."""

from collections import deque

from pipeline.analytics.columns import BarColumns
from pipeline.analytics.forecasts.blocks import MICROSECONDS, REACH, beginning_of, block_of
from pipeline.analytics.forecasts.model import FARTHEST, ClosedBar, ForecastModel, Prediction, breaks_off
from pipeline.analytics.forecasts.rows import Said, horizons_of
from pipeline.model.messages import Interval


class ForecastRun:
    """The models of the block at hand, and what was said at the last bars, which may be of the block before."""

    def __init__(self, bars: BarColumns, interval: Interval) -> None:
        self._bars = bars
        self._interval: Interval = interval
        self._restart(0)

    def _restart(self, index: int) -> None:
        self.next = index
        """The position of the bar to be taken in next."""
        self._steps = 0
        self._block: int | None = None
        self._model = ForecastModel(MICROSECONDS[self._interval])
        self._count = self._known = 0
        """Of the bars that the models know: how many, and the sum of their ranks."""
        self._known_before = 0
        """The sum of those that the models of the block before knew."""
        self._place = 0
        """The next bar's in its block."""
        self._said = deque[Said](maxlen=FARTHEST)
        """At the last bars, as far as it may be about the next one."""

    @property
    def first(self) -> int:
        """The position of the first bar of those at which it knows what was said."""
        return self.next - min(self._steps, FARTHEST)

    def is_at(self, ts: int) -> bool:
        """Whether a bar of that time, in microseconds, is of the block at hand."""
        return block_of(ts, self._interval) == self._block

    def moved(self, count: int) -> None:
        """So many bars were put in before all that it remembers; a negative number was dropped."""
        if self.first + count < 0:
            self._restart(0)
        else:
            self.next += count

    def said(self, first: int, stop: int) -> list[Said]:
        """What is said at the bars from `first` to before `stop`. It goes on from where it stands if that is there."""
        if first != self.next:
            oldest = beginning_of(block_of(self._bars.ts[first], self._interval) - REACH, self._interval)
            self._restart(max(0, first - FARTHEST, self._bars.position_of(oldest)))
            for _ in range(self.next, first):
                self._step()
        return [self._step() for _ in range(first, stop)]

    def _step(self) -> Said:
        bars, index = self._bars, self.next
        block = block_of(bars.ts[index], self._interval)
        if block != self._block:
            self._begin(block)
        low, close = bars.low[index], bars.close[index]
        if index and breaks_off(low, close, bars.close[index - 1]):
            self._said.clear()
        prediction = self._take(index)
        # Of these bars alone the models know; what was said of the first ones, those of the block before said. Either
        # sum grows with each bar that comes late or is corrected.
        known = self._known + (self._known_before if self._place < FARTHEST else 0)
        lineage = f"{self._count:08x}-{known:032x}"
        said = Said(bars.time(index), close, horizons_of(prediction, close, self._said), prediction, lineage)
        self._said.append(said)
        self.next += 1
        self._steps += 1
        self._place += 1
        return said

    def _begin(self, block: int) -> None:
        """New models, which remember the block before."""
        bars, interval = self._bars, self._interval
        self._known_before = self._known if self._block == block - REACH else 0
        self._block = block
        self._place = self.next - bars.position_of(beginning_of(block, interval))
        self._model = ForecastModel(MICROSECONDS[interval])
        self._count = self._known = 0
        oldest = bars.position_of(beginning_of(block - REACH, interval))
        for _ in range(self.next - len(self._said), oldest):  # too long ago to be about this one
            self._said.popleft()
        for before in range(oldest, self.next):
            self._take(before)

    def _take(self, index: int) -> Prediction | None:
        bars = self._bars
        self._count += 1
        self._known += bars.rank(index)
        high, low, close, volume, session = bars.values(index)
        return self._model.update(ClosedBar(bars.ts[index], high, low, close, volume, session))
