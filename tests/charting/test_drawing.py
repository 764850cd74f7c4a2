"""Charts: whatever the bars and the size, nothing that matters is missing."""

import itertools
import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fintrends_tui.charting.axis import LABEL
from fintrends_tui.charting.buckets import gathered
from fintrends_tui.charting.candles import ASCII, BLOCKS, SHADES, Glyphs, Shape, paint, paint_bar
from fintrends_tui.charting.canvas import Canvas, Run
from fintrends_tui.charting.drawing import Picture, draw
from fintrends_tui.charting.plot import Band, Line, Pane, Plot, Style, volume_pane
from fintrends_tui.state import format as fmt
from pipeline.contract.protocol import BarPoint
from tests.charting.bars import BEGIN, MINUTE, any_bars, bars, plot

WICKS = set("│╷╵┷┯┿")
BODIES = set("▁▂▃▄▅▆▇█━┷┯┿o#▒")


def texts(picture: Picture) -> list[str]:
    return ["".join(run.text for run in row) for row in picture.rows]


@given(st.integers(1, 80), st.integers(1, 3))
def test_a_bar_is_painted_as_a_candle_without_wicks_would_be(height: int, width: int) -> None:
    bar, candle = Canvas(3, 10), Canvas(3, 10)
    paint_bar(bar, 10, height, 0, width, "up")
    paint(candle, 10, Shape(0, 0, height, height), 0, width, "up", None)
    assert bar.rows() == candle.rows()


def runs_of(picture: Picture, tone: str) -> list[Run]:
    return [run for row in picture.rows for run in row if run.tone == tone]


def drawn(points: list[BarPoint], width: int = 60, height: int = 20, **options: object) -> list[str]:
    return texts(draw(plot(points, **options), width, height))


@given(
    points=any_bars(),
    width=st.integers(20, 160),
    height=st.integers(4, 50),
    style=st.sampled_from(["candles", "line"]),
    log=st.booleans(),
    glyphs=st.sampled_from([BLOCKS, SHADES, ASCII]),
    previous=st.none() | st.floats(-1e9, 1e9),
    data=st.data(),
)
def test_any_chart_fills_its_room_and_names_the_last_price(
    points: list[BarPoint],
    width: int,
    height: int,
    style: Style,
    log: bool,
    glyphs: Glyphs,
    previous: float | None,
    data: st.DataObject,
) -> None:
    made = plot(points)
    count = len(made.candles)
    values = [None, *(bar.close for bar in points[1:])]
    chart = Plot(
        candles=made.candles,
        step=MINUTE,
        style=style,
        log=log,
        glyphs=glyphs,
        previous_close=previous,
        lines=[Line("SMA 20", values, "hue-1")],
        panes=[volume_pane(made.candles), Pane("MACD", bars=values, lines=[Line("signal", values, "hue-2")])],
        bands=[Band([(points[-1].ts + 600, points[-1].low, points[-1].high)], "fan-wide")],
        cursor=data.draw(st.none() | st.integers(0, count - 1)),
    )
    picture = draw(chart, width, height)
    lines = texts(picture)
    assert [len(line) for line in lines] == [width] * height
    tag = next(text for line in lines for text in re.findall("[▸◂](.*)", line))
    if chart.cursor is None:
        assert tag.strip().startswith(fmt.price(chart.last, LABEL)[:LABEL].rstrip("0").rstrip("."))
    assert 0 <= picture.candle_at(0) <= picture.candle_at(picture.columns.width - 1) == count - 1 or chart.bands


@given(points=any_bars(least=1.0), width=st.integers(30, 160), height=st.integers(6, 50))
def test_no_candle_and_no_wick_is_missing(points: list[BarPoint], width: int, height: int) -> None:
    """Every candle that has room is seen over its whole range, in its own column, and nothing else is there."""
    picture = draw(plot(points, heading=False), width, height)
    lines = texts(picture)[:-1]
    for candle in plot(points).candles[picture.first :]:
        slot = picture.slots[candle.first - picture.first]
        column = [line[picture.columns.middle(slot)] for line in lines]
        marks = [y for y, mark in enumerate(column) if mark in WICKS | BODIES]
        assert marks, "the candle is not there"
        assert marks == list(range(marks[0], marks[-1] + 1)), "it is interrupted"


@given(
    heights=st.tuples(*[st.integers(0, 80)] * 4).map(sorted),
    width=st.sampled_from([1, 3, 5]),
    body=st.sampled_from([None, "#"]),
)
def test_a_wick_of_half_a_cell_is_seen_on_its_side_of_the_body(
    heights: list[int], width: int, body: str | None
) -> None:
    low, bottom, top, high = heights
    if bottom == top:
        return
    canvas = Canvas(width, 10)
    paint(canvas, 10, Shape(low, bottom, top, high), 0, width, "up", body)
    column = ["".join(run.text for run in runs) for runs in canvas.rows()]
    middle = [line[width // 2] for line in column]
    above = middle[: 10 - (top + bottom) // 16]
    below = middle[9 - (top + bottom) // 16 :]
    if high - top >= 4:
        assert set("│╷┷┿") & set(above), middle
    if bottom - low >= 4:
        assert set("│╵┯┿") & set(below), middle


@pytest.mark.parametrize("style", ["candles", "line"])
@pytest.mark.parametrize(
    ("closes", "height"),
    [((217.29,), 3), ((217.45,), 5), ((212.57,) * 4, 7), ((202.92, 202.92), 8), ((469.94, 469.68, 469.86, 469.53), 10)],
)
def test_prices_that_lie_between_two_round_numbers_are_drawn(
    closes: tuple[float, ...], height: int, style: Style
) -> None:
    lines = texts(draw(plot(bars(*closes), style=style), 40, height))
    assert str(closes[-1]) in "".join(lines)


def test_bodies_have_the_height_that_eighths_allow() -> None:
    canvas = Canvas(1, 3)
    paint(canvas, 3, Shape(3, 3, 21, 21), 0, 1, "up", None)
    top, full, bottom = (row[0] for row in canvas.rows())
    assert (top.text, top.tone, top.ground) == ("▅", "up", "")
    assert full.text == "█"
    assert (bottom.text, bottom.tone, bottom.ground) == ("▃", "", "up"), "what is free is cut out of the body"


def test_columns_are_even_and_the_newest_is_at_the_axis() -> None:
    picture = draw(plot(bars(*map(float, range(1, 31)))), 80, 20)
    middles = [picture.columns.middle(slot) for slot in picture.slots]
    assert len({later - earlier for earlier, later in itertools.pairwise(middles)}) == 1
    assert picture.columns.width - middles[-1] <= 2


def test_more_candles_than_have_room_leave_the_oldest_out() -> None:
    picture = draw(plot(bars(*map(float, range(1, 201)))), 60, 20)
    assert picture.first > 100
    assert "200.00" in "\n".join(texts(picture))


def test_rising_and_falling_differ_in_colour_alone_and_without_colours_in_shape() -> None:
    up, down = bars(1.0, 9.0), bars(9.0, 1.0)
    shapes = [{mark for line in drawn(points, heading=False) for mark in line} & BODIES for points in (up, down)]
    assert "█" in shapes[0] & shapes[1]
    hollow, solid = (
        {mark for line in drawn(points, heading=False, glyphs=ASCII) for mark in line} for points in (up, down)
    )
    assert "o" in hollow and "#" not in hollow
    assert "#" in solid and "o" not in solid


def test_the_heading_names_values_day_and_zone() -> None:
    new_york = ZoneInfo("America/New_York")
    made = Plot(candles=gathered(bars(10.0, 12.0), MINUTE, MINUTE, new_york), step=MINUTE, zone=new_york)
    heading = texts(draw(made, 100, 20))[0]
    for part in ("O 10.00", "H 12.00", "L 10.00", "C 12.00", "V 100", "15 Feb 2019 09:30–09:31", "New York"):
        assert part in heading
    assert "%" not in heading, "which would be taken for that of the day"


def test_the_cursor_shows_the_values_of_its_bar() -> None:
    lines = drawn(bars(10.0, 12.0, 11.0), cursor=1)
    assert "C 12.00  +20.00%" in lines[0] and "15 Feb 2019 14:31" in lines[0]
    assert "◂12.00" in "\n".join(lines)
    assert "15 Feb 2019 14:31" in lines[-1]


def test_the_previous_close_is_a_line_with_its_value_unless_it_is_far_away() -> None:
    near, far = drawn(bars(10.0, 12.0), previous_close=11.0), drawn(bars(10.0, 12.0), previous_close=100.0)
    assert any("╌╌╌╌" in line and "11.00" in line for line in near)
    assert not any("╌" in line for line in far)


def test_the_colour_of_a_day_is_that_of_its_change() -> None:
    """Down since the first bar, and still above the previous close."""
    picture = draw(plot(bars(12.0, 11.0), previous_close=10.0, style="line", heading=False), 60, 20)
    assert runs_of(picture, "up") and not runs_of(picture, "down")


def test_time_outside_regular_hours_is_shaded() -> None:
    points = [replace(bar, extended=index >= 5) for index, bar in enumerate(bars(*map(float, range(1, 11))))]
    for style in ("candles", "line"):
        grounds = {run.ground for row in draw(plot(points, style=style), 60, 20).rows for run in row}
        assert "session" in grounds
    assert "session" not in {run.ground for row in draw(plot(bars(1.0, 2.0)), 60, 20).rows for run in row}


def test_a_halt_is_a_gap() -> None:
    points = [*bars(1.0, 2.0), *bars(2.0, 3.0, begin=BEGIN + 600)]
    picture = draw(plot(points, heading=False), 60, 12)
    assert picture.slots == [0, 1, 10, 11]
    empty = [picture.columns.middle(slot) for slot in range(2, 10)]
    assert not any(line[x] in WICKS | BODIES for line in texts(picture)[:-1] for x in empty)


def test_volume_stands_below_with_its_greatest() -> None:
    points = bars(1.0, 2.0, 3.0)
    lines = drawn(points, panes=[volume_pane(plot(points).candles)])
    assert lines[-4].rstrip().endswith("100") or lines[-3].rstrip().endswith("100")
    assert "█" in lines[-2]


def test_an_oscillator_has_its_levels_and_a_legend() -> None:
    points = bars(*map(float, range(1, 31)))
    rsi = Pane("RSI 14", lines=[Line("RSI 14", [55.5] * 30, "hue-1")], low=0.0, high=100.0, guides=(70.0, 30.0))
    lines = drawn(points, height=30, panes=[rsi])
    assert any(line.rstrip().endswith(" 70") for line in lines) and any(line.rstrip().endswith(" 30") for line in lines)
    assert "RSI 14 55.50" in lines[1]


def test_a_pane_without_room_is_left_out_and_prices_are_not() -> None:
    points = bars(1.0, 2.0, 3.0)
    lines = drawn(points, height=8, panes=[volume_pane(plot(points).candles), Pane("MACD", bars=[1.0, -1.0, 1.0])])
    assert len(lines) == 8 and any("▸3.00" in line for line in lines)


def test_a_legend_has_the_colours_of_its_lines() -> None:
    chart = plot(bars(1.0, 2.0), lines=[Line("SMA 20", [None, 1.5], "hue-1"), Line("VWAP", [1.0, 1.25], "hue-6")])
    legend = draw(chart, 60, 20).rows[1]
    assert [(run.text.strip(), run.tone) for run in legend if run.text.strip()] == [
        ("SMA 20 1.50", "hue-1"),
        ("VWAP 1.25", "hue-6"),
    ]


def test_overlays_and_forecasts_widen_the_axis_to_hold_them() -> None:
    assert not any("30.00" in line for line in drawn(bars(10.0, 11.0)))
    assert any("30.00" in line for line in drawn(bars(10.0, 11.0), lines=[Line("x", [None, 30.0], "hue-1")]))
    fan = Band([(BEGIN + 60 * (2 + i), 10.0, 30.0) for i in range(5)], "fan-wide")
    picture = draw(plot(bars(10.0, 11.0), bands=[fan]), 60, 20)
    assert any("30.00" in line for line in texts(picture))
    assert "fan-wide" in {run.ground for row in picture.rows for run in row}


def test_on_a_logarithmic_axis_equal_ratios_are_equally_high() -> None:
    lines = drawn(bars(1.0, 10.0, 100.0), height=30, log=True, heading=False)
    at = [next(y for y, line in enumerate(lines) if line.rstrip().endswith(f" {text}")) for text in ("10.00", "1.00")]
    tag = next(y for y, line in enumerate(lines) if "▸100.00" in line)
    assert abs((at[0] - tag) - (at[1] - at[0])) <= 1


@pytest.mark.parametrize(
    ("closes", "labels"),
    [
        ((0.0000131, 0.0000135, 0.0000133), {"0.0000132", "0.0000134"}),
        ((170.001, 170.003, 170.002), {"170.0010", "170.0030"}),
        ((-37.63, 10.01, -5.0), {"-20.00", "0.00"}),
        ((768_655.0, 768_657.0), {"768,655.00", "768,656.00"}),
    ],
)
def test_every_label_of_the_axis_has_the_digits_it_needs(closes: tuple[float, ...], labels: set[str]) -> None:
    text = "\n".join(drawn(bars(*closes), heading=False))
    assert all(label in text for label in labels), text


def test_without_a_heading_the_axis_says_the_date() -> None:
    assert "15 Feb 2019" in drawn(bars(1.0, 2.0), heading=False)[-1]
    assert "2019" not in drawn(bars(1.0, 2.0))[-1]


def test_only_what_can_be_seen_makes_a_run() -> None:
    canvas = Canvas(5, 1)
    canvas.put(1, 0, "a", "up")
    canvas.put(2, 0, " ", "down")
    assert canvas.rows() == [(Run(" ", "", ""), Run("a   ", "up", ""))]
