"""Charts and readings: what is drawn, from what there is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.plot import Ink, Overlay, Style, draw, grouped
from fintrends_tui.readings import Reading, reading
from pipeline.protocol import BarPoint

INK = Ink((1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4))


def bars(*closes: float) -> list[BarPoint]:
    """Each opens where the one before closed."""
    steps = zip((closes[0], *closes), closes, strict=False)
    return [BarPoint(60.0 * i, o, max(o, c), min(o, c), c, 100.0) for i, (o, c) in enumerate(steps)]


def lines(points: list[BarPoint], style: Style = "line", height: int = 16, **more: object) -> list[str]:
    return draw(points, 60, height, INK, daily=False, style=style, **more).plain.splitlines()  # type: ignore[arg-type]


@given(
    st.lists(st.floats(1e-4, 1e6), min_size=2, max_size=300),
    st.sampled_from(["line", "candles"]),
    st.booleans(),
    st.integers(20, 120),
    st.integers(4, 40),
)
def test_whatever_the_bars_the_chart_fills_its_room_and_no_more(
    closes: list[float], style: Style, volume: bool, width: int, height: int
) -> None:
    overlay = Overlay([None, *closes[1:]], (5, 5, 5))
    text = draw(
        bars(*closes), width, height, INK, daily=False, style=style, volume=volume, overlays=[overlay]
    ).plain.splitlines()
    assert len(text) == height
    assert max(map(len, text)) <= width


def test_rising_candles_are_thin_and_falling_ones_solid() -> None:
    rising, falling = "\n".join(lines(bars(1, 2, 3), "candles")), "\n".join(lines(bars(3, 2, 1), "candles"))
    assert "┃" in rising
    assert "█" not in rising
    assert "█" in falling


def test_there_is_a_column_for_each_candle_as_long_as_there_is_room() -> None:
    alternating = bars(*(100 + index % 2 for index in range(20)))
    columns = {column for line in lines(alternating, "candles") for column, mark in enumerate(line) if mark in "┃█"}
    assert len(columns) == 20


@given(st.integers(1, 500), st.integers(1, 120))
def test_groups_keep_every_bar_in_order(count: int, most: int) -> None:
    points = bars(*(1.0 for _ in range(count)))
    groups = grouped(points, most)
    assert [bar for group in groups for bar in group] == points
    assert len(groups) <= most
    assert len({len(group) for group in groups[:-1]}) <= 1


def test_volume_stands_below_with_its_greatest() -> None:
    assert any(line.strip().startswith("100") for line in lines(bars(1, 2, 3), volume=True)[-4:])


def test_volume_has_room_in_the_detail_of_a_small_terminal() -> None:
    drawn = lines(bars(1, 2, 3), volume=True, height=10)
    assert len(drawn) == 10
    assert drawn[-3].strip().startswith("100")
    assert not any(line.strip().startswith("100") for line in lines(bars(1, 2, 3), volume=True, height=8))


def test_an_overlay_widens_the_axis_to_hold_it() -> None:
    assert not any("30.00" in line for line in lines(bars(10, 11)))
    assert any("30.00" in line for line in lines(bars(10, 11), overlays=[Overlay([None, 30.0], (5, 5, 5))]))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("rsi_14", 70.0, "overbought"),
        ("rsi_14", 30.0, "oversold"),
        ("rsi_14", 50.0, "neutral"),
        ("stoch_k", 85.0, "overbought"),
        ("macd_hist", -0.1, "momentum falling"),
        ("macd", 0.1, "fast above slow"),
        ("adx_14", 25.0, "strong trend"),
        ("adx_14", 10.0, "no trend"),
        ("sma_20", 80.0, "price 25.00% above"),
        ("vwap", 125.0, "price 20.00% below"),
        ("ema_12", 100.0, "at the price"),
        ("bb_upper", 99.0, "price above the band"),
        ("bb_lower", 101.0, "price below the band"),
        ("atr_14", 2.0, "2.00% of price"),
    ],
)
def test_a_value_is_said_in_words(field: str, value: float, words: str) -> None:
    said = reading(field, {field: value}, 100.0)
    assert said is not None
    assert said.words == words


@pytest.mark.parametrize(
    ("field", "value"), [("rsi_14", None), ("bb_upper", 101.0), ("bb_lower", 99.0), ("obv", 5.0), ("macd_hist", 0.0)]
)
def test_where_there_is_nothing_to_say_nothing_is_said(field: str, value: float | None) -> None:
    assert reading(field, {field: value}, 100.0) is None


@given(st.floats(0, 100))
def test_every_rsi_says_something(value: float) -> None:
    assert isinstance(reading("rsi_14", {"rsi_14": value}, math.e), Reading)
