"""All keys."""

from collections.abc import Sequence
from typing import ClassVar, Final, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from fintrends_tui.commands import SECTIONS, KeyCommand
from fintrends_tui.screens.base import Application
from fintrends_tui.widgets.table.cells import Column, Row, text
from fintrends_tui.widgets.table.live_table import Table
from fintrends_tui.widgets.wrapping import wrap

_MOUSE: Final = (
    ("Click", "Select a row, a tab, a group, a key; sort by a column"),
    ("Drag", "Select text; Ctrl+C copies it, or quits if none is selected"),
    ("Shift+drag", "Use the terminal's own selection (Option on macOS)"),
)
_SENTENCE: Final = "What it does"
_PALETTE: Final = ("Ctrl+P", "Command palette: all commands by name, and themes")


class HelpScreen(ModalScreen[None]):
    """What each key does, from the same declarations that bind them; first of all those `here`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss(None)", "Close"),
        Binding("ctrl+c", "app.quit", "Quit", show=False),
    ]

    def __init__(self, here: Sequence[KeyCommand] = ()) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        yield _KeyTable(self._here)


class _KeyTable(Table):
    """A line a key; sentences that are longer than their column are broken between words."""

    def __init__(self, here: Sequence[KeyCommand]) -> None:
        columns = (Column("Keys", 13), Column(_SENTENCE, 40, elastic=True), Column("Name", 15, drop=1))
        super().__init__(columns, header=False, id="help", classes="dialog")
        self._here = here
        self.set_titles("Keys", "right: their names for [keys] in config.toml   Esc closes")

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        app, width = cast("Application", self.app), self.width_of(_SENTENCE)
        rows: list[Row] = []
        for title, commands in _ordered(self._here):
            rows += [Row("", (text(""),)), Row(title, (text(title, "accent"),))]
            for command in commands:
                if command.action_name not in app.access.without:
                    rows += _rows(app.keys_of(command), command.help, command.name, width)
        rows += _rows(*_PALETTE, "", width)
        rows += [Row("", (text(""),)), Row("Mouse", (text("Mouse", "accent"),))]
        for keys, sentence in _MOUSE:
            rows += _rows(keys, sentence, "", width)
        self.show(rows[1:])


def _ordered(here: Sequence[KeyCommand]) -> list[tuple[str, tuple[KeyCommand, ...]]]:
    """All sections, those of the commands `here` first and in their order; a screen can have several, or less than
    one."""

    def place(section: tuple[str, tuple[KeyCommand, ...]]) -> int:
        commands = section[1]
        if set(commands) <= set(here):
            return here.index(commands[0])
        return 0 if here and set(here) <= set(commands) else len(here) + 1

    return sorted(SECTIONS, key=place)


def _rows(keys: str, sentence: str, name: str, width: int) -> list[Row]:
    first, *others = wrap(sentence, width)
    return [
        Row(f"{keys} {sentence}", (text(keys, "strong"), text(first), text(name, "dim"))),
        *(Row("", (text(""), text(other), text(""))) for other in others),
    ]
