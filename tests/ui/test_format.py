import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui import format as fmt
from fintrends_tui.plot import nice_ticks

finite = st.floats(-1e13, 1e13)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (950, "950"),
        (9_999, "9,999"),
        (10_000, "10.0k"),
        (999_950, "1.00M"),
        (27_300_000, "27.3M"),
        (4.56e9, "4.56B"),
        (-31_000, "-31.0k"),
    ],
)
def test_counts_are_shortened(value: float | None, shown: str) -> None:
    assert fmt.human(value) == shown


@given(st.floats(0, 9.9e14))
def test_a_count_never_outgrows_its_column(value: float) -> None:
    assert len(fmt.human(value)) <= 6


@pytest.mark.parametrize(
    ("value", "shown", "arrow", "tone"),
    [
        (1.234, "+1.23", "▲", "up"),
        (-1.236, "-1.24", "▼", "down"),
        (0.0, "0.00", "◆", "dim"),
        (-0.001, "0.00", "◆", "dim"),
        (None, "–", " ", "dim"),
    ],
)
def test_sign_arrow_and_tone_agree(value: float | None, shown: str, arrow: str, tone: str) -> None:
    assert (fmt.signed(value), fmt.arrow(value), fmt.direction(value)) == (shown, arrow, tone)


@pytest.mark.parametrize(("value", "shown"), [(None, "–"), (1609.07, "1,609.07"), (0.00214, "0.0021"), (1.0, "1.00")])
def test_prices_have_the_decimals_they_deserve(value: float | None, shown: str) -> None:
    assert fmt.price(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-3, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (200_000, "2d")]
)
def test_durations_have_one_unit(seconds: float, shown: str) -> None:
    assert fmt.duration(seconds) == shown


@given(st.lists(finite, max_size=80), st.integers(1, 40))
def test_a_sparkline_has_a_block_for_each_of_the_latest_values(values: list[float], width: int) -> None:
    line = fmt.sparkline(values, width)
    assert len(line) == min(len(values), width)
    assert set(line) <= set("▁▂▃▄▅▆▇█")


def test_a_sparkline_rises_with_its_values() -> None:
    assert fmt.sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert fmt.sparkline([0, 0, 0], 8) == "▁▁▁"


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 12))
def test_ticks_are_few_and_within_the_axis(low: float, span: float, count: int) -> None:
    ticks = nice_ticks(low, low + span, count)
    assert 0 <= len(ticks) <= count + 1
    assert all(low - span * 1e-3 <= tick <= low + span * 1.001 for tick in ticks)


def test_ticks_are_round() -> None:
    assert nice_ticks(168.3, 176.7, 4) == [170, 175]
