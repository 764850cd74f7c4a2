"""From values to heights on the chart, and the round values that its axis names."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

EIGHTHS: Final = 8
"""Parts of a cell's height that block glyphs can show."""
_MARGIN: Final = 0.03
_NARROW: Final = 3.0
"""The ratio of greatest to least below which a logarithmic axis has its round values at equal steps."""


class Scale:
    """Heights in eighths of a line above the floor of `lines` lines, from 0 to `top`.

    Logarithmic only where all values are above zero; `is_log` says whether it is.
    """

    def __init__(self, low: float, high: float, lines: int, *, log: bool = False, margin: float = _MARGIN) -> None:
        self.lines = lines
        self.top = lines * EIGHTHS
        self.is_log = log and low > 0
        if self.is_log:
            low, high = math.log(low), math.log(high)
        room = (high - low) * margin
        if not room:
            # As good as level: what the values are made of cannot be told apart any more.
            room = max(abs(high) * 1e-2, 1e-2) if margin else 0.5
        self._low, self._span = low - room, (high - low) + 2 * room

    @property
    def low(self) -> float:
        """The value at the floor."""
        return math.exp(self._low) if self.is_log else self._low

    @property
    def high(self) -> float:
        """The value at the top."""
        return math.exp(self._low + self._span) if self.is_log else self._low + self._span

    def height(self, value: float) -> int:
        """In eighths; what lies outside is at the edge."""
        if self.is_log:
            value = math.log(value) if value > 0 else -math.inf
        part = (value - self._low) / self._span
        if part <= 0:
            return 0
        return round(part * self.top) if part < 1 else self.top

    def line(self, value: float) -> int:
        """The line of a value, counted from the top."""
        return self.lines - 1 - min(self.height(value), self.top - 1) // EIGHTHS

    def ticks(self, count: int) -> list[float]:
        """About `count` round values that lie on it."""
        low, high = self.low, self.high
        if self.is_log and high > _NARROW * low:
            found = [f * 10.0**p for p in range(_power(low), _power(high) + 1) for f in (1, 2, 5)]
            found = [value for value in found if low <= value <= high]
            return found[:: max(1, round(len(found) / max(1, count)))]
        return nice_ticks(low, high, count)


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers between `low` and `high`, but one at least, at steps of 1, 2 or 5 times a power of
    ten."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    # Between two neighbours of a step there may be all of a short axis.
    return [index * step for index in range(first, last + 1)] or nice_ticks(low, high, count + 1)


def bounds(values: Iterable[float | None]) -> tuple[float, float] | None:
    """The least and the greatest of those that are known; None if none is."""
    known: Sequence[float] = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None


def _power(value: float) -> int:
    return math.floor(math.log10(value))
