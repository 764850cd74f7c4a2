"""The status of a consumer group, judged by how its lag moves, without thresholds to set.

After LinkedIn's Burrow (core/protocol/evaluator.go): a group is judged by a sliding window of observations of its
committed offset and of its lag.
"""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pipeline.contract.snapshot import GroupStatus

WINDOW: Final = 10
"""Observations that a status is judged by."""
HISTORY: Final = 60
"""Observations that are kept, to be shown."""


@dataclass(frozen=True, slots=True)
class _Observation:
    committed: int
    lag: int


class LagWindow:
    """The last observations of one group on one partition or topic."""

    def __init__(self) -> None:
        self._observations: deque[_Observation] = deque(maxlen=HISTORY)
        self._judged = 0
        """Observations in a row that may be judged by."""

    def observe(self, committed: int, lag: int, *, starting: bool = False) -> None:
        """`starting` says that a start is being worked off: no verdict is by what is seen meanwhile."""
        self._observations.append(_Observation(committed, lag))
        self._judged = 0 if starting else self._judged + 1

    def repeat(self, times: int) -> None:
        """The last observation has been so again, so many times."""
        if self._observations:
            self._observations.extend([self._observations[-1]] * min(times, HISTORY))
            self._judged += times

    @property
    def lag(self) -> int:
        return self._observations[-1].lag if self._observations else 0

    @property
    def lags(self) -> list[int]:
        """The lag at every observation that is kept, oldest first."""
        return [observation.lag for observation in self._observations]

    def status(self) -> GroupStatus:
        """OK if the lag was zero at any time of the window or it shrinks; STALL if the group commits nothing though
        there is lag; WARN if it commits but falls ever further behind. OK until the window is full."""
        if self._judged < WINDOW or self.lag == 0:
            return "OK"
        window = list(self._observations)[-WINDOW:]
        if any(o.lag == 0 for o in window):
            return "OK"
        if all(o.committed == window[0].committed for o in window):
            return "STALL"
        if all(later.lag >= earlier.lag for earlier, later in pairwise(window)):
            return "WARN"
        return "OK"
