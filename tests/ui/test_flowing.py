"""Short texts on a few lines."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fintrends_tui.state.flowing import FAST, Tinted, flowing


def lines(texts: list[str], width: int, most: int) -> list[str]:
    return ["".join(part for _, part in line) for line in flowing([("", text) for text in texts], width, most)]


def test_they_flow_from_line_to_line_with_a_dot_between() -> None:
    assert lines(["AAPL 170.38", "live from yahoo", f"day{FAST}160"], 20, 3) == [
        "AAPL 170.38",
        "live from yahoo",
        "day 160",
    ], "each whole, and no dot where a line begins"
    assert lines(["AAPL 170.38", "live from yahoo", f"day{FAST}160"], 20, 2) == [
        "AAPL 170.38 · live",
        "from yahoo · day 160",
    ], "broken, where all have room only so"


def test_one_that_finds_no_room_is_left_out_whole_and_a_shorter_one_takes_it() -> None:
    assert lines(["AAPL 170.38", "live from yahoo", "open 1"], 22, 1) == ["AAPL 170.38 · open 1"]
    assert lines(["far too long for it", "so"], 5, 2) == ["far", "too"]


WORDS = st.lists(st.sampled_from(["a", "bc", "日本", "d\x1b[2Je", f"x{FAST}y"]), min_size=1, max_size=5).map(" ".join)
TINTED: st.SearchStrategy[Tinted] = st.tuples(st.sampled_from(["", "dim"]), WORDS)


@given(st.lists(TINTED, max_size=8), st.integers(8, 40), st.integers(1, 4))
def test_no_line_is_too_wide_and_there_are_no_more_than_allowed(texts: list[Tinted], width: int, most: int) -> None:
    found = flowing(texts, width, most)
    assert len(found) <= most
    assert all(sum(cell_len(part) for _, part in line) <= width for line in found)
    assert not any("\x1b" in part for line in found for _, part in line)
