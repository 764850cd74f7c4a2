"""The dashboard's own themes. Rising and falling are teal and vermilion, or blue and orange, not red and green;
the hues are for lines that have to be told apart."""

from collections.abc import Mapping
from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="fintrends-dark",
    primary="#6ea8fe",
    secondary="#8b93a7",
    accent="#6ea8fe",
    success="#3ecfb2",
    warning="#f2c14e",
    error="#ff7a59",
    foreground="#d5dae5",
    background="#0e1118",
    surface="#0e1118",
    panel="#171b26",
    dark=True,
    variables={
        "up": "#3ecfb2",
        "down": "#ff7a59",
        "rule": "#2b3242",
        "faint": "#8089a0",
        "hue-1": "#f2c14e",
        "hue-2": "#b794f6",
        "hue-3": "#6ea8fe",
        "hue-4": "#f08fc0",
        "hue-5": "#9aa5b8",
        "hue-6": "#7fd6e8",
        "cursor": "#1e2a40",
        "footer-background": "#171b26",
        "footer-key-foreground": "#6ea8fe",
        "footer-description-foreground": "#aab2c5",
        "scrollbar": "#2b3242",
        "scrollbar-background": "#0e1118",
        "scrollbar-corner-color": "#0e1118",
    },
)

LIGHT: Final = Theme(
    name="fintrends-light",
    primary="#1f5fbf",
    secondary="#5b6475",
    accent="#1f5fbf",
    success="#00756a",
    warning="#8a5a00",
    error="#c0391b",
    foreground="#1d2330",
    background="#fafbfc",
    surface="#fafbfc",
    panel="#eceff4",
    dark=False,
    variables={
        "up": "#00756a",
        "down": "#c0391b",
        "rule": "#c9d0dc",
        "faint": "#626c80",
        "hue-1": "#8a5a00",
        "hue-2": "#6b3fb5",
        "hue-3": "#1f5fbf",
        "hue-4": "#a8246f",
        "hue-5": "#5b6475",
        "hue-6": "#0b6b80",
        "cursor": "#dbe6f8",
        "footer-background": "#eceff4",
        "footer-key-foreground": "#1f5fbf",
        "footer-description-foreground": "#454e60",
        "scrollbar": "#c9d0dc",
        "scrollbar-background": "#fafbfc",
        "scrollbar-corner-color": "#fafbfc",
    },
)

# The palette of Okabe and Ito (2008): the sky blue and the orange stay apart in every kind of colour blindness.
COLOUR_BLIND: Final = Theme(
    name="fintrends-colour-blind",
    primary="#b8c4dd",
    secondary="#8b93a7",
    accent="#b8c4dd",
    success="#56b4e9",
    warning="#f0e442",
    error="#e69f00",
    foreground="#e4e6ea",
    background="#101114",
    surface="#101114",
    panel="#1a1c21",
    dark=True,
    variables={
        "up": "#56b4e9",
        "down": "#e69f00",
        "rule": "#343841",
        "faint": "#8d93a0",
        "hue-1": "#f0e442",
        "hue-2": "#cc79a7",
        "hue-3": "#b8c4dd",
        "hue-4": "#d55e00",
        "hue-5": "#8d93a0",
        "hue-6": "#009e73",
        "cursor": "#26303c",
        "footer-background": "#1a1c21",
        "footer-key-foreground": "#b8c4dd",
        "footer-description-foreground": "#b4b9c4",
        "scrollbar": "#343841",
        "scrollbar-background": "#101114",
        "scrollbar-corner-color": "#101114",
    },
)

OURS: Final = (DARK, LIGHT, COLOUR_BLIND)

# For themes that are not ours: every variable that app.tcss uses and Textual does not define.
FALLBACK: Final = {
    name: DARK.variables[name]
    for name in ("up", "down", "rule", "faint", "cursor", *(f"hue-{number}" for number in range(1, 7)))
}


def preferred(environ: Mapping[str, str]) -> str:
    """Our theme for this terminal: the light one where COLORFGBG, which some terminals set, says that it is light."""
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if background in ("7", "15") else DARK.name
