"""Forecasts follow from the set of bars alone: whatever order, repetition, batching or restart they came in."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analytics.columns import microseconds
from pipeline.analytics.forecasts.blocks import beginning_of, block_of
from pipeline.analytics.forecasts.model import HORIZONS, WARM_UP
from pipeline.analytics.forecasts.series import ForecastSeries, needed
from pipeline.model.messages import Bar, Forecast
from testkit.data import NEW_YORK, recorded_bars
from testkit.examples import DEAR

START = datetime(2019, 2, 17, 22, 0, tzinfo=UTC)  # two hours before a block of minutes ends

Rows = dict[tuple[datetime, int], Forecast]


def bar(minute: int, close: float, *, closed: bool = True, revision: int = 0) -> Bar:
    return Bar(
        ticker="AAPL",
        interval="1min",
        ts=START + timedelta(minutes=minute),
        open=close,
        high=close * 1.001,
        low=close * 0.9995,
        close=close,
        volume=float(minute % 7),
        closed=closed,
        revision=revision,
    )


def bars(count: int, first: int = 0, seed: int = 1) -> list[Bar]:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-3, count)))
    return [bar(first + minute, float(close)) for minute, close in enumerate(closes)]


def series() -> ForecastSeries:
    return ForecastSeries("AAPL", "1min", NEW_YORK, "unknown")


def kept(rows: Iterable[Forecast]) -> Rows:
    """What a store is left with: the row of the greatest lineage for each bar and horizon."""
    best: Rows = {}
    for row in rows:
        key = row.ts, row.horizon
        if key not in best or row.lineage > best[key].lineage:
            best[key] = row
    return best


def reference(observations: Iterable[Bar]) -> Rows:
    return kept(series().merge(list(observations)))


HISTORY = bars(260)
"""Over a change of blocks, and with forecasts on both sides of it."""
SHORT = HISTORY[:150]
FEW = DEAR // 4
"""An example takes a hundred milliseconds."""
EXPECTED = reference(HISTORY)


def test_each_closed_bar_has_a_row_of_each_horizon_and_bands_once_it_is_warm() -> None:
    assert list(EXPECTED) == [(b.ts, horizon) for b in HISTORY for horizon in HORIZONS]
    known = [EXPECTED[b.ts, 1].low_80 is not None for b in HISTORY]
    assert known == [position >= WARM_UP - 1 for position in range(len(HISTORY))]
    for row in EXPECTED.values():
        ends = [row.low_95, row.low_80, row.low_50, row.close, row.high_50, row.high_80, row.high_95]
        known_ends = [end for end in ends if end is not None]
        assert known_ends == sorted(known_ends)
        assert len(known_ends) == (1 if row.low_50 is None else 7)
        assert (row.up is not None) == (row.horizon == 1 and row.low_50 is not None)


def test_what_came_is_the_close_so_many_bars_later() -> None:
    for position, b in enumerate(HISTORY):
        for horizon in HORIZONS:
            row, later = EXPECTED[b.ts, horizon], HISTORY[position + horizon : position + horizon + 1]
            assert (row.came, row.came_at) == ((later[0].close, later[0].ts) if later else (None, None))


def test_nothing_is_said_with_knowledge_of_later_bars() -> None:
    """Whatever comes after a bar, what was said at it stays, to the last bit."""
    for stop in (WARM_UP, 130, 259):
        other = [*HISTORY[:stop], *(bar(minute, 500.0 + minute) for minute in range(stop, 270))]
        changed = reference(other)
        blank = {"came": None, "came_at": None, "lineage": f"{0:08x}-{0:032x}-{0:016x}-{0:032x}"}
        for b in HISTORY[:stop]:
            for horizon in HORIZONS:
                one, two = EXPECTED[b.ts, horizon], changed[b.ts, horizon]
                assert msgspec.structs.replace(one, **blank) == msgspec.structs.replace(two, **blank)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Bar], list[list[Bar]]]:
    """Observations with corrections, and the merges they come in: in any order, repeated, in parts of any size."""
    lost = draw(st.sets(st.integers(0, len(SHORT) - 1), max_size=9))
    seen = [b for position, b in enumerate(SHORT) if position not in lost]
    for position in draw(st.lists(st.integers(0, len(seen) - 1), max_size=4)):
        b = seen[position]
        minute = int((b.ts - START) / timedelta(minutes=1))
        seen.append(
            bar(minute, b.close * draw(st.sampled_from([0.4, 0.99, 1.01, 2.5])), revision=draw(st.integers(0, 3)))
        )
    arriving = seen + draw(st.lists(st.sampled_from(seen), max_size=10))
    arriving += [msgspec.structs.replace(b, closed=False, close=b.high) for b in arriving[:: draw(st.integers(7, 99))]]
    order = draw(st.sampled_from(["as seen", "newest first", "shuffled"]))
    if order == "newest first":
        arriving.reverse()
    elif order == "shuffled":
        Random(draw(st.integers(0, 99))).shuffle(arriving)
    cuts = sorted(draw(st.sets(st.integers(0, len(arriving)), max_size=6)))
    return seen, [arriving[a:b] for a, b in zip([0, *cuts], [*cuts, len(arriving)], strict=True)]


class TestTheSetDecides:
    @settings(max_examples=FEW)
    @given(deliveries())
    def test_any_delivery_leaves_the_rows_of_the_reference(self, delivery: tuple[list[Bar], list[list[Bar]]]) -> None:
        seen, parts = delivery
        state = series()
        assert kept(row for part in parts if part for row in state.merge(part)) == reference(seen)

    @settings(max_examples=FEW)
    @given(deliveries(), st.data())
    def test_so_does_one_with_a_crash(self, delivery: tuple[list[Bar], list[list[Bar]]], data: st.DataObject) -> None:
        """After some merges whose last rows were lost; the state comes back with bars from ahead of it."""
        seen, parts = delivery
        crash = data.draw(st.integers(0, len(parts) - 1))
        ahead = data.draw(st.integers(crash, len(parts)))
        before, after = series(), series()
        rows = [row for part in parts[:crash] for row in before.merge(part)]
        after.restore([b for part in parts[:ahead] for b in part])
        for part in parts[crash:]:
            rows += after.merge(part)
        assert kept(rows) == reference(seen)

    def test_a_window_of_three_blocks_is_enough(self) -> None:
        """A late bar merged into what it needs, and no more, corrects all rows that it corrects in the whole."""
        week = 7 * 24 * 60
        parts = [bars(130, first=120 + n * week + 5, seed=n) for n in range(5)]
        whole = [b for part in parts for b in part]
        late = parts[2].pop(20)
        rest = [b for part in parts for b in part]
        since = needed(microseconds(late.ts), "1min")
        assert since == beginning_of(block_of(microseconds(late.ts), "1min") - 2, "1min")
        window = series()
        window.restore([b for b in rest if microseconds(b.ts) >= since])
        corrections = window.merge([late])
        assert {row.ts for row in corrections} <= {b.ts for b in whole[130:520]}
        assert kept([*reference(rest).values(), *corrections]) == reference(whole)

    def test_bars_that_are_forgotten_are_not_missed(self) -> None:
        state = series()
        rows = []
        for position, b in enumerate(HISTORY):
            rows += state.merge([b])
            if position == 200:
                state.forget(beginning_of(block_of(microseconds(b.ts), "1min") - 1, "1min"))
        assert kept(rows) == EXPECTED

    def test_real_bars_one_at_a_time_newest_first_and_at_once(self) -> None:
        week = recorded_bars("AAPL")[:600]
        one, other, whole = (ForecastSeries("AAPL", "1min", NEW_YORK, "replay") for _ in range(3))
        expected = kept(whole.merge(week))
        assert kept(row for b in week for row in one.merge([b])) == expected
        parts = [week[start : start + 650] for start in range(0, len(week), 250)]
        assert kept(row for part in reversed(parts) for row in other.merge(part)) == expected


class TestWhatIsReturned:
    def test_a_live_bar_is_said_once_and_completes_three(self) -> None:
        state = series()
        state.merge(HISTORY[:200])
        rows = state.merge([HISTORY[200]])
        assert [(row.ts, row.horizon) for row in rows] == [
            (HISTORY[185].ts, 15),
            (HISTORY[195].ts, 5),
            (HISTORY[199].ts, 1),
            *((HISTORY[200].ts, horizon) for horizon in HORIZONS),
        ]
        assert {row.came for row in rows[:3]} == {HISTORY[200].close}

    def test_nothing_where_nothing_changed(self) -> None:
        state = series()
        state.merge(HISTORY)
        assert state.merge(HISTORY) == []
        assert state.merge([bar(300, 1.0, closed=False)]) == []
        assert len(state) == len(HISTORY)

    def test_what_was_restored_and_comes_again_is_returned_once(self) -> None:
        state = series()
        state.restore(HISTORY)
        rows = state.merge([HISTORY[250]])
        assert kept(rows).items() <= EXPECTED.items()
        assert {row.ts for row in rows} == {b.ts for b in HISTORY[235:]}
        assert state.merge(HISTORY[250:]) == []

    def test_what_is_owed_is_all_that_needs_nothing_older(self) -> None:
        state = series()
        state.restore(HISTORY[:259])
        state.owe(needed(microseconds(HISTORY[0].ts), "1min"))
        assert kept(state.merge([HISTORY[259]])) == EXPECTED

    def test_a_history_leaves_the_event_loop_and_a_live_bar_does_not(self) -> None:
        state = series()
        assert not state.is_quick(HISTORY)
        state.merge(HISTORY)
        assert state.is_quick([bar(260, 100.0)])
        assert not state.is_quick([HISTORY[5]])
        assert not state.is_quick([bar(20_000, 100.0)])
        restored = series()
        restored.restore(HISTORY)
        assert not restored.is_quick([bar(260, 100.0)])


def test_a_target_beyond_the_next_block_is_not_waited_for() -> None:
    late = bar(3 * 7 * 24 * 60, 100.0)
    rows = reference([*HISTORY, late])
    assert rows[HISTORY[-1].ts, 1].came is None


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_across_a_split_nothing_came(factor: float) -> None:
    split: Sequence[Bar] = [*HISTORY[:200], *(bar(m, b.close * factor) for m, b in enumerate(HISTORY[200:], 200))]
    rows = reference(split)
    assert [rows[b.ts, 1].came is None for b in split[:-1]] == [position == 199 for position in range(259)]
    assert [rows[b.ts, 5].came is None for b in split[:-5]] == [195 <= position < 200 for position in range(255)]
    before, after = rows[split[199].ts, 1], rows[split[200].ts, 1]
    assert after.high_80 is not None and before.high_80 is not None
    assert after.high_80 / after.close < 1.5 * before.high_80 / before.close, "the jump is no movement"
