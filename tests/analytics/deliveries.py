"""Bars as they may be delivered to a series, and what a store keeps of the rows that follow."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from hypothesis import strategies as st

from pipeline.model.messages import Bar, Forecast, IndicatorRow


class Merging[Row](Protocol):
    """A series of indicators or forecasts."""

    def restore(self, bars: Sequence[Bar]) -> None: ...

    def merge(self, bars: Sequence[Bar]) -> list[Row]: ...


def in_parts(draw: st.DrawFn, bars: list[Bar], most: int) -> list[list[Bar]]:
    """Cut at up to `most` places."""
    cuts = sorted(draw(st.sets(st.integers(0, len(bars)), max_size=most)))
    return [bars[a:b] for a, b in zip([0, *cuts], [*cuts, len(bars)], strict=True)]


def rows_with_a_crash[Row](
    series: Callable[[], Merging[Row]], parts: Sequence[Sequence[Bar]], data: st.DataObject
) -> list[Row]:
    """What is published where the rows of the last merges before a crash were lost, and the state comes back with bars
    from ahead of it."""
    crash = data.draw(st.integers(0, len(parts) - 1))
    ahead = data.draw(st.integers(crash, len(parts)))
    before, after = series(), series()
    rows = [row for part in parts[:crash] for row in before.merge(part)]
    after.restore([bar for part in parts[:ahead] for bar in part])
    for part in parts[crash:]:
        rows += after.merge(part)
    return rows


def latest[Row: IndicatorRow | Forecast](rows: Iterable[Row]) -> dict[datetime, Row]:
    """What a store is left with: the row of the greatest lineage for each bar."""
    best: dict[datetime, Row] = {}
    for row in rows:
        if row.ts not in best or row.lineage > best[row.ts].lineage:
            best[row.ts] = row
    return best
