"""Rows follow from the set of bars alone: whatever order, repetition, batching or restart they came in."""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, batched
from unittest import mock
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analytics.indicators import WARM_UP, batch, session_of
from pipeline.analytics.series import QUICK, Series
from pipeline.model.messages import INDICATOR_FIELDS, Bar, IndicatorRow, bar_rank
from testkit.data import NEW_YORK, recorded_bars
from testkit.examples import DEAR
from tests.analytics.deliveries import in_parts, latest, rows_with_a_crash
from tests.analytics.test_indicators import history_of

START = datetime(2019, 2, 15, 3, 0, tzinfo=UTC)  # two hours before midnight in New York


def bar(minute: int, close: float = 10.0, *, closed: bool = True, revision: int = 0, volume: float = 100.0) -> Bar:
    return Bar(
        ticker="AAPL",
        interval="1min",
        ts=START + timedelta(minutes=minute),
        open=close,
        high=close * 1.01,
        low=close * 0.98,
        close=close,
        volume=volume,
        closed=closed,
        revision=revision,
        simulated=minute % 3 == 0,
    )


def bars(count: int, seed: int = 1) -> list[Bar]:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-2, count)))
    return [bar(minute, float(close), volume=float(minute % 7)) for minute, close in enumerate(closes)]


def series(zone: ZoneInfo = NEW_YORK) -> Series:
    return Series("AAPL", "1min", zone)


def test_a_bar_of_another_source_is_refused() -> None:
    of_one = series()
    of_one.merge([bar(0)])
    stranger = msgspec.structs.replace(bar(1), source="another")
    for take in (of_one.merge, of_one.restore):
        with pytest.raises(ValueError, match="a bar of another in a series of unknown"):
            take([stranger])


def reference(observations: Iterable[Bar]) -> list[IndicatorRow]:
    """The rows from scratch: the winners of all observations, computed at once."""
    winners: dict[datetime, Bar] = {}
    for observation in sorted(observations, key=bar_rank):
        winners[observation.ts] = observation
    ordered = [winners[ts] for ts in sorted(winners)]
    values = batch(history_of([(b.high, b.low, b.close, b.volume, session_of(b.ts, NEW_YORK)) for b in ordered]))
    return [
        IndicatorRow(
            ticker=b.ticker,
            interval=b.interval,
            ts=b.ts,
            simulated=b.simulated,
            source=b.source,
            closed=b.closed,
            close=b.close,
            lineage=f"{count:08x}-{known:032x}",
            **dict(zip(INDICATOR_FIELDS, row, strict=True)),
        )
        for count, (b, row, known) in enumerate(
            zip(ordered, values, accumulate(map(bar_rank, ordered)), strict=True), 1
        )
    ]


def kept(rows: Iterable[IndicatorRow]) -> list[IndicatorRow]:
    """What a store is left with, in the order of time."""
    best = latest(rows)
    return [best[ts] for ts in sorted(best)]


def assert_same(actual: Sequence[IndicatorRow], expected: Sequence[IndicatorRow]) -> None:
    """Equal in everything, numbers to 1e-9."""
    assert [row.ts for row in actual] == [row.ts for row in expected]
    for one, other in zip(actual, expected, strict=True):
        for field in INDICATOR_FIELDS:
            a, b = getattr(one, field), getattr(other, field)
            same = a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-9)
            assert same, f"{field} at {one.ts}: {a} and {b}"
        blank = dict.fromkeys(INDICATOR_FIELDS)
        assert msgspec.structs.replace(one, **blank) == msgspec.structs.replace(other, **blank)


@st.composite
def observations(draw: st.DrawFn) -> list[Bar]:
    """Bars with their corrections, and with what was seen of them while open; some never close. In time order."""
    seen: list[Bar] = []
    price = st.floats(0.5, 200.0)
    for minute in range(draw(st.integers(1, 80))):
        if draw(st.integers(0, 9)) == 0:
            continue  # a gap
        fate = draw(st.sampled_from(["closes", "closes", "closes", "opens and closes", "stays open", "is corrected"]))
        if fate in ("opens and closes", "stays open"):
            seen += [bar(minute, draw(price), closed=False, revision=r) for r in range(draw(st.integers(1, 3)))]
        if fate != "stays open":
            seen.append(bar(minute, draw(price)))
        if fate == "is corrected":
            seen.append(bar(minute, draw(price), revision=draw(st.integers(0, 3))))
    return seen


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Bar], list[list[Bar]]]:
    """Observations, and the merges they come in: in or out of order, repeated, in parts of any size."""
    seen = draw(observations())
    arriving = seen + (draw(st.lists(st.sampled_from(seen), max_size=10)) if seen else [])
    order = draw(st.sampled_from(["as seen", "newest first", "nearly", "shuffled"]))
    if order == "newest first":
        arriving.reverse()
    elif order == "nearly":
        for swap in draw(st.lists(st.integers(0, max(0, len(arriving) - 2)), max_size=5)):
            arriving[swap : swap + 2] = arriving[swap : swap + 2][::-1]
    elif order == "shuffled":
        arriving = draw(st.permutations(arriving))
    return seen, in_parts(draw, arriving, most=len(arriving))


@pytest.fixture(params=[None, 1], ids=["one by one", "together"], scope="class")
def together(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whether what may be worked on together is, however little it is; a history is as it is at most."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param is not None:
            patch.setattr("pipeline.analytics.series.APPENDED", request.param)
            patch.setattr("pipeline.analytics.series._EXTENDED", request.param)
        yield


@pytest.mark.usefixtures("together")
class TestTheSetDecides:
    @settings(max_examples=DEAR)
    @given(deliveries())
    def test_any_delivery_leaves_the_rows_of_the_reference(self, delivery: tuple[list[Bar], list[list[Bar]]]) -> None:
        seen, parts = delivery
        state = series()
        rows = [row for part in parts for row in state.merge(part)]
        if seen:
            assert_same(kept(rows), reference(seen))
        else:
            assert rows == []

    @settings(max_examples=DEAR)
    @given(deliveries(), st.data())
    def test_so_does_one_with_a_restart(self, delivery: tuple[list[Bar], list[list[Bar]]], data: st.DataObject) -> None:
        seen, parts = delivery
        rows = rows_with_a_crash(series, parts, data)
        if seen:
            assert_same(kept(rows), reference(seen))

    @pytest.mark.parametrize("late", [0, 30, 49, 50, 700, 1_198])
    @pytest.mark.parametrize("size", [1, 7, 130, 1_200])
    def test_a_late_bar_corrects_all_after_it(self, late: int, size: int) -> None:
        """Long enough for both ways of computing, and for either to follow the other."""
        all_bars = bars(1_200)
        state = series()
        rest = all_bars[:late] + all_bars[late + 1 :]
        rows = [row for start in range(0, len(rest), size) for row in state.merge(rest[start : start + size])]
        corrections = state.merge([all_bars[late]])
        assert len(corrections) == 1_200 - late
        assert_same(kept(rows + corrections), reference(all_bars))
        after = bar(1_200, 50.0)
        assert_same(state.merge([after]), reference([*all_bars, after])[-1:])

    @pytest.mark.parametrize("known", [50, 51, 60])
    @pytest.mark.parametrize("late", [10, 49])
    def test_a_correction_among_the_first_bars_reaches_an_open_one(self, known: int, late: int) -> None:
        history = bars(known)
        forming, correction = bar(known, 90.0, closed=False), bar(late, 300.0, revision=1)
        state = series()
        rows = state.merge(history) + state.merge([forming]) + state.merge([correction])
        assert_same(kept(rows), reference([*history, forming, correction]))

    @pytest.mark.parametrize("size", [8, 63, 64, 65, 500])
    def test_rows_of_batches_are_those_of_bars_one_by_one_to_the_last_bit(self, size: int) -> None:
        week = recorded_bars("AAPL")
        one_by_one, batches = series(), series()
        with mock.patch("pipeline.analytics.series.batch", side_effect=AssertionError):
            rows = [row for b in week for row in one_by_one.merge([b])]
            assert [row for part in batched(week, size) for row in batches.merge(part)] == rows

    @pytest.mark.parametrize("ticker", ["AAPL", "MSFT", "TSLA"])
    def test_real_bars_one_at_a_time_newest_first_and_at_once(self, ticker: str) -> None:
        week = recorded_bars(ticker)
        expected = reference(week)
        one_at_a_time, at_once = Series(ticker, "1min", NEW_YORK), Series(ticker, "1min", NEW_YORK)
        assert_same([row for b in week for row in one_at_a_time.merge([b])], expected)
        assert_same(at_once.merge(week[::-1]), expected)


class TestWhetherAMergeIsQuick:
    @settings(max_examples=DEAR)
    @given(deliveries())
    def test_one_that_is_computes_no_history(self, delivery: tuple[list[Bar], list[list[Bar]]]) -> None:
        _, parts = delivery
        state = series()
        for part in filter(None, parts):
            allowed = {} if state.cost(part) <= QUICK else {"wraps": batch}
            with mock.patch("pipeline.analytics.series.batch", **allowed) as computed:
                state.merge(part)
            assert allowed or not computed.called

    def test_a_live_bar_is_and_a_history_is_not(self) -> None:
        state = series()
        history = bars(1_200)
        assert state.cost(history[:1]) <= QUICK
        assert state.cost(history) > QUICK
        state.merge(history)
        assert state.cost([bar(1_200), bar(1_201)]) <= QUICK
        assert state.cost([bar(1_199, 1.0, revision=1)]) <= QUICK
        assert state.cost([bar(700, 1.0, revision=1)]) > QUICK

    def test_nor_is_one_that_owes_the_rows_of_a_history(self) -> None:
        state = series()
        history = bars(1_200)
        state.restore(history, owed=True)
        assert state.cost([bar(1_200)]) > QUICK
        state.merge([bar(1_200)])
        assert state.cost([bar(1_201)]) <= QUICK

    @pytest.mark.parametrize("known", [0, 10, WARM_UP, 2_000])
    def test_as_many_bars_as_are_quick_compute_no_history(self, known: int) -> None:
        state = series()
        everything = bars(known + QUICK + 1)
        state.merge(everything[:known])
        more = QUICK
        while state.cost(everything[known : known + more]) > QUICK:
            more -= 1
        assert more > QUICK - WARM_UP
        with (
            mock.patch("pipeline.analytics.series.has_batched", return_value=True),
            mock.patch("pipeline.analytics.series.batch", side_effect=AssertionError),
        ):
            state.merge(everything[known : known + more])


class TestWhatIsReturned:
    def test_nothing_where_nothing_changed(self) -> None:
        state = series()
        known = bars(60)
        state.merge(known)
        assert state.merge(known) == []
        assert state.merge([bar(59, 1.0, closed=False, revision=9)]) == []  # a closed bar stands above an open one
        assert state.merge([]) == []
        assert len(state) == 60

    @pytest.mark.parametrize("count", [10, 60])
    def test_what_was_restored_and_comes_again_is_returned_once_with_all_after_it(self, count: int) -> None:
        history = bars(count)
        rows = reference(history)
        state = series()
        state.restore(history)
        assert state.merge([]) == []
        assert_same(state.merge([history[-3]]), rows[-3:])
        assert_same(state.merge(history[-5:]), rows[-5:-3])
        assert state.merge(history[-5:]) == []
        later = bar(count, 50.0)
        assert_same(state.merge([history[1], later]), reference([*history, later])[1:])
        assert state.merge(history[1:]) == []
        assert_same(state.merge(history), rows[:1])

    def test_from_the_first_bar_that_changed_to_the_end(self) -> None:
        state = series()
        state.merge(bars(60))
        rows = state.merge([bar(58, 99.0, revision=1), bar(57, 98.0, revision=1), bars(60)[0]])
        assert [row.ts for row in rows] == [START + timedelta(minutes=m) for m in (57, 58, 59)]

    @pytest.mark.parametrize("before", [5, 55])
    def test_an_open_bar_is_replaced_until_it_closes(self, before: int) -> None:
        state = series()
        history = bars(before)
        state.merge(history)
        lineages = []
        for revision, close in enumerate((90.0, 95.0, 85.0)):
            observed = bar(before, close, closed=False, revision=revision)
            rows = state.merge([observed])
            assert_same(rows, reference([*history, observed])[-1:])
            assert not rows[0].closed
            lineages.append(rows[0].lineage)
        closing = bar(before, 91.0)
        rows = state.merge([closing])
        assert_same(rows, reference([*history, closing])[-1:])
        assert rows[0].closed
        lineages.append(rows[0].lineage)
        assert lineages == sorted(set(lineages))

    def test_an_open_bar_whose_close_never_came_counts_as_it_is(self) -> None:
        state = series()
        history = bars(55)
        state.merge(history)
        abandoned, following = bar(55, 90.0, closed=False), bar(56, 91.0)
        state.merge([abandoned])
        assert_same(state.merge([following]), reference([*history, abandoned, following])[-1:])

    def test_times_are_exact_and_in_utc(self) -> None:
        odd = msgspec.structs.replace(bar(0), ts=datetime(2250, 1, 1, 12, 0, 0, 123_457, tzinfo=NEW_YORK))
        [row] = series().merge([odd])
        assert row.ts == odd.ts
        assert row.ts.tzinfo is UTC

    def test_a_session_is_a_day_at_the_exchange(self) -> None:
        eve, midnight = bar(119, 10.0), bar(120, 20.0)
        typical = (20.0 * 1.01 + 20.0 * 0.98 + 20.0) / 3
        assert series().merge([eve, midnight])[1].vwap == pytest.approx(typical)
        in_utc = series(ZoneInfo("UTC")).merge([eve, midnight])[1]
        assert in_utc.vwap == pytest.approx((typical + typical / 2) / 2)
