"""Every command of the dashboard, declared once: keys, footer, help and command palette come from here."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from textual.binding import Binding


class KeyCommand(NamedTuple):
    """`keys` as Textual names them, separated by commas; `shown` is how people read them. An empty `label` keeps the
    command out of the footer."""

    keys: str
    shown: str
    action: str
    label: str
    help: str


EVERYWHERE: Final = (
    KeyCommand("question_mark", "?", "app.help", "Help", "Show all keys"),
    KeyCommand("d", "d", "app.detach", "Detach", "Leave this screen; the pipeline runs on"),
    KeyCommand("q,ctrl+c", "q", "app.quit", "Quit", "Quit; stop the pipeline if this screen started it"),
)
DASHBOARD: Final = (
    KeyCommand("a", "a", "add", "Add", "Add tickers to the watchlist"),
    KeyCommand("x", "x", "remove", "Remove", "Remove the selected ticker; what is stored stays"),
    KeyCommand("i", "i", "load", "Load", "Load the history of the selected ticker, or of all"),
    KeyCommand("p", "p", "pause", "Pause", "Pause the producers, or let them run on"),
    KeyCommand("r", "r", "restart", "Restart", "Restart a service, or all of them"),
    KeyCommand("enter", "⏎", "detail", "Detail", "Open the selected ticker"),
    KeyCommand("l", "l", "log", "Log", "Open the log"),
)
MOVING: Final = (
    KeyCommand("tab,right", "Tab →", "panel(1)", "", "Go to the next panel"),
    KeyCommand("shift+tab,left,h", "Shift+Tab ← h", "panel(-1)", "", "Go to the previous panel"),
)
DETAIL: Final = (
    KeyCommand("c", "c", "candles", "Candles", "Draw candles, or a line"),
    KeyCommand("v", "v", "volume", "Volume", "Show the volume below the prices, or hide it"),
    KeyCommand("m", "m", "study('sma')", "SMA", "Lay the simple averages over the prices, or take them off"),
    KeyCommand("e", "e", "study('ema')", "EMA", "The same with the exponential averages"),
    KeyCommand("b", "b", "study('bands')", "Bands", "The same with the Bollinger bands"),
    KeyCommand("w", "w", "study('vwap')", "VWAP", "The same with the VWAP"),
    KeyCommand("right", "→", "interval(1)", "Longer", "Show the next longer interval"),
    KeyCommand("left,h", "← h", "interval(-1)", "Shorter", "Show the next shorter interval"),
    KeyCommand("plus,equals_sign", "+", "zoom(-1)", "", "Show fewer bars"),
    KeyCommand("minus", "-", "zoom(1)", "", "Show more bars"),
    KeyCommand("left_square_bracket", "[", "pan(-1)", "", "Go back in what is stored, by half a chart"),
    KeyCommand("right_square_bracket", "]", "pan(1)", "", "Go forward, up to now"),
    KeyCommand("escape,enter", "Esc", "app.pop_screen", "Back", "Go back to the dashboard"),
)
LOG: Final = (KeyCommand("escape,l", "Esc", "app.pop_screen", "Back", "Go back to the dashboard"),)


def bindings(commands: Iterable[KeyCommand]) -> list[Binding]:
    """The commands as Textual wants them."""
    return [
        Binding(
            command.keys,
            command.action,
            command.label or command.help,
            show=bool(command.label),
            key_display=command.shown,
            tooltip=command.help,
        )
        for command in commands
    ]
