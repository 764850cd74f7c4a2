"""Columns of bars are the same whichever way the bars came in."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.analytics.columns import BarColumns
from pipeline.model.bar_table import tables_of
from pipeline.model.messages import Bar, bar_rank
from pipeline.model.times import microseconds

START = datetime(2019, 3, 8, 20, 0, tzinfo=UTC)  # a Friday before the clocks change


@st.composite
def histories(draw: st.DrawFn) -> list[list[Bar]]:
    """Parts of one series, each in time order, which may overlap."""
    hours = draw(st.lists(st.lists(st.integers(0, 90), unique=True, max_size=12).map(sorted), max_size=5))
    return [
        [
            Bar(
                ticker="AAPL",
                interval="60min",
                ts=START + timedelta(hours=hour),
                open=1 + draw(st.integers(0, 1)),
                high=9,
                low=1,
                close=2 + draw(st.sampled_from([0, 0.5])),
                volume=draw(st.sampled_from([None, 0, 3.5])),
                simulated=draw(st.booleans()),
                closed=draw(st.booleans()),
                revision=draw(st.sampled_from([0, 1, (1 << 52) - 1])),
                source="s",
            )
            for hour in part
        ]
        for part in hours
    ]


@pytest.mark.parametrize("ranked", [True, False])
@given(histories())
def test_tables_and_bars_make_the_same_columns(ranked: bool, parts: list[list[Bar]]) -> None:
    one, other = (BarColumns(ZoneInfo("America/New_York"), ranked=ranked) for _ in range(2))
    for part in parts:
        for bar in part:
            one.put(bar)
        for table in tables_of(part):
            known = set(other.ts)
            between = not any(table.ts[0] <= ts <= table.ts[-1] for ts in known)
            at = other.insert(table)
            assert (at is not None) == between
            if at is None:
                for row in range(len(table)):
                    other.put_row(table, row)
            else:
                assert list(other.ts[at : at + len(table)]) == list(table.ts)
        assert [repr(column) for column in one._all] == [repr(column) for column in other._all]
        assert one.rank_sum == other.rank_sum


@pytest.mark.parametrize("ranked", [True, False])
@given(histories())
def test_bars_that_are_appended_make_the_same_columns(ranked: bool, parts: list[list[Bar]]) -> None:
    one, other = (BarColumns(ZoneInfo("America/New_York"), ranked=ranked) for _ in range(2))
    for part in parts:
        for bar in part:
            one.put(bar)
        known = list(other.ts)
        later = not known or not part or microseconds(part[0].ts) > known[-1]
        assert other.append(part) == (len(known) if later else None)
        if not later:
            assert list(other.ts) == known
            for bar in part:
                other.put(bar)
        assert [repr(column) for column in one._all] == [repr(column) for column in other._all]
        assert one.rank_sum == other.rank_sum


def test_what_is_in_no_order_is_not_appended() -> None:
    columns = BarColumns(ZoneInfo("UTC"), ranked=True)
    first, second = (Bar(ticker="A", interval="60min", ts=START + timedelta(hours=hour), open=1, high=1, low=1, close=1)
                     for hour in range(2))  # fmt: skip
    for bars in ([second, first], [first, first], [first, second, first]):
        assert columns.append(bars) is None
        assert len(columns) == columns.rank_sum == 0


@given(histories())
def test_closed_bars_of_a_table(parts: list[list[Bar]]) -> None:
    for part in parts:
        for table in tables_of(part):
            closed = table.closed()
            wanted = [bar for bar in part if bar.closed]
            assert list(closed.ts) == [microseconds(bar.ts) for bar in wanted]
            assert [closed.rank(row) for row in range(len(closed))] == list(map(bar_rank, wanted))
            assert list(closed.volume) == [bar.volume for bar in wanted]
