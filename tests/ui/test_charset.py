import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from fintrends_tui.state.format import price
from fintrends_tui.terminal.charset import AsciiFilter, ColourlessFilter, speaks_utf8, to_ascii


@pytest.mark.parametrize(
    ("environ", "utf8_mode", "expected"),
    [
        ({"LANG": "en_US.UTF-8"}, False, True),
        ({"LANG": "de_DE.utf8@euro"}, False, True),
        ({"LANG": "C.UTF-8"}, False, True),
        ({"LANG": "C"}, True, False),
        ({}, True, False),
        ({"LANG": "en_US.ISO-8859-1"}, False, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, True, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False, True),
        # set by Python itself, which found the C locale
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True, False),
        # a locale of the user's that this machine does not have: the terminal is of UTF-8 nevertheless
        ({"LANG": "en_US.UTF-8", "LC_CTYPE": "C.UTF-8"}, True, True),
        ({"LC_CTYPE": "C.UTF-8", "PYTHONUTF8": "1"}, True, True),
    ],
)
def test_the_users_locale_decides(environ: dict[str, str], utf8_mode: bool, expected: bool) -> None:
    assert speaks_utf8(environ, utf8_mode=utf8_mode) is expected


@pytest.mark.parametrize(
    ("text", "ascii_text"),
    [
        ("╭─ Aktie ─╮│", "+- Aktie -+|"),
        ("▲ 1.50 ▼ ◆", "^ 1.50 v *"),
        ("▁▂▃▄▅▆▇█", "_.-=+*%#"),
        ("Zürich “café” – naïve…", 'Zurich "cafe" - naive.'),
        ("日経 €5", "???? ?5"),
        ("⠀⠁⣿", " .#"),
        ("plain", "plain"),
        ("▲ 0.0₅28", "^ 2.8e-6"),
        ("-0.0₁₁1234", "-1.234e-12"),
        ("0.0₉3", "3e-10"),
        ("0.0₉312", "3.1e-10"),
        ("0.0₄7 x", "7e-5  x"),
        ("H₂O", "H?O"),
    ],
)
def test_likenesses(text: str, ascii_text: str) -> None:
    assert to_ascii(text) == ascii_text


@given(st.text(st.characters(exclude_categories=["C"])))
def test_it_is_ascii_in_as_many_cells(text: str) -> None:
    converted = to_ascii(text)
    assert converted.isascii()
    assert len(converted) == sum(map(cell_len, text))


@given(st.floats(1e-30, 1e-5), st.integers(6, 12))
def test_a_tiny_number_is_as_large_in_ascii(value: float, width: int) -> None:
    """As near as its digits allow, whatever its width."""
    written = price(value, width)
    assert float(to_ascii(written)) == pytest.approx(value, rel=0.5 if "₉" in written else 0.06)


def test_filters_keep_what_is_no_text_and_what_is_no_colour() -> None:
    style = Style.parse("bold #ff0000 on #00ff00")
    (segment,) = AsciiFilter().apply([Segment("▲", style)], Color(0, 0, 0))
    assert segment == Segment("^", style)
    (segment,) = ColourlessFilter().apply([segment], Color(0, 0, 0))
    assert segment == Segment("^", Style.parse("bold"))
