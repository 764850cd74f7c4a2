"""The two paths agree with each other, and with the formulas written out."""

import math
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analytics.indicators import WARM_UP, BarArrays, Live, Values, batch, opening, session_of
from pipeline.model.messages import INDICATOR_FIELDS
from testkit.data import NEW_YORK, recorded_bars
from testkit.examples import DEAR

Row = tuple[float, float, float, float, int]


def history_of(rows: Sequence[Row]) -> BarArrays:
    *floats, session = zip(*rows, strict=True)
    high, low, close, volume = (np.array(column, dtype=np.float64) for column in floats)
    return BarArrays(high, low, close, volume, np.array(session, dtype=np.intc))


def real_rows(ticker: str) -> list[Row]:
    return [(b.high, b.low, b.close, b.volume, session_of(b.ts, NEW_YORK)) for b in recorded_bars(ticker)]


def random_rows(length: int, seed: int = 1) -> list[Row]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, length)))
    spread = rng.uniform(0, 0.2, (2, length))
    volume = rng.integers(0, 5_000, length).astype(float)
    columns = (close + spread[0], close - spread[1], close, volume, np.arange(length) // 40)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def live_values(rows: Sequence[Row]) -> list[Values]:
    """The values at every bar, the bars having come one at a time."""
    values = [opening(history_of(rows[:stop]))[-1] for stop in range(1, min(len(rows), WARM_UP) + 1)]
    if len(rows) > WARM_UP:
        live = Live(history_of(rows[:WARM_UP]))
        values += [live.update(*row) for row in rows[WARM_UP:]]
    return values


def column(values: Sequence[Values], field: str) -> list[float | None]:
    position = INDICATOR_FIELDS.index(field)
    return [row[position] for row in values]


def assert_same(actual: Sequence[Values], expected: Sequence[Values]) -> None:
    assert len(actual) == len(expected)
    for index, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        for field, one, other in zip(INDICATOR_FIELDS, ours, theirs, strict=True):
            if one is None or other is None:
                assert one is other, f"{field} at {index}: {one} and {other}"
            else:
                assert math.isfinite(one), f"{field} at {index}"
                assert math.isclose(one, other, rel_tol=1e-9), f"{field} at {index}: {one} and {other}"


def assert_column(actual: Sequence[float | None], expected: Sequence[float | None]) -> None:
    """Equal up to rounding, relative to the largest number that went into it."""
    assert [value is None for value in actual] == [value is None for value in expected]
    known = [(a, e) for a, e in zip(actual, expected, strict=True) if a is not None and e is not None]
    assert [a for a, _ in known] == pytest.approx([e for _, e in known], rel=1e-9)


class TestAgreement:
    @pytest.mark.parametrize("ticker", ["AAPL", "MSFT", "TSLA"])
    def test_live_equals_batch_on_real_bars(self, ticker: str) -> None:
        rows = real_rows(ticker)
        values = live_values(rows)
        assert len(values) > 1_900
        assert None not in values[-1]
        assert_same(values, batch(history_of(rows)))

    @settings(max_examples=DEAR)
    @given(st.data())
    def test_live_equals_batch_on_any_bars(self, data: st.DataObject) -> None:
        rows = data.draw(market())
        assert_same(live_values(rows), batch(history_of(rows)))

    @settings(max_examples=DEAR)
    @given(st.integers(WARM_UP, 120), st.integers(0, 2**32))
    def test_wherever_live_is_opened(self, opened: int, seed: int) -> None:
        rows = random_rows(140, seed)
        live = Live(history_of(rows[:opened]))
        assert_same([live.update(*row) for row in rows[opened:]], batch(history_of(rows), opened))

    @settings(max_examples=DEAR)
    @given(st.data())
    def test_an_opening_has_what_live_tells_of_each_bar(self, data: st.DataObject) -> None:
        rows = data.draw(market())
        live = live_values(rows)
        for start in (0, 7, WARM_UP, WARM_UP + 3):
            assert opening(history_of(rows), start) == live[start:]

    @settings(max_examples=DEAR)
    @given(st.data())
    def test_many_at_once_are_what_they_are_one_by_one(self, data: st.DataObject) -> None:
        rows = data.draw(market())
        opened = WARM_UP + data.draw(st.integers(0, 30))
        expected = live_values(rows)[opened:]
        if not expected:
            return
        live = Live(history_of(rows[:opened]))
        values: list[Values] = []
        while len(values) < len(expected):
            at = opened + len(values)
            size = data.draw(st.integers(1, 40))
            if data.draw(st.booleans()):
                values += live.extend(history_of(rows[at : at + size]))
            else:
                values += [live.update(*row) for row in rows[at : at + size]]
            assert live.count == opened + len(values)
        assert values == expected

    @pytest.mark.parametrize(("before", "still"), [(60, 16), (0, 62)])
    def test_a_standstill_is_carried_on(self, before: int, still: int) -> None:
        """Whether a quotient is one of nothing by nothing follows from bars before those that come together."""
        moving = random_rows(85)
        rows = [*moving[:before], *([(5.0, 5.0, 5.0, 1.0, 9)] * still), *moving[before:]]
        expected = live_values(rows)[WARM_UP:]
        for border in range(59, 85):
            live = Live(history_of(rows[:WARM_UP]))
            values = live.extend(history_of(rows[WARM_UP:border])) + live.extend(history_of(rows[border:]))
            assert values == expected, border

    def test_a_peek_tells_the_next_values_and_changes_nothing(self) -> None:
        rows = random_rows(120)
        live = Live(history_of(rows[:WARM_UP]))
        for row in rows[WARM_UP:]:
            other = (row[0] * 2, row[1] / 2, row[2] * 1.5, row[3] + 1, row[4] + 1)
            before = live.peek(*row)
            assert live.peek(*other) != before
            assert live.update(*row) == before
        assert live.count == 120

    @pytest.mark.parametrize("start", [0, 1, 17, 49, 50, 119])
    @pytest.mark.parametrize("length", [20, 120])
    def test_a_batch_from_a_position_is_the_end_of_the_whole(self, start: int, length: int) -> None:
        history = history_of(random_rows(length))
        assert batch(history, start) == batch(history)[start:]


@st.composite
def market(draw: st.DrawFn) -> list[Row]:
    """Bars in stretches: flat, drifting, wild, without volume, tiny, huge, on gaps of some sessions."""
    rows: list[Row] = []
    session = 0
    stretch = st.tuples(
        st.integers(1, 40),
        st.sampled_from([1e-300, 1e-9, 1e-4, 1.0, 123.45, 1e5, 1e12, 1e150, 1e305]),
        st.sampled_from([0.0, 1e-12, 1e-3, 0.5]),
        st.sampled_from([0.0, 1.0, 1e6, 1e300]),
        st.integers(0, 2),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    for length, level, spread, volume, sessions in draw(st.lists(stretch, min_size=1, max_size=6)):
        session += sessions
        for _ in range(length):
            low, close, high = sorted(level * (1 + spread * rng.uniform(-1, 1, 3)))
            rows.append((float(high), float(low), float(close), volume * float(rng.integers(0, 3)), session))
    return rows


class TestFormulas:
    """Against the textbook, without any library."""

    def test_sma(self) -> None:
        rows = random_rows(200)
        closes = [row[2] for row in rows]
        expected = [None if i < 19 else math.fsum(closes[i - 19 : i + 1]) / 20 for i in range(200)]
        assert_column(column(batch(history_of(rows)), "sma_20"), expected)

    def test_ema_begins_with_the_simple_average(self) -> None:
        rows = random_rows(200)
        closes = [row[2] for row in rows]
        expected: list[float | None] = [None] * 11
        ema = math.fsum(closes[:12]) / 12
        for close in [None, *closes[12:]]:
            ema = ema if close is None else ema + 2 / 13 * (close - ema)
            expected.append(ema)
        assert_column(column(batch(history_of(rows)), "ema_12"), expected)

    def test_rsi_is_smoothed_as_wilder_does(self) -> None:
        rows = random_rows(200)
        closes = [row[2] for row in rows]
        changes = [b - a for a, b in pairwise(closes)]
        up = math.fsum(max(change, 0) for change in changes[:14]) / 14
        down = math.fsum(max(-change, 0) for change in changes[:14]) / 14
        expected: list[float | None] = [None] * 14
        expected.append(100 * up / (up + down))
        for change in changes[14:]:
            up = (13 * up + max(change, 0)) / 14
            down = (13 * down + max(-change, 0)) / 14
            expected.append(100 * up / (up + down))
        assert_column(column(batch(history_of(rows)), "rsi_14"), expected)

    def test_bollinger_bands_are_two_deviations_of_the_population_wide(self) -> None:
        rows = random_rows(200)
        closes = [row[2] for row in rows]
        windows = [None] * 19 + [np.array(closes[i - 19 : i + 1]) for i in range(19, 200)]
        values = batch(history_of(rows))
        for field, deviations in (("bb_upper", 2), ("bb_middle", 0), ("bb_lower", -2)):
            expected = [None if w is None else float(w.mean() + deviations * w.std(ddof=0)) for w in windows]
            assert_column(column(values, field), expected)

    def test_slow_stochastic(self) -> None:
        rows = random_rows(200)
        fast = [
            100 * (rows[i][2] - min(r[1] for r in rows[i - 13 : i + 1]))
            / (max(r[0] for r in rows[i - 13 : i + 1]) - min(r[1] for r in rows[i - 13 : i + 1]))
            for i in range(13, 200)
        ]  # fmt: skip
        slow = [math.fsum(fast[i - 2 : i + 1]) / 3 for i in range(2, len(fast))]
        signal = [math.fsum(slow[i - 2 : i + 1]) / 3 for i in range(2, len(slow))]
        values = batch(history_of(rows))
        assert_column(column(values, "stoch_k"), [*[None] * 17, *slow[2:]])
        assert_column(column(values, "stoch_d"), [*[None] * 17, *signal])

    def test_obv(self) -> None:
        rows = random_rows(200)
        expected = [rows[0][3]]
        for before, row in pairwise(rows):
            sign = (row[2] > before[2]) - (row[2] < before[2])
            expected.append(expected[-1] + sign * row[3])
        assert_column(column(batch(history_of(rows)), "obv"), expected)

    def test_vwap_begins_anew_with_every_session(self) -> None:
        rows = random_rows(200)
        expected: list[float | None] = []
        for index, row in enumerate(rows):
            day = [r for r in rows[: index + 1] if r[4] == row[4]]
            shares = math.fsum(r[3] for r in day)
            expected.append(math.fsum((r[0] + r[1] + r[2]) / 3 * r[3] for r in day) / shares if shares else None)
        assert_column(column(batch(history_of(rows)), "vwap"), expected)

    def test_vwap_is_unknown_before_the_first_trade_of_the_session(self) -> None:
        rows: list[Row] = [(11.0, 9.0, 10.0, 0.0, 1), (11.0, 9.0, 10.0, 5.0, 1), (3.0, 1.0, 2.0, 0.0, 2)]
        assert column(batch(history_of(rows)), "vwap") == [None, 10.0, None]
        long = [(row[0], row[1], row[2], 0.0, 1) for row in random_rows(80)]
        assert set(column(live_values(long), "vwap")) == {None}

    def test_return_and_volatility(self) -> None:
        rows = random_rows(200)
        closes = [row[2] for row in rows]
        returns = [b / a - 1 for a, b in pairwise(closes)]
        deviations = [float(np.std(returns[i - 9 : i + 1], ddof=1)) for i in range(9, 199)]
        values = batch(history_of(rows))
        assert_column(column(values, "return_1"), [None, *returns])
        assert_column(column(values, "volatility_10"), [*[None] * 10, *deviations])

    def test_a_return_across_zero_is_unknown(self) -> None:
        closes = [19.87, 18.27, -37.63, 10.01, 13.78, 0.0, 5.0, -1.0, -2.0, *[10.0 + i % 3 for i in range(60)]]
        rows: list[Row] = [(close + 1, close - 1, close, 1.0, 1) for close in closes]
        known = [None, 18.27 / 19.87 - 1, None, None, 13.78 / 10.01 - 1, -1.0, None, None, None, None]
        for values in (batch(history_of(rows)), live_values(rows)):
            assert_column(column(values, "return_1")[:10], known)
            assert column(values, "volatility_10")[10:19] == [None] * 9
            assert None not in column(values, "volatility_10")[19:]
        assert_same(live_values(rows), batch(history_of(rows)))

    def test_a_spike_leaves_nothing_behind_in_the_volatility(self) -> None:
        closes = [1e-6, 1e6, *[1.0] * 60]
        rows: list[Row] = [(close, close, close, 1.0, 1) for close in closes]
        for values in (batch(history_of(rows)), live_values(rows)):
            assert column(values, "volatility_10")[-1] == 0.0


def test_warming_up_is_none_and_no_more() -> None:
    first = {
        field: next(i for i, value in enumerate(column(batch(history_of(random_rows(80))), field)) if value is not None)
        for field in INDICATOR_FIELDS
    }
    assert first == {
        "sma_20": 19, "sma_50": 49, "ema_12": 11, "ema_26": 25, "rsi_14": 14,
        "macd": 33, "macd_signal": 33, "macd_hist": 33, "bb_upper": 19, "bb_middle": 19, "bb_lower": 19,
        "atr_14": 14, "obv": 0, "stoch_k": 17, "stoch_d": 17, "adx_14": 27,
        "vwap": 0, "return_1": 1, "volatility_10": 10,
    }  # fmt: skip


def test_a_session_is_the_day_at_the_exchange() -> None:
    late = datetime(2019, 2, 15, 1, 0, tzinfo=UTC)  # 20:00 of the day before in New York
    assert session_of(late, NEW_YORK) == datetime(2019, 2, 14, tzinfo=UTC).toordinal()
    assert session_of(late, ZoneInfo("Asia/Tokyo")) == datetime(2019, 2, 15, tzinfo=UTC).toordinal()


ALONE = """
import sys
import numpy as np
from pipeline.analytics.indicators import BarArrays, Live, batch
from pipeline.analytics.ta_lib import talib
close = 100 + np.cumsum(np.random.default_rng(1).normal(size=200))
bars = BarArrays(close + 1, close - 1, close, np.full(200, 5.0), np.zeros(200, dtype=np.intc))
live = Live(bars.until(199))
assert not {"pandas", "pandas_ta", "numba"} & set(sys.modules), "they take seconds, and 80 MB"
by_array = batch(bars, 199)
import pandas as pd
series = pd.Series(close, index=pd.RangeIndex(7, 207))
assert talib.SMA(series, timeperiod=20).equals(pd.Series(talib.SMA(close, 20), index=series.index))
assert all(band.index.equals(series.index) for band in talib.BBANDS(real=series))
assert by_array == [live.update(close[-1] + 1, close[-1] - 1, close[-1], 5.0, 0)]
"""


def test_live_bars_are_computed_without_pandas_and_histories_with_it() -> None:
    ended = subprocess.run([sys.executable, "-c", ALONE], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


class TestUndefinedQuotients:
    """Nothing by nothing is not known, in whichever way the bars came; what is known is within its range."""

    OSCILLATORS = ("rsi_14", "stoch_k", "stoch_d", "adx_14")
    """Fields from 0 to 100."""

    @staticmethod
    def both(rows: Sequence[Row]) -> list[Values]:
        values = batch(history_of(rows))
        assert_same(live_values(rows), values)
        for opened in (WARM_UP, WARM_UP + 7):  # as after a restart
            if len(rows) > opened:
                live = Live(history_of(rows[:opened]))
                assert_same([live.update(*row) for row in rows[opened:]], values[opened:])
        for field in TestUndefinedQuotients.OSCILLATORS:
            assert all(value is None or 0 <= value <= 100 for value in column(values, field))
        return values

    @pytest.mark.parametrize("price", [5.0, 1e-5, 170.37, 768_655.99])
    def test_a_series_that_never_moves_has_no_oscillators(self, price: float) -> None:
        values = self.both([(price, price, price, 0.0, 1)] * 90)
        for field in self.OSCILLATORS:
            assert set(column(values, field)) == {None}, field
        for field in ("macd", "macd_hist", "atr_14"):
            assert column(values, field)[-1] == 0, field

    def test_a_halted_stock_has_no_stochastic_until_its_ranges_have_a_width(self) -> None:
        price = 101.37
        rows = [*random_rows(60), *[(price, price, price, 0.0, 1)] * 40, *random_rows(60, seed=2)]
        stoch_k, stoch_d = (column(self.both(rows), field) for field in ("stoch_k", "stoch_d"))
        # The 14th flat bar is the first whose range is one price; %K averages three of them, %D five.
        assert [i for i, value in enumerate(stoch_k) if value is None] == [*range(17), *range(73, 102)]
        assert [i for i, value in enumerate(stoch_d) if value is None] == [*range(17), *range(73, 104)]

    def test_the_rsi_is_unknown_once_gains_and_losses_have_vanished(self) -> None:
        rows = [*random_rows(60), *[(101.0, 101.0, 101.0, 0.0, 1)] * 600, *random_rows(40, seed=2)]
        rsi = column(self.both(rows), "rsi_14")
        assert rsi[70] is not None, "both are small, and their quotient is known"
        assert rsi[640] is None
        assert rsi[-1] is not None

    def test_an_rsi_of_nothing_but_losses_is_0(self) -> None:
        rows: list[Row] = [(100.0 - i, 99.0 - i, 99.5 - i, 1.0, 1) for i in range(80)]
        assert column(self.both(rows), "rsi_14")[-1] == 0

    def test_the_adx_is_unknown_without_any_direction(self) -> None:
        rows: list[Row] = [(11.0, 9.0, 10.0 + i % 2 / 2, 1.0, 1) for i in range(80)]  # it moves, within the same range
        values = self.both(rows)
        assert set(column(values, "adx_14")) == {None}
        assert column(values, "rsi_14")[-1] is not None

    def test_the_adx_is_known_when_all_that_it_averages_is(self) -> None:
        rows: list[Row] = [(5.0, 5.0, 5.0, 0.0, 1)] * 60 + [(5.0 + i, 4.5 + i, 4.8 + i, 1.0, 1) for i in range(1, 40)]
        adx = column(self.both(rows), "adx_14")
        assert next(i for i, value in enumerate(adx) if value is not None) == 59 + 14
        assert adx[-1] is not None
        assert adx[-1] > 50

    def test_a_close_outside_its_bars_range_does_not_leave_the_scale(self) -> None:
        rows: list[Row] = [(10.0 + i % 3, 9.0, 14.0 if i % 2 else 8.0, 1.0, 1) for i in range(80)]
        self.both(rows)

    @settings(max_examples=DEAR)
    @given(st.data())
    def test_stretches_of_one_price_in_any_market(self, data: st.DataObject) -> None:
        self.both(data.draw(market()))

    def test_the_rows_of_a_peek_are_those_of_an_update(self) -> None:
        rows = [*random_rows(60), *[(101.0, 101.0, 101.0, 0.0, 1)] * 30]
        live = Live(history_of(rows[:WARM_UP]))
        for row in rows[WARM_UP:]:
            peeked = live.peek(*row)
            assert live.update(*row) == peeked
        assert column([peeked], "stoch_k") == [None]
