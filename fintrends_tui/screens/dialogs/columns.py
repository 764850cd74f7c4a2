"""The question which columns the watchlist has, and in which order."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from fintrends_tui.state.column_choice import ColumnChoice
from fintrends_tui.widgets.table.cells import Column, Row, text
from fintrends_tui.widgets.table.cursor_table import CursorTable
from fintrends_tui.widgets.table.watch_columns import CATALOGUE, DEFAULT

_FIRST: Final = "Ticker"
"""Which is always there."""
_OTHERS: Final = tuple(title for title in CATALOGUE if title != _FIRST)


class ColumnsScreen(ModalScreen[list[str] | None]):
    """Returns the titles of the columns in their order, or None; none at all are the usual ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("space,x", "mark", "On or off"),
        Binding("shift+up,K", "move(-1)", "Move up"),
        Binding("shift+down,J", "move(1)", "Move down"),
        Binding("u", "usual", "The usual ones"),
        Binding("enter", "done", "Show"),
        Binding("ctrl+c", "app.quit", "Quit", show=False),
    ]

    def __init__(self, now: Sequence[str]) -> None:
        super().__init__()
        self._choice = ColumnChoice.of(now or DEFAULT, _OTHERS)

    def compose(self) -> ComposeResult:
        columns = (Column("", 1), Column("", 7), Column("", 20, elastic=True))
        yield CursorTable(columns, header=False, id="columns", classes="dialog")

    def on_mount(self) -> None:
        table = self.query_one(CursorTable)
        table.set_titles("Columns of the watchlist", "space on/off   ⇧↑ ⇧↓ move   u usual   ⏎ show   Esc cancel")
        self._show()
        table.focus()

    def on_cursor_table_opened(self) -> None:
        self.action_mark()

    def action_mark(self) -> None:
        """Show the selected column, or leave it out."""
        self._choose(self._choice.toggled(self._selected))

    def action_move(self, by: int) -> None:
        """Move the selected column to the left (-1) or to the right."""
        self._choose(self._choice.moved(self._selected, by))

    def action_usual(self) -> None:
        """Go back to the usual columns."""
        self._choose(ColumnChoice.of(DEFAULT, _OTHERS))

    def action_done(self) -> None:
        chosen = self._choice.chosen
        self.dismiss([] if tuple(chosen) == DEFAULT[1:] else chosen)

    @property
    def _selected(self) -> str:
        return self.query_one(CursorTable).selected or _OTHERS[0]

    def _choose(self, choice: ColumnChoice) -> None:
        self._choice = choice
        self._show()

    def _show(self) -> None:
        self.query_one(CursorTable).show([_row(title, title in self._choice.shown) for title in self._choice.titles])


def _row(title: str, shown: bool) -> Row:
    return Row(
        title,
        (
            text("✓" if shown else "", "accent"),
            text(title, "strong" if shown else "dim"),
            text(CATALOGUE[title].about, "" if shown else "dim"),
        ),
    )
