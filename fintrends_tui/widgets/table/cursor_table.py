"""A table with a row that is selected."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from fintrends_tui.widgets.table.cells import Row
from fintrends_tui.widgets.table.live_table import Table


class CursorTable(Table):
    """The cursor stays with its row's key when rows come, go or move, and stays in sight if it was."""

    GUTTER = 1

    class Moved(Message):
        """The cursor is on another row; the table's `selected` is its key."""

    class Opened(Message):
        """A row was double-clicked."""

    class TitleClicked(Message):
        """The title of a column was clicked."""

        def __init__(self, title: str) -> None:
            super().__init__()
            self.title = title

    _cursor = 0

    @property
    def selected(self) -> str | None:
        """The key of the row under the cursor; None while there are no rows."""
        return self._rows[self._cursor].key if self._rows else None

    def show(self, rows: Sequence[Row], empty: str = "") -> None:
        before, in_sight = self.selected, 0 <= self._cursor - self.scroll_offset.y < self.page_size
        super().show(rows, empty)
        keys = [row.key for row in self._rows]
        cursor = keys.index(before) if before in keys else max(0, min(self._cursor, len(keys) - 1))
        if cursor != self._cursor:
            self._cursor = cursor
            self._redraw()
            if in_sight:
                self._scroll_into_sight()
        if self.selected != before:
            self.post_message(self.Moved())

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, and the row into sight."""
        index = max(0, min(index, len(self._rows) - 1))
        if self._rows and index != self._cursor:
            old, self._cursor = self._cursor, index
            self._redraw_row(old)
            self._redraw_row(index)
            self._scroll_into_sight()
            self.post_message(self.Moved())

    def row_base(self, index: int) -> Style:
        return self.marked_style if index == self._cursor else self.rich_style

    def _row_line(self, index: int, width: int) -> Strip:
        strip = super()._row_line(index, width)
        if index != self._cursor:
            return strip
        style = self._toned(self.row_base(index), "accent")
        return Strip.join([Strip([Segment("▌", style)]), strip.crop(self.GUTTER)])

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index = self.row_at(offset.y)
        if self._header and offset.y == 0 and (column := self.column_at(offset.x)) is not None:
            self.post_message(self.TitleClicked(column.title))
        elif index is not None:
            self.move_to(index)
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._scroll_into_sight()

    def action_up(self) -> None:
        self.move_to(self._cursor - 1)

    def action_down(self) -> None:
        self.move_to(self._cursor + 1)

    def action_page(self, pages: int) -> None:
        self.move_to(self._cursor + pages * self.page_size)

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(len(self._rows) - 1)

    def _scroll_into_sight(self) -> None:
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True)
        elif self._cursor >= top + self.page_size:
            self.scroll_to(y=self._cursor - self.page_size + 1, animate=False, immediate=True)
