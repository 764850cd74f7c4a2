"""Every command of the dashboard, declared once: keys, footer, help and command palette come from here."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from textual.binding import Binding


class KeyCommand(NamedTuple):
    """`keys` as Textual names them, separated by commas; `shown` is how people read them. An empty `label` keeps the
    command out of the footer and the palette, `footer` out of the footer alone."""

    keys: str
    shown: str
    action: str
    label: str
    help: str
    footer: bool = True


EVERYWHERE: Final = (
    KeyCommand("question_mark", "?", "app.help", "Help", "Show all keys"),
    KeyCommand("d", "d", "app.detach", "Detach", "Leave this screen; the pipeline runs on"),
    KeyCommand("q,ctrl+c", "q", "app.quit", "Quit", "Quit; stop the pipeline if this screen started it"),
)
DASHBOARD: Final = (
    KeyCommand("a", "a", "add", "Add", "Add tickers to the watchlist"),
    KeyCommand("x", "x", "remove", "Remove", "Remove the selected ticker; what is stored stays", footer=False),
    KeyCommand("i", "i", "load", "Load", "Load the history of the selected ticker, or of all", footer=False),
    KeyCommand("p", "p", "pause", "Pause", "Pause the producers, or let them run on"),
    KeyCommand("r", "r", "restart", "Restart", "Restart a service, or all of them", footer=False),
    KeyCommand("enter", "⏎", "detail", "Detail", "Open the selected ticker"),
    KeyCommand("t", "t", "topics", "Topics", "Open the topics: lag, retention, messages"),
    KeyCommand("s", "s", "services", "Services", "Open the services and the writes to the store"),
    KeyCommand("e", "e", "dead_letters", "Dead letters", "Open what could not be processed", footer=False),
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
TOPICS: Final = (
    KeyCommand("enter", "⏎", "open", "Messages", "Open the messages of the selected topic"),
    KeyCommand("slash", "/", "search", "Filter", "Show the topics whose name contains a text"),
    KeyCommand("o", "o", "sort", "Sort", "Sort by name, records, rate or lag"),
    KeyCommand("O", "O", "reverse", "Reverse", "Turn the order round"),
    KeyCommand("escape,t", "Esc", "back", "Back", "Drop the filter, or go back"),
)
MESSAGES: Final = (
    KeyCommand("f", "f", "follow", "Follow", "Let new messages come in by themselves, or not"),
    KeyCommand("slash", "/", "search", "Filter", "Look for messages that contain a text"),
    KeyCommand("m", "m", "older", "More", "Look further back"),
    KeyCommand("tab", "Tab", "app.focus_next", "Pane", "Go to the message, to scroll it, and back"),
    KeyCommand("escape", "Esc", "back", "Back", "Drop the filter, or go back"),
)
SERVICES: Final = (
    KeyCommand("r", "r", "restart", "Restart", "Restart the selected service"),
    KeyCommand("R", "R", "restart_all", "Restart all", "Restart all services"),
    KeyCommand("p", "p", "pause", "Pause", "Pause the selected service, or let it run on"),
    KeyCommand("tab", "Tab", "app.focus_next", "Pane", "Go to the next pane, to scroll it"),
    KeyCommand("l", "l", "log", "Log", "Open the log"),
    KeyCommand("escape,s", "Esc", "back", "Back", "Go back"),
)
LOG: Final = (
    KeyCommand("f", "f", "follow", "Follow", "Stay at the newest line, or where one is"),
    KeyCommand("v", "v", "level", "Level", "Show all lines, or those from info, warning or error on"),
    KeyCommand("slash", "/", "search", "Find", "Find a text"),
    KeyCommand("n", "n", "find(1)", "Next", "Go to the next line that has it"),
    KeyCommand("N", "N", "find(-1)", "Previous", "Go to the line before that has it"),
    KeyCommand("w", "w", "wrap", "Wrap", "Show long lines whole, or cut them"),
    KeyCommand("escape,l", "Esc", "back", "Back", "Drop what is looked for, or go back"),
)


def bindings(commands: Iterable[KeyCommand]) -> list[Binding]:
    """The commands as Textual wants them."""
    return [
        Binding(
            command.keys,
            command.action,
            command.label or command.help,
            show=bool(command.label) and command.footer,
            key_display=command.shown,
            tooltip=command.help,
        )
        for command in commands
    ]
