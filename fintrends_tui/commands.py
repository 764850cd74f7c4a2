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

    @property
    def action_name(self) -> str:
        """The action without its parameters and whose it is."""
        return self.action.removeprefix("app.").partition("(")[0]


EVERYWHERE: Final = (
    KeyCommand("question_mark", "?", "app.help", "Help", "Show all keys"),
    KeyCommand("d", "d", "app.detach", "Detach", "Leave this screen; the pipeline runs on"),
    KeyCommand("q", "q", "app.quit", "Quit", "Quit; stop the pipeline if this screen started it"),
)
DASHBOARD: Final = (
    KeyCommand("a", "a", "add", "Add", "Add tickers to the watchlist, by ticker or by name"),
    KeyCommand("I", "I", "indices", "", "Watch the indices of the line above the watchlist"),
    KeyCommand("x", "x", "remove", "Remove", "Remove the selected ticker; stored data stays"),
    KeyCommand("enter", "⏎", "detail", "Detail", "Open the selected ticker"),
    KeyCommand("slash", "/", "filter", "Filter", "Show only tickers with a text, or by a condition; Esc shows all"),
    KeyCommand("v", "v", "views", "Views", "Choose a named view of the watchlist, or keep the present one"),
    KeyCommand("C", "C", "columns", "", "Choose the columns of the watchlist, and their order"),
    KeyCommand("o", "o", "sort", "Sort", "Sort by the next column, then as before; or click a title"),
    KeyCommand("O", "O", "reverse", "", "Reverse the order of the watchlist"),
    KeyCommand("z", "z", "zoom", "Zoom", "Zoom the focused panel, or restore it"),
    KeyCommand("c", "c", "charts", "", "Open small charts of several tickers"),
    KeyCommand("H", "H", "heat", "", "Open the heat map", "heat-map"),
    KeyCommand("P", "P", "layout", "Pipeline", "Show the pipeline first, or the market first; remembered"),
    KeyCommand("t", "t", "topics", "Topics", "Open the topics: lag, retention, messages"),
    KeyCommand("T", "T", "consumers", "", "Open the consumer groups: lag, members, offsets"),
    KeyCommand("s", "s", "services", "Services", "Open the services and the writes to the store"),
    KeyCommand("l", "l", "log", "Log", "Open the log"),
    KeyCommand("e", "e", "dead_letters", "Dead letters", "Open the records that could not be processed"),
    KeyCommand("b", "b", "positions", "Positions", "Open your positions: value, gain, lots"),
    KeyCommand("dollar_sign", "$", "app.hide_amounts", "", "Hide or show the amounts of your positions; remembered"),
    KeyCommand("A", "A", "alerts", "Alerts", "Open the alerts: rules and history"),
    KeyCommand("i", "i", "load", "Load", "Load the history of the selected ticker, or of all"),
    KeyCommand("p", "p", "pause", "Pause", "Pause the producers or a replay, or resume them"),
    KeyCommand("plus,equals_sign", "+", "replay_speed(1)", "Faster", "Let a replay go faster", "replay-faster"),
    KeyCommand("minus", "-", "replay_speed(-1)", "Slower", "Let a replay go slower", "replay-slower"),
    KeyCommand("full_stop", ".", "replay_step", "Step", "Go on to the next bar of a replay that is paused"),
    KeyCommand("r", "r", "restart", "Restart", "Restart a service, or all of them"),
    KeyCommand("m", "m", "groups", "Groups", "Set the groups of the selected ticker"),
    KeyCommand("N", "N", "note", "", "Write a note on the selected ticker"),
    KeyCommand("y", "y", "copy", "Copy", "Copy the selected ticker's line to the clipboard (OSC 52)"),
    KeyCommand("w", "w", "write", "Write", "Write the watchlist as shown to a CSV or JSON file"),
)
WATCHLIST: Final = (
    KeyCommand("tab", "Tab", "group(1)", "Group", "On the watchlist: show the next group", "next-group"),
    KeyCommand("shift+tab", "Shift+Tab", "group(-1)", "", "Show the previous group", "previous-group"),
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
RANGES: Final = tuple(
    KeyCommand(str(number), str(number), f"range('{span}')", "", text, f"range-{span.lower()}")
    for number, (span, text) in enumerate(
        (
            ("1D", "Show the day"),
            ("5D", "Show five days"),
            ("1M", "Show a month"),
            ("6M", "Show six months"),
            ("YTD", "Show the year so far"),
            ("1Y", "Show a year"),
            ("5Y", "Show five years"),
            ("MAX", "Show all that is stored"),
        ),
        1,
    )
)
DETAIL: Final = (
    KeyCommand("n", "n", "ticker(1)", "Next", "Show the next ticker of the watchlist", "next-ticker"),
    KeyCommand("p", "p", "ticker(-1)", "Previous", "Show the ticker before", "previous-ticker"),
    KeyCommand("o", "o", "open", "Open", "Open the selected headline in the browser", "open-headline"),
    KeyCommand("N", "N", "note", "", "Write a note on the ticker"),
    KeyCommand("c", "c", "candles", "Candles", "Switch between candles and a line"),
    KeyCommand("v", "v", "volume", "Volume", "Show or hide the volume"),
    KeyCommand("m", "m", "study('sma')", "SMA", "Show or hide the simple moving averages", "sma"),
    KeyCommand("e", "e", "study('ema')", "EMA", "Show or hide the exponential moving averages", "ema"),
    KeyCommand("b", "b", "study('bands')", "Bands", "Show or hide the Bollinger bands", "bands"),
    KeyCommand("w", "w", "study('vwap')", "VWAP", "Show or hide the VWAP", "vwap"),
    KeyCommand("r", "r", "study('rsi')", "RSI", "Show or hide the RSI below the prices", "rsi"),
    KeyCommand("M", "M", "study('macd')", "MACD", "Show or hide the MACD below the prices", "macd"),
    KeyCommand("s", "s", "study('sentiment')", "", "Show or hide the sentiment below the prices", "sentiment"),
    KeyCommand("C", "C", "compare", "Compare", "Compare with another ticker, the sentiment or an economic series"),
    KeyCommand("f", "f", "fan", "Forecast", "Show or hide where the next closes will be with 80 and 50 % probability"),
    KeyCommand("l", "l", "log_scale", "", "Switch between a linear and a logarithmic axis", "log-scale"),
    KeyCommand("X", "X", "extended", "", "Show or hide bars of before the open and after the close", "extended-hours"),
    *RANGES,
    KeyCommand("right", "→", "interval(1)", "Longer", "Show the next longer bars", "longer"),
    KeyCommand("left,h", "← h", "interval(-1)", "Shorter", "Show the next shorter bars", "shorter"),
    KeyCommand("plus,equals_sign", "+", "zoom(-1)", "", "Show half as much time", "zoom-in"),
    KeyCommand("minus", "-", "zoom(1)", "", "Show twice as much time", "zoom-out"),
    KeyCommand("left_square_bracket", "[", "pan(-1)", "", "Scroll back by half a chart", "back-in-time"),
    KeyCommand("right_square_bracket", "]", "pan(1)", "", "Scroll forward by half a chart", "forward-in-time"),
    KeyCommand("comma", ",", "point(-1)", "", "Look at the bar before, as with the mouse", "bar-before"),
    KeyCommand("full_stop", ".", "point(1)", "", "Look at the next bar, after the last at none", "bar-after"),
    KeyCommand("escape,enter", "Esc", "app.pop_screen", "Back", "Go back to the dashboard", "back"),
)
CHARTS: Final = (
    KeyCommand("c", "c", "candles", "Candles", "Switch between candles and a line"),
    *RANGES,
    KeyCommand("right,pagedown", "→", "page(1)", "Next", "Show the charts of the next tickers", "next-charts"),
    KeyCommand("left,pageup", "←", "page(-1)", "Previous", "Show the charts of those before", "previous-charts"),
    KeyCommand("escape", "Esc", "app.pop_screen", "Back", "Go back to the dashboard", "back"),
)
HEAT: Final = (KeyCommand("escape,H", "Esc", "app.pop_screen", "Back", "Go back to the dashboard", "back"),)
TOPICS: Final = (
    KeyCommand("enter", "⏎", "open", "Messages", "Open the messages of the selected topic"),
    KeyCommand("slash", "/", "search", "Filter", "Show the topics whose name contains a text"),
    KeyCommand("o", "o", "sort", "Sort", "Sort by name, records, rate or lag"),
    KeyCommand("O", "O", "reverse", "", "Reverse the order"),
    KeyCommand("r", "r", "replay", "Replay", "Have all groups read the selected topic again from a time on"),
    KeyCommand("x", "x", "purge", "Purge", "Delete the topics and documents of the selected topic's ticker"),
    KeyCommand("T", "T", "consumers", "Consumers", "Open the consumer groups: lag, members, offsets"),
    KeyCommand("escape,t", "Esc", "back", "Back", "Clear the filter, or go back"),
)
CONSUMERS: Final = (
    KeyCommand("enter", "⏎", "open", "Open", "Show the topics of the selected group; of a topic, its messages"),
    KeyCommand("slash", "/", "search", "Filter", "Show the topics whose name contains a text"),
    KeyCommand("r", "r", "reset", "Reset", "Reset the offsets of the selected group, or those on the selected topic"),
    KeyCommand("escape,T", "Esc", "back", "Back", "Clear the filter, or go back"),
)
MESSAGES: Final = (
    KeyCommand("f", "f", "follow", "Follow", "Follow new messages, or stop following"),
    KeyCommand("slash", "/", "search", "Filter", "Search for a text, or for fields: interval=1min close>100"),
    KeyCommand("m", "m", "older", "More", "Search further back"),
    KeyCommand("tab", "Tab", "app.focus_next", "Pane", "Switch between the list and the message"),
    KeyCommand("escape", "Esc", "back", "Back", "Clear the filter, or go back"),
)
DEAD_LETTERS: Final = (
    KeyCommand("r", "r", "retry", "Retry", "Publish the selected record again"),
    KeyCommand("a", "a", "retry_alike", "Alike", "Publish all records again that have the same reason"),
    KeyCommand("R", "R", "retry_all", "All", "Publish all records again"),
)
SERVICES: Final = (
    KeyCommand("r", "r", "restart", "Restart", "Restart the selected service"),
    KeyCommand("R", "R", "restart_all", "Restart all", "Restart all services"),
    KeyCommand("p", "p", "pause", "Pause", "Pause the selected service, or resume it"),
    KeyCommand("tab", "Tab", "app.focus_next", "Pane", "Go to the next pane"),
    KeyCommand("l", "l", "log", "Log", "Open the log"),
    KeyCommand("escape,s", "Esc", "back", "Back", "Go back"),
)
LOG: Final = (
    KeyCommand("f", "f", "follow", "Follow", "Follow the newest line, or stop following"),
    KeyCommand("v", "v", "level", "Level", "Set the lowest level shown: all, info, warning or error"),
    KeyCommand("slash", "/", "search", "Find", "Find a text, or filter by fields: level=warning logger~sink"),
    KeyCommand("n", "n", "find(1)", "Next", "Go to the next match", "find-next"),
    KeyCommand("N", "N", "find(-1)", "Previous", "Go to the previous match", "find-previous"),
    KeyCommand("w", "w", "wrap", "Wrap", "Wrap long lines, or cut them"),
    KeyCommand("escape,l", "Esc", "back", "Back", "Clear the search, or go back"),
)
ALERTS: Final = (
    KeyCommand("a", "a", "add_rule", "Add", "Add a rule"),
    KeyCommand("x", "x", "remove_rule", "Remove", "Remove the selected rule"),
    KeyCommand("tab,shift+tab", "Tab", "app.focus_next", "Pane", "Switch between rules and history"),
    KeyCommand("escape,A", "Esc", "back", "Back", "Go back"),
)

POSITIONS: Final = (
    KeyCommand("a", "a", "add_lot", "Add", "Add a lot: what was bought or sold"),
    KeyCommand("x", "x", "remove_lot", "Remove", "Remove the selected lot"),
    KeyCommand("dollar_sign", "$", "app.hide_amounts", "Hide amounts", "Hide or show all amounts; remembered"),
    KeyCommand("tab,shift+tab", "Tab", "app.focus_next", "Pane", "Switch between positions and lots"),
    KeyCommand("escape,b", "Esc", "back", "Back", "Go back"),
)

SECTIONS: Final = (
    ("Dashboard", (*DASHBOARD, *WATCHLIST, *MOVING)),
    ("Lists", LISTS),
    ("Detail of a ticker", DETAIL),
    ("Small charts", CHARTS),
    ("Heat map", HEAT),
    ("Topics", TOPICS),
    ("Consumer groups", CONSUMERS),
    ("Messages of a topic", MESSAGES),
    ("Dead letters", DEAD_LETTERS),
    ("Services", SERVICES),
    ("Log", LOG),
    ("Alerts", ALERTS),
    ("Positions", POSITIONS),
    ("Everywhere", EVERYWHERE),
)
TOGETHER: Final = (
    (*WATCHLIST, *LISTS, *DASHBOARD, *MOVING, *EVERYWHERE),
    (*LISTS, *DETAIL, *EVERYWHERE),
    (*CHARTS, *EVERYWHERE),
    (*HEAT, *EVERYWHERE),
    (*LISTS, *TOPICS, *EVERYWHERE),
    (*LISTS, *CONSUMERS, *EVERYWHERE),
    (*LISTS, *MESSAGES, *DEAD_LETTERS, *EVERYWHERE),
    (*LISTS, *SERVICES, *EVERYWHERE),
    (*LISTS, *LOG, *EVERYWHERE),
    (*LISTS, *ALERTS, *EVERYWHERE),
    (*LISTS, *POSITIONS, *EVERYWHERE),
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
