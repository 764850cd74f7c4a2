"""Every screen of the gallery, character by character, as it was when somebody looked at it and found it good.

`FINTRENDS_UPDATE_SNAPSHOTS=1 uv run pytest tests/ui/test_snapshots.py` takes them anew; look at the difference.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.theme import Theme

from fintrends_tui import themes
from tests.ui.gallery import Shot, shots, shown

SNAPSHOTS = Path(__file__).with_name("snapshots")
NOT_ALWAYS_THE_SAME = {
    "alert",  # toasts leave by themselves
    "huge",  # twice as large as anybody asked for
    "small-loads",  # what comes first at the start, the tab of the chart or that of the loads, is in front
    "write",  # names the working directory
}
SHOTS = {name: shot for name, shot in shots().items() if name not in NOT_ALWAYS_THE_SAME}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For the header's local time."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("name", SHOTS)
async def test_a_screen_is_as_it_was_found_good(name: str) -> None:
    shot: Shot = SHOTS[name]
    async with shown(shot) as app:
        lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    assert len(lines) == shot.size[1]
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("FINTRENDS_UPDATE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text("\n".join(lines) + "\n", "utf-8")
    assert lines == file.read_text("utf-8").splitlines()


def test_there_is_no_snapshot_without_a_screen() -> None:
    assert {file.stem for file in SNAPSHOTS.iterdir()} == set(SHOTS)


@pytest.mark.parametrize("theme", [themes.DARK, themes.LIGHT, themes.COLOUR_BLIND], ids=lambda theme: theme.name)
@pytest.mark.parametrize("ink", ["foreground", "up", "down", "faint", "accent", "warning", "error"])
def test_text_can_be_read_in_every_theme(theme: Theme, ink: str) -> None:
    """WCAG 2.1, AA: 4.5 to 1."""
    colours = {"foreground": theme.foreground, "accent": theme.accent, "warning": theme.warning, "error": theme.error}
    colour = colours.get(ink) or theme.variables[ink]
    assert _contrast(str(colour), str(theme.background)) >= 4.5


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
