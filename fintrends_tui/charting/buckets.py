"""Bars gathered into longer ones that begin where the exchange's clock and calendar say."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.contract.protocol import BarPoint

_HOUR: Final = 3600
_DAY: Final = 86_400
_LONGEST_GAP: Final = 24
"""Candles; what was longer without a trade is drawn as this."""
_EPOCH: Final = date(1970, 1, 1)
_MONDAY_OF_EPOCH: Final = 3
"""The first of January 1970 was a Thursday."""


class Step(NamedTuple):
    """How long the candles of a chart are: a name, and seconds (of a month about)."""

    name: str
    seconds: int

    @property
    def is_intraday(self) -> bool:
        return self.seconds < _DAY


DAILY: Final = Step("daily", _DAY)
STEPS: Final = (
    *(Step(f"{minutes}min", 60 * minutes) for minutes in (1, 2, 5, 15, 30, 60, 120, 240)),
    DAILY,
    Step("weekly", 7 * _DAY),
    Step("monthly", 30 * _DAY),
)
_BY_NAME: Final = {step.name: step for step in STEPS}


class Candle(NamedTuple):
    """What one column of a chart shows.

    `ts` is its beginning in seconds since the epoch, `slot` its place on the time axis, where places without a candle
    are gaps; `first` and `last` are the positions of its bars. `extended` is one of before the open or after the close.
    """

    ts: float
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    extended: bool
    slot: int
    first: int
    last: int


def step_named(name: str | None) -> Step:
    """The step that a stored interval is.

    Raises:
        KeyError: if there is no such step.
    """
    return _BY_NAME[name or ""]


def steps_from(stored: Step) -> tuple[Step, ...]:
    """Those that bars of `stored` can be gathered into, itself first."""
    return tuple(
        s for s in STEPS if s.seconds >= stored.seconds and (not s.is_intraday or s.seconds % stored.seconds == 0)
    )


def gathered(bars: Sequence[BarPoint], stored: Step, step: Step, zone: tzinfo) -> list[Candle]:
    """The candles that bars of the length `stored`, oldest first, make; one for each bar if that is the `step`.

    Minutes and hours are those of the clock in `zone`, days, weeks and months those of its calendar. Within a day a
    time without bars leaves its slots empty, at most `_LONGEST_GAP`; nights, weekends and holidays leave none.
    """
    candles: list[Candle] = []
    key: float | int | None = None
    day = slot = 0
    ts = open_ = high = low = close = 0.0
    volume: float | None = None
    extended = True
    first = 0
    is_intraday, hour, ahead = step.is_intraday, None, 0
    for index, bar in enumerate(bars):
        if (its_hour := bar.ts // _HOUR) != hour:
            hour, ahead = its_hour, offset(zone, bar.ts)
        local = bar.ts + ahead
        its_day = int(local // _DAY)
        begin = bar.ts
        if step is stored:
            its_key: float | int = bar.ts
        elif is_intraday:
            begin = its_key = local - local % step.seconds - (local - bar.ts)
        else:
            its_key = _calendar_key(its_day, step)
        if its_key != key:
            if key is not None:
                candles.append(Candle(ts, open_, high, low, close, volume, extended, slot, first, index - 1))
                gap = round((begin - ts) / step.seconds) if is_intraday and its_day == day else 1
                slot += max(1, min(gap, _LONGEST_GAP + 1))
            key, day, first = its_key, its_day, index
            ts, open_, high, low, volume, extended = begin, bar.open, bar.high, bar.low, bar.volume, bar.extended
        else:
            high, low = max(high, bar.high), min(low, bar.low)
            volume = bar.volume if volume is None else volume + (bar.volume or 0.0)
            extended = extended and bar.extended
        close = bar.close
    if bars:
        candles.append(Candle(ts, open_, high, low, close, volume, extended, slot, first, len(bars) - 1))
    return candles


def fitted(
    bars: Sequence[BarPoint], stored: Step, most: int, zone: tzinfo, wanted: Step | None = None
) -> tuple[Step, list[Candle]]:
    """The candles in the shortest step that needs at most `most` slots, or in the `wanted` one if the bars can be
    gathered into that; then the newest that have room."""
    steps = steps_from(stored)
    if wanted in steps:
        steps = (wanted,)
    step, candles = stored, list[Candle]()
    for step in steps:
        if step is not steps[-1] and len(bars) * stored.seconds > most * step.seconds:
            continue  # even without gaps they would not fit
        candles = gathered(bars, stored, step, zone)
        if not candles or candles[-1].slot < most:
            return step, candles
    oldest = candles[-1].slot - most + 1
    return step, [candle._replace(slot=candle.slot - oldest) for candle in candles if candle.slot >= oldest]


def offset(zone: tzinfo, ts: float) -> int:
    """Seconds that clocks in `zone` are ahead of UTC."""
    return _offset(zone, int(ts // _HOUR))


@lru_cache(1 << 16)
def _offset(zone: tzinfo, hour: int) -> int:
    # Clocks are changed on the hour; asking the zone for each bar would take longer than all the rest.
    ahead = datetime.fromtimestamp(hour * _HOUR, UTC).astimezone(zone).utcoffset()
    return int((ahead or timedelta()).total_seconds())


@lru_cache(1 << 14)
def _calendar_key(day: int, step: Step) -> int:
    """The number of the day, week (from Monday on) or month."""
    if step.seconds == _DAY:
        return day
    if step.seconds == 7 * _DAY:
        return (day + _MONDAY_OF_EPOCH) // 7
    of = _EPOCH + timedelta(days=day)
    return of.year * 12 + of.month
