"""One line under the header that says what is wrong; not there while nothing is."""

from rich.cells import cell_len

from fintrends_tui.state.troubles import troubles
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Column, Row, Span, outside
from fintrends_tui.widgets.table.live_table import Table


def _columns(way: int) -> tuple[Column, Column]:
    """What is wrong, in all the room that the way there leaves."""
    return Column("", 20, elastic=True), Column("", way, right=True)


class TroubleLine(Table, can_focus=False):
    """The most urgent trouble, how many more there are, and the key that leads to what is behind it."""

    def __init__(self) -> None:
        super().__init__(_columns(0), header=False, id="trouble")
        self.display = False

    def update_view(self, view: View) -> None:
        found = troubles(view)
        self.display = bool(found)
        if not found:
            return
        first = found[0]
        key, _, where = first.key.partition(" ")
        more = f"+{len(found) - 1} more  " if len(found) > 1 else ""
        self.set_columns(_columns(cell_len(more + first.key)))
        self.show(
            [
                Row(
                    "trouble",
                    (
                        (Span("▲ " if first.tone == "warn" else "✗ ", first.tone), *outside(first.what, first.tone)),
                        (Span(more, "dim"), Span(key, "accent"), Span(f" {where}", "dim")),
                    ),
                )
            ]
        )
