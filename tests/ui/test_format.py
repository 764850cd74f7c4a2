import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fintrends_tui.charting.scale import nice_ticks
from fintrends_tui.state import format as fmt

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
        (999.9e12, "999.9T"),
        (1e15, ">999T"),
        (999.96e12, ">999T"),
        (-4e20, "<-999T"),
        (1e300, ">999T"),
    ],
)
def test_counts_are_shortened(value: float | None, shown: str) -> None:
    assert fmt.human(value) == shown


@given(st.floats(allow_nan=False))
def test_a_count_never_outgrows_its_column(value: float) -> None:
    assert len(fmt.human(value)) <= 6 + (value < 0)


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


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (1609.07, "1,609.07"),
        (0.00214, "0.002140"),
        (1.0, "1.00"),
        (0.00001324, "0.00001324"),
        (0.000012345, "0.000012345"),
        (768_655.99, "768,655.99"),
        (0.25, "0.2500"),
        (0.12345, "0.12345"),
        (0.999999, "1.0000"),
        (-37.63, "-37.63"),
        (-0.0375, "-0.03750"),
        (1.5e-10, "0.0000000001500"),
        (0.0, "0.00"),
        (-0.0, "0.00"),
    ],
)
def test_prices_have_the_digits_they_need(value: float | None, shown: str) -> None:
    assert fmt.price(value) == shown


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE)
def test_a_price_reads_back_with_its_sign_and_size(value: float) -> None:
    text = fmt.price(value)
    assert "e" not in text
    back = float(text.replace(",", ""))
    assert back == pytest.approx(value, rel=1e-4, abs=0.005 if abs(value) >= 1 else 0)
    assert (back > 0) - (back < 0) == (value > 0) - (value < 0)


@given(FINITE | st.floats(-1, 1), st.integers(9, 20))
def test_a_price_keeps_to_its_column_and_is_never_nothing_that_is_not(value: float, width: int) -> None:
    text = fmt.price(value, width)
    assert len(text) <= width
    assert "e" not in text
    assert (text == "0.00") == (value == 0)
    assert (text.lstrip("<").startswith("-")) == (value < 0)
    assert set(text) & set("123456789") or value == 0


@given(FINITE | st.floats(-1, 1), st.integers(0, 12), st.integers(9, 20))
def test_a_signed_number_keeps_to_its_column(value: float, decimals: int, width: int) -> None:
    text = fmt.signed(value, decimals, width)
    assert len(text) <= width
    assert text.lstrip("<")[0] in {fmt.UP: "+>", fmt.DOWN: "-", fmt.LEVEL: "0"}[fmt.arrow(value, decimals)]


@pytest.mark.parametrize(
    ("value", "width", "shown"),
    [
        (0.00001324, 10, "0.00001324"),
        (0.000000013241, 10, "0.0₇1324"),
        (-0.000000013241, 10, "-0.0₇1324"),
        (1.5e-12, 10, "0.0₁₁15"),
        (768_655.99, 10, "768,655.99"),
        (1_234_567.89, 10, "1234567.89"),
        (-1_234_567.89, 10, "-1234567.9"),
        (123_456_789.12, 10, "123456789"),
        (12_345_678_901.0, 10, "12.3B"),
    ],
)
def test_where_there_is_no_room_a_price_gives_up_what_matters_least(value: float, width: int, shown: str) -> None:
    assert fmt.price(value, width) == shown


@pytest.mark.parametrize(
    ("price", "change", "shown", "arrow"),
    [
        (0.00001324, 0.00000008, "0.00000008", "▲"),
        (0.00001324, -0.0000031, "0.00000310", "▼"),
        (0.1234, 0.00004, "0.00004", "▲"),
        (0.5, 0.0, "0.0000", "◆"),
        (170.38, 1.2, "1.20", "▲"),
        (0.0, -0.01324, "0.01324", "▼"),
        (-37.63, -55.9, "55.90", "▼"),
    ],
)
def test_a_change_has_the_digits_of_its_price(price: float, change: float, shown: str, arrow: str) -> None:
    decimals = fmt.change_decimals(price, change)
    assert fmt.number(abs(change), decimals) == shown
    assert fmt.arrow(change, decimals) == arrow


@given(st.floats(-1e6, 1e6) | st.floats(-1e-5, 1e-5), st.floats(1e-9, 1e6), st.integers(2, 12))
def test_no_two_ticks_of_an_axis_read_alike(low: float, span: float, count: int) -> None:
    ticks = nice_ticks(low, low + span, count)
    if len(ticks) > 1 and span > 1e-9 * abs(low):
        labels = fmt.axis(ticks)
        assert len(set(labels)) == len(labels)
        assert not any(label.startswith("-0.") and not set(label) & set("123456789") for label in labels)


def test_an_axis_has_the_decimals_of_its_steps() -> None:
    assert fmt.axis([0.0000132, 0.0000133, 0.0000134]) == ["0.0000132", "0.0000133", "0.0000134"]
    assert fmt.axis([768_655.5, 768_656.0]) == ["768,655.50", "768,656.00"]
    assert fmt.axis([-0.5, 0.0, 0.5]) == ["-0.50", "0.00", "0.50"]
    assert fmt.axis([0.00001324]) == ["0.00001324"]


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


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 12))
@example(213.1, 0.8, 1)  # between two round numbers
def test_ticks_are_few_and_within_the_axis(low: float, span: float, count: int) -> None:
    ticks = nice_ticks(low, low + span, count)
    assert 1 <= len(ticks) <= count + 2
    assert all(low - span * 1e-3 <= tick <= low + span * 1.001 for tick in ticks)


def test_ticks_are_round() -> None:
    assert nice_ticks(168.3, 176.7, 4) == [170, 175]


@pytest.mark.parametrize(
    ("ticker", "value", "shown"),
    [
        ("EURUSD=X", 1.08734, "1.0873"),
        ("JPY=X", 151.2372, "151.24"),
        ("XRP-USD", 2.345678, "2.3457"),
        ("BTC-USD", 96_123.456, "96,123.46"),
        ("AAPL", 1.08734, "1.09"),
        ("EURUSD=X", 0.98765, "0.98765"),
    ],
)
def test_currencies_show_their_small_parts(ticker: str, value: float, shown: str) -> None:
    assert fmt.price(value, ticker=ticker) == shown
