"""The colours of a theme for cells that name them by tone."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip

from fintrends_tui.charting.canvas import Run, Tone

_AREA: Final = 0.16
_DIM: Final = 0.5
_SESSION: Final = 0.05
_MADE_OF: Final = {
    "area-up": "up",
    "area-down": "down",
    "up-dim": "up",
    "down-dim": "down",
    **{f"heat-{way}-{strength}": way for way in ("up", "down") for strength in (1, 2, 3)},
    "session": "foreground",
    "previous": "warning",
    "cursor-tag": "foreground",
    "fan-wide": "accent",
    "fan-narrow": "accent",
}
_HEAT: Final = (0.0, 0.18, 0.32, 0.48)
_FANS: Final = {"fan-wide": 0.12, "fan-narrow": 0.24}


class Inks:
    """Makes strips of runs. `variables` are the theme's; the tone "" is the `background`."""

    def __init__(self, variables: Mapping[str, str], background: Color) -> None:
        self._variables = variables
        self._background = background

    def strip(self, runs: Sequence[Run]) -> Strip:
        return Strip([Segment(run.text, self._style(run.tone, run.ground)) for run in runs])

    def _style(self, tone: Tone, ground: Tone) -> Style:
        return _style_of(self._color(tone), self._color(ground))

    def _color(self, tone: Tone) -> Color:
        if tone == "":
            return self._background
        return _mixed(tone, self._background, self._variables[_MADE_OF.get(tone, tone)])


@lru_cache(512)
def _mixed(tone: Tone, background: Color, value: str) -> Color:
    color = Color.parse(value)
    if tone.startswith("area-"):
        return background.blend(color, _AREA)
    if tone.endswith("-dim"):
        return background.blend(color, _DIM)
    if tone.startswith("heat-"):
        return background.blend(color, _HEAT[int(tone[-1])])
    if tone == "session":
        return background.blend(color, _SESSION)
    return background.blend(color, _FANS[tone]) if tone in _FANS else color


@lru_cache(1024)
def _style_of(color: Color, ground: Color) -> Style:
    return Style(color=color.rich_color, bgcolor=ground.rich_color)
