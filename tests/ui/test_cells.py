from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from fintrends_tui.widgets.table.cells import Column, arrange, fit, outside, text

COLUMNS = (Column("a", 8), Column("b", 6, drop=2), Column("c", 10, drop=1, elastic=True), Column("d", 4, right=True))


@given(st.text(max_size=40), st.integers(1, 30), st.booleans())
@example("\u200d", 1, False)
@example("a\u200db\u200dc", 2, False)
def test_a_cell_has_exactly_the_width_of_its_column(value: str, width: int, right: bool) -> None:
    spans = list(fit(outside(value), width, right=right))
    assert cell_len("".join(span.text for span in spans)) == width


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    assert [span.text for span in fit(text("abcdef"), 4)] == ["abc…"]


def test_numbers_stand_to_the_right() -> None:
    assert "".join(span.text for span in fit(text("12"), 5, right=True)) == "   12"


@given(st.integers(0, 200))
def test_columns_stay_on_the_line(width: int) -> None:
    slots = arrange(COLUMNS, width)
    if width >= 13:
        assert sum(slot.gap + slot.width for slot in slots) <= width
    assert {slot.column for slot in slots} >= {0, 3}


def test_columns_give_way_in_their_order() -> None:
    assert [slot.column for slot in arrange(COLUMNS, 31)] == [0, 1, 2, 3]
    assert [slot.column for slot in arrange(COLUMNS, 30)] == [0, 2, 3]
    assert [slot.column for slot in arrange(COLUMNS, 23)] == [0, 3]


def test_the_elastic_column_takes_what_is_left() -> None:
    slots = arrange(COLUMNS, 100)
    assert sum(slot.gap + slot.width for slot in slots) == 100
    assert [slot.width for slot in slots if slot.column != 2] == [8, 6, 4]


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    (span,) = outside("a\x1b[31mb\u202ec\r\nd")
    assert span.text == "abc d"
