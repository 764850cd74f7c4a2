"""Bars as columns, in which a history is moved quicker than bar by bar."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import compress
from typing import Final, Self

from pipeline.model.messages import Bar, Interval, bar_rank
from pipeline.model.times import microseconds

RANK_BYTES: Final = 12
_CLOSED: Final = 1 << 4
"""In the first byte of a rank."""
_OF_ALL: Final = frozenset({"ticker", "interval", "source", "ranks"})


@dataclass(frozen=True, slots=True)
class BarTable:
    """Bars of one ticker, interval and source in time order, one of each time, as columns of one length.

    `ts` is in microseconds since the epoch. `ranks` holds the `bar_rank` of each in 12 bytes, the highest first:
    whether it is closed, its revision, and a digest of its values.
    """

    ticker: str
    interval: Interval
    source: str
    ts: Sequence[int]
    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]
    volume: Sequence[float | None]
    simulated: Sequence[bool]
    ranks: bytes

    def __len__(self) -> int:
        return len(self.ts)

    def rank(self, index: int) -> int:
        return int.from_bytes(self.ranks[RANK_BYTES * index : RANK_BYTES * (index + 1)])

    def closed(self) -> Self:
        """Those that are closed."""
        flags = [byte & _CLOSED for byte in self.ranks[::RANK_BYTES]]
        if all(flags):
            return self
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen = {name: list(compress(column, flags)) for name, column in columns.items() if name not in _OF_ALL}
        ranks = b"".join(self.rank(i).to_bytes(RANK_BYTES) for i, flag in enumerate(flags) if flag)
        return type(self)(**columns | chosen | {"ranks": ranks})


def tables_of(bars: Iterable[Bar]) -> list[BarTable]:
    """The bars, which are in time order, by the series that they are of."""
    groups: dict[tuple[str, Interval, str], list[Bar]] = {}
    for bar in bars:
        groups.setdefault((bar.ticker, bar.interval, bar.source), []).append(bar)
    return [
        BarTable(
            *series,
            [microseconds(bar.ts) for bar in group],
            [bar.open for bar in group],
            [bar.high for bar in group],
            [bar.low for bar in group],
            [bar.close for bar in group],
            [bar.volume for bar in group],
            [bar.simulated for bar in group],
            b"".join(bar_rank(bar).to_bytes(RANK_BYTES) for bar in group),
        )
        for series, group in groups.items()
    ]
