"""Forecasts follow from the set of bars alone: whatever order, repetition, batching or restart they came in."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analytics.forecasts.blocks import beginning_of, block_of
from pipeline.analytics.forecasts.model import FARTHEST, HORIZONS, WARM_UP
from pipeline.analytics.forecasts.series import ForecastSeries, needed
from pipeline.model.messages import Bar, DueBands, Forecast, HorizonForecast
from pipeline.model.times import microseconds
from testkit.data import NEW_YORK, recorded_bars
from testkit.examples import DEAR
from tests.analytics.deliveries import in_parts, latest, rows_with_a_crash

START = datetime(2019, 2, 17, 22, 0, tzinfo=UTC)  # two hours before a block of minutes ends
NEXT_BLOCK = START + timedelta(hours=2)

Rows = dict[datetime, Forecast]


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


def reference(observations: Iterable[Bar]) -> Rows:
    return latest(series().merge(list(observations)))


HISTORY = bars(260)
"""Over a change of blocks, and with forecasts on both sides of it."""
SHORT = HISTORY[:150]
FEW = DEAR // 4
"""An example takes a hundred milliseconds."""
EXPECTED = reference(HISTORY)


def at(row: Forecast, horizon: int) -> HorizonForecast:
    (said,) = (said for said in row.horizons if said.horizon == horizon)
    return said


def bands_of(said: HorizonForecast | DueBands) -> tuple[float | None, ...]:
    return said.low_95, said.low_80, said.low_50, said.high_50, said.high_80, said.high_95


def test_each_closed_bar_has_one_row_with_all_horizons_and_bands_once_it_is_warm() -> None:
    assert [row.ts for row in series().merge(HISTORY)] == [b.ts for b in HISTORY]
    for position, b in enumerate(HISTORY):
        row, warm = EXPECTED[b.ts], position >= WARM_UP - 1
        assert row.close == b.close
        assert [said.horizon for said in row.horizons] == list(HORIZONS)
        assert (row.up is not None, row.since is not None) == (warm, warm)
        for said in row.horizons:
            low_95, low_80, low_50, high_50, high_80, high_95 = ends = bands_of(said)
            known = [end for end in (low_95, low_80, low_50, row.close, high_50, high_80, high_95) if end is not None]
            assert known == sorted(known)
            assert [end is not None for end in ends] == [warm] * 6


def test_the_row_of_a_bar_has_the_bands_that_earlier_bars_gave_for_its_close() -> None:
    """Also over the change of blocks, where other models speak."""
    for position, b in enumerate(HISTORY):
        for horizon in HORIZONS:
            due = at(EXPECTED[b.ts], horizon).due
            if position - horizon < WARM_UP - 1:
                assert due is None
                continue
            made = EXPECTED[HISTORY[position - horizon].ts]
            assert due is not None
            assert (due.ts, due.close) == (made.ts, made.close)
            assert bands_of(due) == bands_of(at(made, horizon))


def test_the_record_counts_the_closes_that_lay_within_what_was_due() -> None:
    block = block_of(microseconds(HISTORY[-1].ts), "1min")
    first = next(n for n, b in enumerate(HISTORY) if block_of(microseconds(b.ts), "1min") == block)
    for horizon in HORIZONS:
        came = [(b.close, at(EXPECTED[b.ts], horizon).due) for b in HISTORY[first:]]
        inside = sum(due is not None and due.low_80 <= close <= due.high_80 for close, due in came)
        before, last = (at(EXPECTED[b.ts], horizon) for b in (HISTORY[first - 1], HISTORY[-1]))
        assert last.count - before.count == len(came)
        assert last.held_80 is not None
        assert last.held_80 * last.count - (before.held_80 or 0.0) * before.count == pytest.approx(inside)


def test_nothing_is_said_with_knowledge_of_later_bars() -> None:
    """Whatever comes after a bar, its row stays, to the last bit."""
    for stop in (WARM_UP, 130, 259):
        changed = reference([*HISTORY[:stop], *(bar(minute, 500.0 + minute) for minute in range(stop, 270))])
        for b in HISTORY[:stop]:
            assert EXPECTED[b.ts] == changed[b.ts]


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
    return seen, in_parts(draw, arriving, most=6)


class TestTheSetDecides:
    @settings(max_examples=FEW)
    @given(deliveries())
    def test_any_delivery_leaves_the_rows_of_the_reference(self, delivery: tuple[list[Bar], list[list[Bar]]]) -> None:
        seen, parts = delivery
        state = series()
        assert latest(row for part in parts if part for row in state.merge(part)) == reference(seen)

    @settings(max_examples=FEW)
    @given(deliveries(), st.data())
    def test_so_does_one_with_a_crash(self, delivery: tuple[list[Bar], list[list[Bar]]], data: st.DataObject) -> None:
        seen, parts = delivery
        assert latest(rows_with_a_crash(series, parts, data)) == reference(seen)

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
        assert {row.ts for row in corrections} == {b.ts for b in whole[280 : 520 + FARTHEST]}
        assert latest([*reference(rest).values(), *corrections]) == reference(whole)

    def test_bars_that_are_forgotten_are_not_missed(self) -> None:
        state = series()
        rows = []
        for position, b in enumerate(HISTORY):
            rows += state.merge([b])
            if position == 200:
                state.forget(beginning_of(block_of(microseconds(b.ts), "1min") - 1, "1min"))
        assert latest(rows) == EXPECTED

    def test_real_bars_one_at_a_time_newest_first_and_at_once(self) -> None:
        week = recorded_bars("AAPL")[:600]
        one, other, whole = (ForecastSeries("AAPL", "1min", NEW_YORK, "replay") for _ in range(3))
        expected = latest(whole.merge(week))
        assert latest(row for b in week for row in one.merge([b])) == expected
        parts = [week[start : start + 650] for start in range(0, len(week), 250)]
        assert latest(row for part in reversed(parts) for row in other.merge(part)) == expected


class TestWhatIsReturned:
    def test_a_live_bar_makes_one_row_and_no_more(self) -> None:
        state = series()
        state.merge(HISTORY[:200])
        for b in HISTORY[200:]:
            assert state.merge([b]) == [EXPECTED[b.ts]]

    def test_a_correction_renews_its_row_and_those_after_it(self) -> None:
        state = series()
        state.merge(HISTORY)
        rows = state.merge([bar(150, HISTORY[150].close, revision=1)])
        assert [row.ts for row in rows] == [b.ts for b in HISTORY[150:]]

    def test_it_ends_with_the_bars_that_were_due_when_all_was_forgotten(self) -> None:
        """Models forget with the block after the next; at the first bars of that one, what they had said is due."""
        parts = [bars(110, first=120 + n * 7 * 24 * 60, seed=n) for n in range(4)]
        state = series()
        state.merge([b for part in parts for b in part])
        close = parts[0][50].close * 1.001
        corrected = state.merge([bar(120 + 50, close, revision=1)])
        assert [row.ts for row in corrected] == [b.ts for b in [*parts[0][50:], *parts[1], *parts[2][:FARTHEST]]]

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
        assert latest(rows).items() <= EXPECTED.items()
        assert [row.ts for row in rows] == [b.ts for b in HISTORY[250:]]
        assert state.merge(HISTORY[250:]) == []

    def test_what_is_owed_is_all_that_needs_nothing_older(self) -> None:
        state = series()
        state.restore(HISTORY[:259])
        state.owe(needed(microseconds(HISTORY[0].ts), "1min"))
        assert latest(state.merge([HISTORY[259]])) == EXPECTED

        young = series()
        young.restore(HISTORY[:259])
        young.owe(microseconds(HISTORY[0].ts))
        owed = latest(young.merge([HISTORY[259]]))
        assert owed.items() <= EXPECTED.items()
        head = sum(b.ts < NEXT_BLOCK for b in HISTORY)
        assert list(owed) == [b.ts for b in HISTORY[head + FARTHEST :]], "what came before may be due at the first"

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


def test_after_a_long_pause_nothing_is_due() -> None:
    for weeks, known in ((1, True), (3, False)):
        late = bar(weeks * 7 * 24 * 60, 100.0)
        assert (at(reference([*HISTORY, late])[late.ts], 1).due is not None) == known


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_across_a_split_nothing_is_due(factor: float) -> None:
    split: Sequence[Bar] = [*HISTORY[:200], *(bar(m, b.close * factor) for m, b in enumerate(HISTORY[200:], 200))]
    rows = reference(split)
    for horizon in HORIZONS:
        none = [n for n, b in enumerate(split) if n >= WARM_UP + FARTHEST and at(rows[b.ts], horizon).due is None]
        assert none == list(range(200, 200 + horizon))
    before, after = rows[split[199].ts], rows[split[200].ts]
    widths = [(at(row, 1).high_80 or 0.0) / row.close for row in (before, after)]
    assert 1.0 < widths[1] < 1.5 * widths[0], "the jump is no movement"
