"""Where the memory of forecasts begins.

A model that remembers all bars would have to be run through years of them after each restart, or its state be stored,
and be wrong from then on once a bar of the past is corrected. Instead, time is divided into blocks, the same for
everybody, and a forecast is by definition what a new model says that was run from the beginning of the block before the
bar's own. So it is a function of the bars of two blocks: whoever has these has the state, to the last bit, and a late
bar corrects what is said in its own block and the next, and nothing else.
"""

from typing import Final

from pipeline.model.messages import Interval

MICROSECONDS: Final[dict[Interval, int]] = {
    "1min": 60_000_000,
    "5min": 300_000_000,
    "15min": 900_000_000,
    "30min": 1_800_000_000,
    "60min": 3_600_000_000,
    "daily": 86_400_000_000,
}
_WEEK: Final = 604_800_000_000
_WEEKS: Final[dict[Interval, int]] = {"1min": 1, "5min": 4, "15min": 8, "30min": 16, "60min": 32, "daily": 208}
"""In each, a share makes 1,000 to 2,000 bars."""
REACH: Final = 1
"""How many blocks after its own a bar has a part in, by the memory of the models."""
_MONDAY: Final = 345_600_000_000
"""The first one of the epoch."""


def block_of(ts: int, interval: Interval) -> int:
    """The number of the block that this time lies in; `ts` is in microseconds since the epoch."""
    return (ts - _MONDAY) // (_WEEK * _WEEKS[interval])


def beginning_of(block: int, interval: Interval) -> int:
    """When it begins, in microseconds since the epoch."""
    return _MONDAY + block * _WEEK * _WEEKS[interval]
