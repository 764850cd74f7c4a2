"""All keys."""

from collections.abc import Sequence
from typing import ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from fintrends_tui.commands import SECTIONS, KeyCommand
from fintrends_tui.screens.base import Application
from fintrends_tui.widgets.table.cells import Column, Row, text
from fintrends_tui.widgets.table.live_table import Table

_MOUSE: Final = (
    ("Click", "Select a row, a tab, a group, a key; sort by a column"),
    ("Drag", "Select text; Ctrl+C copies it, or quits if none is selected"),
    ("Shift+drag", "Use the terminal's own selection (Option on macOS)"),
)
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
        columns = (Column("", 13), Column("", 40, elastic=True), Column("", 14, drop=1))
        yield Table(columns, header=False, id="help", classes="dialog")

    def on_mount(self) -> None:
        rows: list[Row] = []
        app = cast("Application", self.app)
        for title, commands in sorted(SECTIONS, key=lambda section: section[1] is not self._here):
            rows += _section(
                title,
                [
                    (app.keys_of(command), command.help, command.name)
                    for command in commands
                    if command.action_name not in app.access.without
                ],
            )
        rows += [_row(*_PALETTE), *_section("Mouse", [(keys, help_, "") for keys, help_ in _MOUSE])]
        table = self.query_one(Table)
        table.set_titles("Keys", "right: their names for [keys] in config.toml   Esc closes")
        table.show(rows[1:])


def _section(title: str, lines: Sequence[tuple[str, str, str]]) -> list[Row]:
    return [Row("", (text(""),)), Row(title, (text(title, "accent"),)), *(_row(*line) for line in lines)]


def _row(keys: str, help_: str, name: str = "") -> Row:
    return Row(f"{keys} {help_}", (text(keys, "strong"), text(help_), text(name, "dim")))
