"""The styles of cells: as in the rules that say them, for every theme."""

import pytest
from rich.style import Style

from fintrends_tui import themes
from fintrends_tui.widgets.table.tones import TONES, marked, toned
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.running import running

BASE = Style(color="#010203", bgcolor="#040506")
VARIABLES = themes.FALLBACK | {"accent": "#0000ff", "warning": "#ffff00", "error": "#ff0000", "background": "#000000"}


@pytest.mark.parametrize(
    ("tone", "style"),
    [
        ("", BASE),
        ("dim", BASE + Style(color=VARIABLES["faint"])),
        ("strong", BASE + Style(bold=True)),
        ("accent", BASE + Style(color="#0000ff")),
        ("up", BASE + Style(color=VARIABLES["up"])),
        ("down", BASE + Style(color=VARIABLES["down"])),
        ("warn", BASE + Style(color="#ffff00")),
        ("error", BASE + Style(color="#ff0000", bold=True)),
        ("badge", BASE + Style(color="#000000", bgcolor="#ffff00", bold=True)),
    ],
)
def test_each_tone_lies_upon_the_style_of_its_row(tone: str, style: Style) -> None:
    assert toned(BASE, tone, VARIABLES) == style


def test_a_tone_that_there_is_not_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        toned(BASE, "loud", VARIABLES)


def test_the_marked_row_is_seen_without_colours_too() -> None:
    ground = Style(bgcolor=VARIABLES["cursor"])
    assert marked(BASE, VARIABLES, coloured=True) == BASE + ground
    assert marked(BASE, VARIABLES, coloured=False) == BASE + ground + Style(reverse=True)


async def test_every_theme_has_a_style_for_every_tone() -> None:
    async with running(FakeLink(samples.snapshot())) as dash:
        for name in dash.app.available_themes:
            dash.app.theme = name
            await dash.repaint()
            for tone in TONES:
                toned(BASE, tone, dash.app.theme_variables)
            marked(BASE, dash.app.theme_variables, coloured=True)


async def test_cells_are_drawn_in_the_colours_of_a_theme_once_it_is_chosen() -> None:
    def titles() -> Style | None:
        return next(iter(dash.table("#watchlist").render_line(0))).style

    async with running(FakeLink(samples.snapshot())) as dash:
        for theme in (themes.DARK, themes.LIGHT):
            dash.app.theme = theme.name
            await dash.repaint()
            style = titles()
            assert style is not None
            assert style.color is not None
            assert style.color.get_truecolor().hex == theme.variables["faint"]
