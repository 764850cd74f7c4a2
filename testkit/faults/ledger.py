"""What a fault has cost: the documents of a store held against those of an undisturbed run."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from pipeline.analytics.series import Series
from pipeline.model.messages import INDICATOR_FIELDS, Bar
from testkit.data import NEW_YORK

_VALUES = ("open", "high", "low", "close", "volume")
_Key = tuple[str, str, datetime]


@dataclass
class Entry:
    """One line of the table: of all runs with a fault on an engine."""

    runs: int = 1
    messages: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0

    @property
    def harm(self) -> int:
        return self.lost + self.doubled + self.wrong


@dataclass
class Ledger:
    """All entries, by fault and engine."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def enter(self, fault: str, run: Entry, engine: str = "embedded") -> None:
        """Add one or more runs, and fail if they have lost, doubled or spoilt anything."""
        self.add((fault, engine), run)
        assert run.harm == 0, f"{fault} on {engine}: {run}"

    def add(self, key: tuple[str, str], run: Entry) -> None:
        """Add runs to those of a fault and engine."""
        entry = self.entries.setdefault(key, Entry(runs=0))
        entry.runs += run.runs
        entry.messages += run.messages
        entry.lost += run.lost
        entry.doubled += run.doubled
        entry.wrong += run.wrong

    def lines(self) -> list[str]:
        """The table, as Markdown."""
        rows = [("fault", "engine", "runs", "messages in", "lost", "doubled", "wrong"), ("---",) * 7]
        for (fault, engine), e in self.entries.items():
            rows.append((fault, engine, str(e.runs), f"{e.messages:,}", str(e.lost), str(e.doubled), str(e.wrong)))
        return [f"| {' | '.join(row)} |" for row in rows]


def compare(bars: Iterable[Bar], stored: Iterable[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> Entry:
    """Hold the documents of `stock_data` and `indicators` against all the bars that came in, in any order.

    Each bar and its row of indicators shall be there once: else it is lost or doubled. Wrong is what has other values
    than the bar, or than the computation over the whole series (1e-9 relative), and what no bar accounts for.
    """
    truth = sorted(bars, key=lambda bar: (bar.ticker, bar.interval, bar.ts))
    expected_bars = {_key_of(bar): {name: getattr(bar, name) for name in _VALUES} for bar in truth}
    expected_rows: dict[_Key, dict[str, float | None]] = {}
    for (ticker, interval), group in groupby(truth, key=lambda bar: (bar.ticker, bar.interval)):
        for row in Series(ticker, interval, NEW_YORK).merge(list(group)):
            expected_rows[_key_of(row)] = {name: getattr(row, name) for name in INDICATOR_FIELDS}
    entry = Entry(messages=len(truth))
    for expected, documents in ((expected_bars, stored), (expected_rows, rows)):
        _hold(expected, documents, entry)
    return entry


def _hold(
    expected: Mapping[_Key, Mapping[str, float | None]], documents: Iterable[Mapping[str, Any]], entry: Entry
) -> None:
    seen: Counter[_Key] = Counter()
    for document in documents:
        key = (document["ticker"], document["interval"], _time(document["ts"]))
        seen[key] += 1
        values = expected.get(key)
        if values is None or not all(_same(document[name], value) for name, value in values.items()):
            entry.wrong += 1
    entry.lost += len(expected.keys() - seen.keys())
    entry.doubled += seen.total() - len(seen)


def _key_of(message: Any) -> _Key:
    return message.ticker, message.interval, message.ts.astimezone(UTC)


def _time(value: str | datetime) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _same(value: float | None, expected: float | None) -> bool:
    if value is None or expected is None:
        return value is expected
    return math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-12)
