"""Simulated economic series: a pure function of seed, series and period."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pipeline.model.messages import EconomicPoint
from pipeline.sources.simulator.path import SOURCE, generator

Frequency = Literal["5min", "monthly", "quarterly", "annual"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final[dict[Frequency, int]] = {"monthly": 1, "quarterly": 3, "annual": 12}
_BASE_YEAR: Final = 2026


@dataclass(frozen=True, slots=True)
class EconomicSpec:
    """`level` is the value at the beginning of 2026, `growth` that of a year, `swing` the size of the deviations; the
    latter as a fraction of the level."""

    name: str
    unit: str
    frequency: Frequency
    level: float
    growth: float
    swing: float
    decimals: int


SERIES: Final = (
    EconomicSpec("REAL_GDP", "billions of dollars", "quarterly", 24_000, 0.024, 0.004, 1),
    EconomicSpec("CPI", "index 1982-1984=100", "monthly", 330, 0.028, 0.001, 3),
    EconomicSpec("INFLATION", "percent", "annual", 2.9, 0, 0.25, 3),
    EconomicSpec("FEDERAL_FUNDS_RATE", "percent", "monthly", 3.6, 0, 0.04, 2),
    # A yield trades all day, so that there is always something new; the others come once a period.
    EconomicSpec("TREASURY_YIELD", "percent", "5min", 4.25, 0, 0.01, 3),
    EconomicSpec("RETAIL_SALES", "millions of dollars", "monthly", 650_000, 0.04, 0.01, 0),
    EconomicSpec("UNEMPLOYMENT", "percent", "monthly", 4.3, 0, 0.03, 1),
    EconomicSpec("NONFARM_PAYROLL", "thousands of persons", "monthly", 158_500, 0.01, 0.001, 0),
)


def period_of(series: EconomicSpec, time: datetime) -> int:
    """The number of the period that `time` lies in."""
    if series.frequency == "5min":
        return (time - _EPOCH) // timedelta(minutes=5)
    return (12 * time.year + time.month - 1) // _MONTHS[series.frequency]


def points(seed: int, series: EconomicSpec, first: int, last: int) -> Iterator[EconomicPoint]:
    """The points of the periods from `first` to `last`, both included; each has the start of its period as its time."""
    for period in range(first, last + 1):
        start = _start_of(series, period)
        years = start.year - _BASE_YEAR + (start.timetuple().tm_yday - 1) / 365
        trend = series.level * (1 + series.growth) ** years
        yield EconomicPoint(
            ts=start,
            simulated=True,
            source=SOURCE,
            series=series.name,
            interval=series.frequency,
            unit=series.unit,
            value=round(trend * (1 + series.swing * _deviation(seed, series.name, period)), series.decimals),
        )


def _start_of(series: EconomicSpec, period: int) -> datetime:
    if series.frequency == "5min":
        return _EPOCH + period * timedelta(minutes=5)
    year, month = divmod(period * _MONTHS[series.frequency], 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def _deviation(seed: int, name: str, period: int) -> float:
    """Between about -2 and 2: two slow waves and a little noise."""
    slow, fast = generator(seed, name).uniform(0, math.tau, 2).tolist()
    noise = float(generator(seed, name, period).normal(0, 0.1))
    return math.sin(period / 9 + slow) + 0.5 * math.sin(period / 3.7 + fast) + noise
