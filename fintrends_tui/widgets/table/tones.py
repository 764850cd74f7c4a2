"""The tones of cells as styles, in the colours of a theme.

Not component classes: Textual matches all rules for each of those of each table, which is most of what a screen of
tables takes to be styled.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from rich.style import Style
from textual.color import Color

_COLOURS: Final = {
    "dim": "faint",
    "accent": "accent",
    "up": "up",
    "down": "down",
    "warn": "warning",
    "error": "error",
    "badge": "background",
}
"""The variables of the theme that tones are written in; all others are written in the colour of the table."""
_GROUNDS: Final = {"badge": "warning"}
_BOLD: Final = frozenset({"strong", "error", "badge"})

TONES: Final = frozenset({"", *_COLOURS, *_BOLD})


def toned(base: Style, tone: str, variables: Mapping[str, str]) -> Style:
    """The style of a tone upon another style. `variables` are the theme's."""
    if tone not in TONES:
        raise KeyError(tone)
    return base + _style(_value(tone, _COLOURS, variables), _value(tone, _GROUNDS, variables), bold=tone in _BOLD)


def marked(base: Style, variables: Mapping[str, str], *, coloured: bool) -> Style:
    """The style of the row that is selected, or was found; reversed where there are no colours."""
    return base + _style("", variables["cursor"]) + Style(reverse=None if coloured else True)


def _value(tone: str, names: Mapping[str, str], variables: Mapping[str, str]) -> str:
    return variables[names[tone]] if tone in names else ""


@lru_cache(256)
def _style(colour: str, ground: str, *, bold: bool = False) -> Style:
    return Style(
        color=Color.parse(colour).rich_color if colour else None,
        bgcolor=Color.parse(ground).rich_color if ground else None,
        bold=True if bold else None,
    )
