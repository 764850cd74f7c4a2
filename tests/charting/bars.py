"""Bars to draw, and what Hypothesis makes of them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import strategies as st

from fintrends_tui.charting.buckets import STEPS, Step, gathered
from fintrends_tui.charting.plot import Plot
from pipeline.contract.protocol import BarPoint

BEGIN = datetime(2019, 2, 15, 14, 30, tzinfo=UTC).timestamp()
"""Half past nine in New York."""
MINUTE: Step = STEPS[0]


def bars(*closes: float, seconds: float = 60.0, begin: float = BEGIN) -> list[BarPoint]:
    """Each opens where the one before closed."""
    steps = zip((closes[0], *closes), closes, strict=False)
    return [BarPoint(begin + seconds * i, o, max(o, c), min(o, c), c, 100.0) for i, (o, c) in enumerate(steps)]


def plot(points: Sequence[BarPoint], **options: object) -> Plot:
    """In candles of one bar each."""
    return Plot(candles=gathered(points, MINUTE, MINUTE, UTC), step=MINUTE, **options)


def any_bars(least: float = -1e9, greatest: float = 1e9) -> st.SearchStrategy[list[BarPoint]]:
    """Of any prices and volumes, with gaps of minutes, nights and weekends, some of before the open."""
    price = st.floats(least, greatest, allow_nan=False, width=32)
    steps = st.sampled_from([60, 60, 60, 120, 3600, 63_000, 235_800])
    rows = st.tuples(price, price, price, price, st.none() | st.floats(0, 1e12), st.booleans(), steps)
    return st.lists(rows, min_size=1, max_size=60).map(_bars_of)


def _bars_of(rows: list[tuple[float, float, float, float, float | None, bool, int]]) -> list[BarPoint]:
    found, ts = [], BEGIN
    for one, two, three, four, volume, extended, step in rows:
        low, high = min(one, two, three, four), max(one, two, three, four)
        found.append(BarPoint(ts, one, high, low, two, volume, extended))
        ts += step
    return found
