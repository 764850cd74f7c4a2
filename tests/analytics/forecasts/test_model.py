"""What the models say, of good bars and of hostile ones."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from pipeline.analytics.forecasts.breaks import BreakModel, is_break
from pipeline.analytics.forecasts.conformal import LEVELS, ConformalBands
from pipeline.analytics.forecasts.model import HORIZONS, WARM_UP, ClosedBar, ForecastModel, Prediction
from pipeline.analytics.forecasts.scores import BandRecord, interval_score, scored_band

MINUTE = 60_000_000


def walk(count: int, seed: int = 1, sigma: float = 1e-3, start: float = 100.0) -> list[ClosedBar]:
    """Around the clock, of normal returns."""
    rng = np.random.default_rng(seed)
    closes = start * np.exp(np.cumsum(rng.normal(0, sigma, count)))
    reach = np.abs(rng.normal(0, sigma / 2, count))
    return [
        ClosedBar(n * MINUTE, float(c * math.exp(r)), float(c * math.exp(-r)), float(c), 100.0, 1)
        for n, (c, r) in enumerate(zip(closes, reach, strict=True))
    ]


def said(bars: Iterable[ClosedBar], interval: int = MINUTE) -> list[Prediction | None]:
    model = ForecastModel(interval)
    return [model.update(bar) for bar in bars]


def at_price(bars: Sequence[ClosedBar], factor: float) -> list[ClosedBar]:
    return [b._replace(high=b.high * factor, low=b.low * factor, close=b.close * factor) for b in bars]


def test_bands_of_a_walk_hold_what_they_promise_at_every_horizon() -> None:
    last = said(walk(4_000))[-1]
    assert last is not None
    for band, horizon in zip(last.bands, HORIZONS, strict=True):
        assert band.record.total == 4_000 - WARM_UP - horizon + 1
        held = [inside / band.record.total for inside in band.record.inside]
        assert held == pytest.approx(LEVELS, abs=0.03)
        assert band.volatility == pytest.approx(1e-3 * math.sqrt(horizon), rel=0.2)
    assert last.direction.skill == "none"


def test_the_scale_of_prices_means_nothing() -> None:
    bars = walk(300)
    for one, other in zip(said(bars), said(at_price(bars, 1e-7)), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.bands[0].halves == pytest.approx(other.bands[0].halves, rel=1e-6)


def test_a_direction_that_can_be_known_is_found_and_skill_is_claimed() -> None:
    rng = np.random.default_rng(3)
    changes = [0.0]
    for noise in rng.normal(0, 5e-4, 4_000):
        changes.append(-0.8 * changes[-1] + float(noise))
    closes = 100 * np.exp(np.cumsum(changes))
    last = said(ClosedBar(n * MINUTE, c * 1.0002, c * 0.9998, float(c), 1.0, 1) for n, c in enumerate(closes))[-1]
    assert last is not None
    assert last.direction.skill == "some"


class TestNoBandIsBetterThanAWrongOne:
    def test_ten_bars(self) -> None:
        assert said(walk(10)) == [None] * 10

    def test_a_series_that_never_moves(self) -> None:
        assert set(said(ClosedBar(n * MINUTE, 5.0, 5.0, 5.0, 0.0, 1) for n in range(400))) == {None}

    def test_one_that_falls_asleep_and_wakes(self) -> None:
        awake = walk(150)
        close = awake[-1].close
        asleep = [ClosedBar((150 + n) * MINUTE, close, close, close, 0.0, 1) for n in range(60)]
        again = [b._replace(ts=b.ts + 210 * MINUTE) for b in at_price(walk(50, seed=2), close / 100)]
        rows = said([*awake, *asleep, *again])
        assert rows[178] is not None
        assert set(rows[179:210]) == {None}
        assert all(rows[211:])

    def test_prices_that_are_not_positive_begin_it_anew(self) -> None:
        bars = walk(250)
        bars[120] = bars[120]._replace(low=-1.0)
        rows = said(bars)
        assert rows[119] is not None
        assert set(rows[120:220]) == {None}
        assert rows[220] is not None

    @pytest.mark.parametrize("factor", [0.25, 4.0])
    def test_a_split_is_neither_learnt_from_nor_counted(self, factor: float) -> None:
        bars = walk(300)
        split = [*bars[:200], *at_price(bars[200:], factor)]
        before, after, plain = said(split)[199], said(split)[200], said(bars)[200]
        assert before is not None and after is not None and plain is not None
        assert after.bands[0].record.total == before.bands[0].record.total
        assert after.bands[0].halves[1] == pytest.approx(plain.bands[0].halves[1], rel=0.2)


def test_one_bar_a_day_in_a_series_of_minutes_gives_bands_as_wide_as_days() -> None:
    day = 24 * 60 * MINUTE
    bars = [b._replace(ts=n * day, session=n) for n, b in enumerate(walk(400, sigma=0.02))]
    last = said(bars)[-1]
    assert last is not None
    record = last.bands[0].record
    assert record.inside[1] / record.total == pytest.approx(0.8, abs=0.06)


def test_a_night_that_is_expected_is_in_the_band() -> None:
    """Seven sessions of 60 minutes: the band at the last bar of a session reaches over the night."""
    rng = np.random.default_rng(5)
    bars, price = [], 100.0
    for session in range(7):
        price *= math.exp(rng.normal(0, 0.02))
        for minute in range(60):
            price *= math.exp(rng.normal(0, 5e-4))
            bars.append(
                ClosedBar((session * 1440 + minute) * MINUTE, price * 1.0003, price * 0.9997, price, 10.0, session)
            )
    rows = said(bars)
    evening, noon = rows[-1], rows[-30]
    assert evening is not None and noon is not None
    assert evening.bands[0].halves[1] > 5 * noon.bands[0].halves[1]
    for level in range(3):
        widths = [band.halves[level] for band in evening.bands]
        assert widths == sorted(widths), "what is farther is not better known"


def test_breaks() -> None:
    assert not is_break(2 * MINUTE, MINUTE, new_session=True), "what trades around the clock has no night"
    assert is_break(3 * MINUTE, MINUTE, new_session=True)
    assert not is_break(30 * MINUTE, MINUTE, new_session=False)
    assert is_break(31 * MINUTE, MINUTE, new_session=False)
    day = 24 * 60 * MINUTE
    assert not is_break(4 * day, day, new_session=True), "a long weekend"
    nights = BreakModel(MINUTE)
    for ts in range(5):
        nights.update(ts * MINUTE, 1e-6, None)
    assert nights.variance_within(100) == 0.0, "of a session whose end is not known"


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_conformal_bands_reach_their_frequency_whatever_the_scale(scale: float) -> None:
    bands, rng = ConformalBands(), np.random.default_rng(1)
    inside = np.zeros(3)
    for n, ratio in enumerate(np.abs(rng.standard_t(3, 6_000)) * scale):
        if n >= 2_000:
            inside += [ratio <= multiple for multiple in bands.multiples]
        bands.learn(float(ratio))
    limits = [0.02 <= multiple <= 50.0 for multiple in bands.multiples]
    assert all(limits)
    if scale == 1.0:
        assert inside / 4_000 == pytest.approx(LEVELS, abs=0.01)


def test_the_interval_score_is_the_width_and_ten_times_the_miss() -> None:
    assert interval_score(-1.0, 2.0, 0.5, 0.8) == 3.0
    assert interval_score(-1.0, 2.0, 2.5, 0.8) == pytest.approx(3.0 + 10 * 0.5)
    assert interval_score(-1.0, 2.0, -1.2, 0.8) == pytest.approx(3.0 + 10 * 0.2)


def test_skill_is_claimed_where_ours_is_surely_less_and_nowhere_else() -> None:
    def record(ours: float, theirs: float, count: int) -> BandRecord:
        found = BandRecord()
        for n in range(count):
            wobble = 0.01 * (n % 2)
            found = scored_band(found, (ours / 2, ours, 2 * ours), 0.0, theirs + wobble, (-theirs, theirs + wobble))
        return found

    assert record(1.0, 2.0, 99).skill(1) == "unknown"
    assert record(1.0, 2.0, 100).skill(1) == "some"
    assert record(1.0, 2.0, 499).skill(5) == "unknown", "forecasts of five bars overlap"
    assert record(2.0, 1.0, 500).skill(1) == "none"
