"""A terminal must look the same, whatever bytes bring it there; pyte is a terminal of somebody else's."""

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.style import Style
from textual.drivers.headless_driver import HeadlessDriver

from fintrends_tui.app import FintrendsApp
from fintrends_tui.terminal.styles import SparingDriver, in_fewer_bytes
from tests.ui.fake_link import FakeLink

_COLOURS = st.sampled_from([None, "red", "bright_blue", "color(123)", "#0a141e", "#c8c8c8"])
_FLAGS = st.booleans()
_STYLES = st.builds(
    Style, color=_COLOURS, bgcolor=_COLOURS, bold=_FLAGS, italic=_FLAGS, underline=_FLAGS, reverse=_FLAGS, dim=_FLAGS
)
_SYSTEMS = st.sampled_from([ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT, ColorSystem.STANDARD])
_TEXTS = st.text("ab ▇é", min_size=0, max_size=5)
_MOVES = st.builds("\x1b[{};{}H".format, st.integers(1, 6), st.integers(1, 20))
_ERASES = st.sampled_from(["\x1b[2J", "\x1b[K", "\x1b[?25l"])


@st.composite
def _written(draw: st.DrawFn) -> str:
    """What Textual writes: moves, and pieces that are each in a style of their own or in none."""
    system = draw(_SYSTEMS)
    styled = st.builds(lambda style, text: style.render(text, color_system=system), _STYLES, _TEXTS)
    return "".join(draw(st.lists(st.one_of(styled, styled, _MOVES, _TEXTS, _ERASES), max_size=12)))


def _cells(data: list[str]) -> tuple[object, ...]:
    """All that can be seen, and the style in which the next piece would be."""
    screen = pyte.Screen(20, 6)
    stream = pyte.Stream(screen)
    for piece in data:
        stream.feed(piece)
    cells = [_seen(screen.buffer[y][x]) for y in range(screen.lines) for x in range(screen.columns)]
    return (*cells, screen.cursor.attrs, screen.cursor.x, screen.cursor.y)


def _seen(cell: pyte.screens.Char) -> pyte.screens.Char:
    """Of a space nobody sees the colour, nor whether it is bold or italic."""
    if cell.data != " " or cell.underscore or cell.reverse or cell.strikethrough:
        return cell
    return cell._replace(fg="default", bold=False, italics=False)


@given(st.lists(_written(), max_size=4))
def test_what_is_seen_is_the_same(written: list[str]) -> None:
    assert _cells([in_fewer_bytes(data) for data in written]) == _cells(written)


@given(_written())
def test_it_never_takes_more_bytes(written: str) -> None:
    assert len(in_fewer_bytes(written)) <= len(written)


@given(_written())
def test_each_write_leaves_the_terminals_own_style_as_others_may_write_then(written: str) -> None:
    *_, style, _, _ = _cells([in_fewer_bytes(written)])
    assert style == pyte.Screen(1, 1).cursor.attrs


def test_what_neighbours_share_is_said_once() -> None:
    up, down = (Style(color=color, bgcolor="#101820") for color in ("#00ff00", "#ff0000"))
    gap = Style(color="#808080", bgcolor="#101820").render(" ")
    row = f"\x1b[3;4H{up.render('1.25')}{gap}\x1b[3;12H{down.render('-0.4')}"
    assert in_fewer_bytes(row) == (
        "\x1b[3;4H\x1b[38;2;0;255;0;48;2;16;24;32m1.25 \x1b[3;12H\x1b[38;2;255;0;0m-0.4\x1b[0m"
    )


def test_where_only_some_attributes_end_all_is_set_anew() -> None:
    heading, text = Style(color="#ffffff", bold=True), Style(color="#ffffff")
    assert (
        in_fewer_bytes(heading.render("RSI") + text.render("47"))
        == "\x1b[1;38;2;255;255;255mRSI\x1b[0;38;2;255;255;255m47\x1b[0m"
    )


def test_what_is_no_style_passes_through() -> None:
    assert in_fewer_bytes("\x1b[?2026h\x1b[6n\x1b]0;title\x07") == "\x1b[?2026h\x1b[6n\x1b]0;title\x07"


def test_a_terminal_gets_it_unless_another_driver_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FintrendsApp(FakeLink()).driver_class is SparingDriver
    monkeypatch.setattr(
        "textual.constants.DRIVER", f"{HeadlessDriver.__module__}:{HeadlessDriver.__name__}", raising=True
    )
    assert FintrendsApp(FakeLink()).driver_class is HeadlessDriver
