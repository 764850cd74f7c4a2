"""Running the models over a history."""

from typing import NamedTuple

from pipeline.analytics.columns import BarColumns
from pipeline.analytics.forecasts.blocks import MICROSECONDS, beginning_of, block_of
from pipeline.analytics.forecasts.model import FARTHEST, ClosedBar, ForecastModel, Prediction
from pipeline.model.messages import Interval


class Said(NamedTuple):
    """What the models say at one bar, and of which bars: how many, and the sum of their ranks."""

    prediction: Prediction | None
    bars: int
    known: int


class ForecastRun:
    """The models of the block at hand, and what was said at the last bars, which may be of the block before."""

    def __init__(self, bars: BarColumns, interval: Interval) -> None:
        self._bars = bars
        self._interval: Interval = interval
        self._block: int | None = None
        self._model = ForecastModel(MICROSECONDS[interval])
        self._count = self._known = 0
        self._recent: list[Said] = []
        self.next = 0
        """The position of the bar to be taken in next."""

    @property
    def first(self) -> int:
        """From this position on it knows what was said."""
        return self.next - len(self._recent)

    def is_at(self, ts: int) -> bool:
        """Whether a bar of that time, in microseconds, is of the block at hand."""
        return block_of(ts, self._interval) == self._block

    def moved(self, count: int) -> None:
        """So many bars were put in before all that it remembers; a negative number was dropped."""
        if self.first + count < 0:
            self._block, self._recent, self.next = None, [], 0
        else:
            self.next += count

    def said(self, first: int, stop: int) -> list[Said]:
        """What is said at the bars from `first` to before `stop`. It goes on from where it stands if it can."""
        if not self.first <= first <= self.next:
            self._block, self._recent, self.next = None, [], first
        at = first - self.first
        new = [self._step(index) for index in range(self.next, stop)]
        rows = [*self._recent[at:], *new]
        self._recent = [*self._recent, *new][-FARTHEST:]
        self.next = stop
        return rows

    def _step(self, index: int) -> Said:
        block = block_of(self._bars.ts[index], self._interval)
        if block != self._block:
            self._block = block
            self._model = ForecastModel(MICROSECONDS[self._interval])
            self._count = self._known = 0
            for before in range(self._bars.position_of(beginning_of(block - 1, self._interval)), index):
                self._take(before)
        return Said(self._take(index), self._count, self._known)

    def _take(self, index: int) -> Prediction | None:
        bars = self._bars
        self._count += 1
        self._known += bars.rank(index)
        high, low, close, volume, session = bars.values(index)
        return self._model.update(ClosedBar(bars.ts[index], high, low, close, volume, session))
