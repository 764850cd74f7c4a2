"""The choice of columns, and where a price stands between two others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintrends_tui.state.column_choice import ColumnChoice
from fintrends_tui.state.spans import marker, percent_from, place

ALL = ("Price", "%", "Range", "Age")


def test_the_chosen_ones_come_first_in_their_order() -> None:
    choice = ColumnChoice.of(["Age", "none", "Price", "Age"], ALL)
    assert choice.titles == ("Age", "Price", "%", "Range")
    assert choice.chosen == ["Age", "Price"]
    assert choice.toggled("Range").chosen == ["Age", "Price", "Range"]
    assert choice.toggled("Age").chosen == ["Price"]


@pytest.mark.parametrize(
    ("by", "titles"),
    [(1, "Price Range % Age"), (9, "Price Range Age %"), (-1, "% Price Range Age"), (-9, "% Price Range Age")],
)
def test_a_column_moves_as_far_as_there_are_places(by: int, titles: str) -> None:
    assert ColumnChoice.of((), ALL).moved("%", by).titles == tuple(titles.split())


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_marker_has_its_width_and_one_mark(at: float, width: int) -> None:
    line = "".join(marker(at, width))
    assert len(line) == width
    assert line.count("●") == 1


def test_a_place_is_between_the_ends() -> None:
    assert place(115, 110, 120) == 0.5
    assert place(130, 110, 120) == 1
    assert "".join(marker(0, 3)) == "●──"
    assert "".join(marker(1, 3)) == "──●"
    assert place(115, 115, 115) is None
    assert place(115, None, 120) is None
    assert percent_from(90, 100) == pytest.approx(-10)
    assert percent_from(90, -1) is None
