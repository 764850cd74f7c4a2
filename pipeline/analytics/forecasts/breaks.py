"""Nights and other pauses: when the next one comes, and how far the price may move over it."""

import math
from typing import Final

_PAUSE: Final = 30
"""Intervals between two bars from which on it is a pause, whatever the day."""
_NIGHT: Final = 2
"""Intervals between two bars of two sessions from which on it is a night: what trades around the clock has none."""
_DAY: Final = 86_400_000_000
"""From here on a bar is a whole session, and a weekend between two is nothing special."""
_PART: Final = 0.5
"""A night's variance as a part of that of the session before, to begin with; of shares it is a third to a half."""
_TAUGHT: Final = 0.2
_MOST: Final = 10.0


def is_break(pause: int, interval: int, *, new_session: bool) -> bool:
    """Whether between two bars `pause` apart trading stopped; both in microseconds."""
    return pause > _PAUSE * interval or (new_session and interval < _DAY and pause > _NIGHT * interval)


class BreakModel:
    """Expects the next session to be as long as the last one whose beginning was seen. `interval` and times are in
    microseconds."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._length: int | None = None
        self._began: int | None = None
        self._first_seen = False
        self._last = 0
        self._variance = 0.0
        """Of the session so far."""
        self._of_last: float | None = None
        self._part = _PART
        self.left = math.inf
        """Bars until the session is expected to end; infinite where nobody knows."""

    def update(self, ts: int, variance: float, overnight: float | None) -> None:
        """Take in a bar of this variance; `overnight` is its logarithmic return if it begins a session."""
        if overnight is not None:
            if self._first_seen and self._began is not None:
                self._length = self._last - self._began
            if self._variance > 0.0:
                self._part += _TAUGHT * (min(overnight * overnight / self._variance, _MOST) - self._part)
                self._of_last = self._variance
            self._began, self._first_seen, self._variance = ts, True, 0.0
        self._variance += variance
        self._last = ts
        if self._length is not None and self._began is not None:
            left = round((self._length - (ts - self._began)) / self._interval)
            self.left = left if left >= 0 else math.inf  # it lasts longer than the last one did

    def variance_within(self, horizon: int) -> float:
        """What the breaks within so many bars add to the variance."""
        if self._length is None or horizon <= self.left:
            return 0.0
        nights = 1 + (horizon - self.left - 1) // (self._length // self._interval + 1)
        return nights * self._part * max(self._variance, self._of_last or 0.0)
