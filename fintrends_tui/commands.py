"""Every command of the dashboard, declared once: keys, footer, help and command palette come from here."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from textual.binding import Binding


class KeyCommand(NamedTuple):
    """`keys` as Textual names them, separated by commas; `shown` is how people read them. An empty `label` keeps the
    command out of the footer. `id` is its name in `[keys]` of the settings where the action's name will not do."""

    keys: str
    shown: str
    action: str
    label: str
    help: str
    id: str = ""

    @property
    def name(self) -> str:
        """What the settings call it."""
        return self.id or self.action.removeprefix("app.").replace("_", "-")


EVERYWHERE: Final = (
    KeyCommand("question_mark", "?", "app.help", "Help", "Show all keys"),
    KeyCommand("d", "d", "app.detach", "Detach", "Leave this screen; the pipeline runs on"),
    KeyCommand("q", "q", "app.quit", "Quit", "Quit; stop the pipeline if this screen started it"),
)
DASHBOARD: Final = (
    KeyCommand("a", "a", "add", "Add", "Add tickers to the watchlist"),
    KeyCommand("x", "x", "remove", "Remove", "Remove the selected ticker; what is stored stays"),
    KeyCommand("enter", "⏎", "detail", "Detail", "Open the selected ticker"),
    KeyCommand("slash", "/", "filter", "Filter", "Show only tickers that contain what is typed; Esc shows all"),
    KeyCommand("o", "o", "sort", "Sort", "Sort the watchlist by the next column (a click on its title, too)"),
    KeyCommand("O", "O", "reverse", "", "Reverse the order of the watchlist"),
    KeyCommand("z", "z", "zoom", "Zoom", "Give the focused panel all the room, or take it back"),
    KeyCommand("t", "t", "topics", "Topics", "Open the topics: lag, retention, messages"),
    KeyCommand("s", "s", "services", "Services", "Open the services and the writes to the store"),
    KeyCommand("l", "l", "log", "Log", "Open the log"),
    KeyCommand("e", "e", "dead_letters", "Dead letters", "Open what could not be processed"),
    KeyCommand("A", "A", "alerts", "Alerts", "Open the alerts: rules, and what has fired"),
    KeyCommand("i", "i", "load", "Load", "Load the history of the selected ticker, or of all"),
    KeyCommand("p", "p", "pause", "Pause", "Pause the producers, or let them run on"),
    KeyCommand("r", "r", "restart", "Restart", "Restart a service, or all of them"),
    KeyCommand("m", "m", "groups", "Groups", "Say which groups the selected ticker is in"),
    KeyCommand("y", "y", "copy", "Copy", "Copy the selected ticker's line to the clipboard (OSC 52)"),
    KeyCommand("w", "w", "write", "Write", "Write the watchlist as shown to a CSV or JSON file"),
)
WATCHLIST: Final = (
    KeyCommand(
        "tab", "Tab", "group(1)", "Group", "On the watchlist, where there are groups: the next group", "next-group"
    ),
    KeyCommand("shift+tab", "Shift+Tab", "group(-1)", "", "The group before", "previous-group"),
    KeyCommand("escape", "Esc", "clear_filter", "Show all", "Clear the filter"),
)
MOVING: Final = (
    KeyCommand("right,tab", "→ Tab", "panel(1)", "", "Go to the next panel", "next-panel"),
    KeyCommand("left,shift+tab,h", "← Shift+Tab h", "panel(-1)", "", "Go to the previous panel", "previous-panel"),
)
LISTS: Final = (
    KeyCommand("up,k", "↑ k", "up", "", "Move up by a line"),
    KeyCommand("down,j", "↓ j", "down", "", "Move down by a line"),
    KeyCommand("pageup,ctrl+b", "PgUp Ctrl+B", "page(-1)", "", "Move up by a page", "page-up"),
    KeyCommand("pagedown,ctrl+f", "PgDn Ctrl+F", "page(1)", "", "Move down by a page", "page-down"),
    KeyCommand("home,g", "Home g", "first", "", "Move to the start"),
    KeyCommand("end,G", "End G", "last", "", "Move to the end"),
)
DETAIL: Final = (
    KeyCommand("c", "c", "candles", "Candles", "Draw candles, or a line"),
    KeyCommand("v", "v", "volume", "Volume", "Show the volume below the prices, or hide it"),
    KeyCommand("m", "m", "study('sma')", "SMA", "Lay the simple averages over the prices, or take them off", "sma"),
    KeyCommand("e", "e", "study('ema')", "EMA", "The same with the exponential averages", "ema"),
    KeyCommand("b", "b", "study('bands')", "Bands", "The same with the Bollinger bands", "bands"),
    KeyCommand("w", "w", "study('vwap')", "VWAP", "The same with the VWAP", "vwap"),
    KeyCommand("right", "→", "interval(1)", "Longer", "Show the next longer interval", "longer"),
    KeyCommand("left,h", "← h", "interval(-1)", "Shorter", "Show the next shorter interval", "shorter"),
    KeyCommand("plus,equals_sign", "+", "zoom(-1)", "", "Show fewer bars", "zoom-in"),
    KeyCommand("minus", "-", "zoom(1)", "", "Show more bars", "zoom-out"),
    KeyCommand("left_square_bracket", "[", "pan(-1)", "", "Go back in what is stored, by half a chart", "back-in-time"),
    KeyCommand("right_square_bracket", "]", "pan(1)", "", "Go forward, up to now", "forward-in-time"),
    KeyCommand("escape,enter", "Esc", "app.pop_screen", "Back", "Go back to the dashboard", "back"),
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
    KeyCommand("n", "n", "find(1)", "Next", "Go to the next line that has it", "find-next"),
    KeyCommand("N", "N", "find(-1)", "Previous", "Go to the line before that has it", "find-previous"),
    KeyCommand("w", "w", "wrap", "Wrap", "Show long lines whole, or cut them"),
    KeyCommand("escape,l", "Esc", "back", "Back", "Drop what is looked for, or go back"),
)
ALERTS: Final = (
    KeyCommand("a", "a", "add_rule", "Add", "Add a rule"),
    KeyCommand("x", "x", "remove_rule", "Remove", "Remove the selected rule"),
    KeyCommand("tab,shift+tab", "Tab", "app.focus_next", "Pane", "Go to the history, and back to the rules"),
    KeyCommand("escape,A", "Esc", "back", "Back", "Go back"),
)

SECTIONS: Final = (
    ("Dashboard", (*DASHBOARD, *WATCHLIST, *MOVING)),
    ("Lists", LISTS),
    ("Detail of a ticker", DETAIL),
    ("Topics", TOPICS),
    ("Messages of a topic", MESSAGES),
    ("Services", SERVICES),
    ("Log", LOG),
    ("Alerts", ALERTS),
    ("Everywhere", EVERYWHERE),
)
TOGETHER: Final = (
    (*WATCHLIST, *LISTS, *DASHBOARD, *MOVING, *EVERYWHERE),
    (*LISTS, *DETAIL, *EVERYWHERE),
    (*LISTS, *TOPICS, *EVERYWHERE),
    (*LISTS, *MESSAGES, *EVERYWHERE),
    (*LISTS, *SERVICES, *EVERYWHERE),
    (*LISTS, *LOG, *EVERYWHERE),
    (*LISTS, *ALERTS, *EVERYWHERE),
)
"""The commands that are bound at the same time, one tuple a screen. Those of one name on several screens are remapped
together."""


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
            id=command.name,
        )
        for command in commands
    ]
