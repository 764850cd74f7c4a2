"""All keys."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from fintrends_tui.commands import (
    DASHBOARD,
    DETAIL,
    EVERYWHERE,
    LOG,
    MESSAGES,
    MOVING,
    SERVICES,
    TOPICS,
    KeyCommand,
)
from fintrends_tui.widgets.cells import Column, Row, text
from fintrends_tui.widgets.table import Table

_IN_LISTS: Final = (
    KeyCommand("", "↑ ↓ k j", "", "", "Move by one line"),
    KeyCommand("", "PgUp PgDn", "", "", "Move by a page"),
    KeyCommand("", "Home End g G", "", "", "Move to the start, to the end"),
)
_PALETTE: Final = (KeyCommand("", "Ctrl+P", "", "", "Command palette: all of this by name, and themes"),)
_SECTIONS: Final = (
    ("Dashboard", (*DASHBOARD, *MOVING)),
    ("Lists", _IN_LISTS),
    ("Detail of a ticker", DETAIL),
    ("Topics", TOPICS),
    ("Messages of a topic", MESSAGES),
    ("Services", SERVICES),
    ("Log", LOG),
    ("Everywhere", (*EVERYWHERE, *_PALETTE)),
)


class HelpScreen(ModalScreen[None]):
    """What each key does, from the same declarations that bind them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss(None)", "Close"),
        Binding("ctrl+c", "app.quit", "Quit", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield Table((Column("", 14), Column("", 40, elastic=True)), header=False, id="help", classes="dialog")

    def on_mount(self) -> None:
        rows: list[Row] = []
        for title, commands in _SECTIONS:
            if rows:
                rows.append(Row(f"above {title}", (text(""),)))
            rows.append(Row(title, (text(title, "accent"),)))
            rows += [Row(f"{title} {c.shown}", (text(c.shown, "strong"), text(c.help))) for c in commands]
        table = self.query_one(Table)
        table.set_titles("Keys", "Esc closes")
        table.show(rows)
