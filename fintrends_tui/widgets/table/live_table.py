"""The one list widget: lines of cells, of which only those that changed are drawn again."""

import textwrap
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from fintrends_tui.commands import LISTS, bindings
from fintrends_tui.widgets.table.cells import Cell, Column, ColumnSlot, Row, Span, arrange, fit, text
from fintrends_tui.widgets.table.tones import marked, toned


class Table(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows under a fixed line of column titles.

    A changed cell costs its own width on the terminal, an unchanged row nothing: strips are kept until their row, the
    size or the theme changes.
    """

    GUTTER: ClassVar[int] = 0
    """Cells kept free at the start of each line."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(LISTS)]

    def __init__(
        self,
        columns: Sequence[Column] = (),
        *,
        header: bool = True,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._columns: tuple[Column, ...] = tuple(columns)
        self._header = header
        self._rows: tuple[Row, ...] = ()
        self._empty = ""
        self._titles = ("", "")
        self._slots: list[ColumnSlot] = []
        self._strips: dict[int, Strip] = {}
        self._styles: dict[tuple[Style, str], Style] = {}

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown."""
        return self._rows

    def width_of(self, title: str) -> int:
        """The cells that the column of this title has now; 0 while there is no room for it."""
        return next((slot.width for slot in self._slots if self._columns[slot.column].title == title), 0)

    def set_columns(self, columns: Sequence[Column], *, header: bool | None = None) -> None:
        """Change the columns, and whether their titles are shown; the rows that `show` gets next must fit them."""
        header = self._header if header is None else header
        if (tuple(columns), header) != (self._columns, self._header):
            self._columns, self._header = tuple(columns), header
            self._rows = ()
            self._redraw()

    def show(self, rows: Sequence[Row], empty: str = "") -> None:
        """Show these rows, or where there are none the sentence `empty`."""
        old, self._rows = self._rows, tuple(rows)
        if len(old) != len(self._rows) or (not self._rows and empty != self._empty):
            self._empty = empty
            self._redraw()
            return
        for index, (before, after) in enumerate(zip(old, self._rows, strict=True)):
            if before != after:
                self._redraw_cells(index, before.cells, after.cells)

    def set_titles(self, title: str, subtitle: str = "") -> None:
        """The texts in the border; plain, not markup."""
        if (title, subtitle) != self._titles:
            self._titles = (title, subtitle)
            self.border_title = Content(title)
            self.border_subtitle = Content(subtitle)

    def render_line(self, y: int) -> Strip:
        width = self.line_width
        if not self._rows:
            return self._empty_line(y, width)
        if self._header and y == 0:
            return self._header_line(width)
        index = y - self._header + self.scroll_offset.y
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(index)
        if strip is None:
            strip = self._strips[index] = self._row_line(index, width)
        if self.text_selection is not None:
            strip = self._with_selection(strip, index)
        return _selectable(strip, index)

    def row_base(self, index: int) -> Style:
        """The style that a row's tones lie upon."""
        del index
        return self.rich_style

    @property
    def marked_style(self) -> Style:
        """The style of a row that stands out, for `row_base`."""
        return marked(self.rich_style, self.app.theme_variables, coloured=not self.app.no_color)

    def title_cell(self, column: Column) -> Cell:
        """What stands above the column."""
        return text(column.title)

    def column_at(self, x: int) -> Column | None:
        """The column at cell `x` of the widget's content."""
        end = self.GUTTER
        for slot in self._slots:
            end += slot.gap + slot.width
            if x < end:
                return self._columns[slot.column]
        return None

    def row_at(self, y: int) -> int | None:
        """The index of the row on line `y` of the widget's content."""
        index = y - self._header + self.scroll_offset.y
        return index if y >= self._header and index < len(self._rows) else None

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, for copying."""
        lines = ["".join(span.text for span in self._spans(row.cells)) for row in self._rows]
        return (selection.extract("\n".join(lines)), "\n") if lines else None

    def selection_updated(self, selection: Selection | None) -> None:
        del selection
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()
        self._styles.clear()

    def on_resize(self, event: events.Resize) -> None:
        del event
        self._redraw()

    def action_up(self) -> None:
        self.scroll_relative(y=-1, animate=False)

    def action_down(self) -> None:
        self.scroll_relative(y=1, animate=False)

    def action_page(self, pages: int) -> None:
        self.scroll_relative(y=pages * self.page_size, animate=False)

    def action_first(self) -> None:
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        self.scroll_end(animate=False, immediate=True)

    @property
    def line_width(self) -> int:
        """The cells of a line; the scrollbar has a place of its own, needed or not, so that lines keep their width."""
        return self.scrollable_content_region.width

    @property
    def page_size(self) -> int:
        """The rows that are visible at once."""
        return max(1, self.size.height - self._header)

    def _redraw(self) -> None:
        self._strips.clear()
        self._slots = arrange(self._columns, self.line_width - self.GUTTER)
        self.virtual_size = Size(0, len(self._rows) + self._header)
        self.refresh()

    def _redraw_row(self, index: int) -> None:
        self._strips.pop(index, None)
        self.refresh_line(index + self._header)

    def _redraw_cells(self, index: int, before: Sequence[Cell], after: Sequence[Cell]) -> None:
        """Send the line only as far as it changed: a whole one costs half a kilobyte, most of it colours.

        One region and not one for each cell, for Textual sends a line from its beginning to the end of each.
        """
        if len(before) != len(after) or len(after) == 1:
            self._redraw_row(index)
            return
        self._strips.pop(index, None)
        x, y = self.GUTTER, index + self._header - self.scroll_offset.y
        if not self._header <= y < self.size.height:
            return
        changed = []
        for slot in self._slots:
            x += slot.gap
            if before[slot.column] != after[slot.column]:
                changed.append((x, x + slot.width))
            x += slot.width
        if changed:
            start, stop = changed[0][0], changed[-1][1]
            self.refresh(Region(start, y, stop - start, 1))

    def _row_line(self, index: int, width: int) -> Strip:
        return self._line(self._rows[index].cells, width, self.row_base(index))

    def _header_line(self, width: int) -> Strip:
        style = self._toned(self.rich_style, "dim")
        return self._line(tuple(self.title_cell(column) for column in self._columns), width, style)

    def _empty_line(self, y: int, width: int) -> Strip:
        lines = textwrap.wrap(self._empty, max(8, width - 2))
        style = self._toned(self.rich_style, "dim")
        return Strip([Segment(f" {lines[y] if y < len(lines) else ''}", style)]).crop_extend(0, width, style)

    def _line(self, cells: Sequence[Cell], width: int, base: Style) -> Strip:
        segments = [Segment(span.text, self._toned(base, span.tone)) for span in self._spans(cells)]
        # What is done to each segment afterwards costs more than to make one of neighbours that look alike. Strips are
        # dear, too, so that there is one.
        return Strip(Segment.simplify(Segment.adjust_line_length(segments, width, base)), width)

    def _toned(self, base: Style, tone: str) -> Style:
        style = self._styles.get((base, tone))
        if style is None:
            style = self._styles[base, tone] = toned(base, tone, self.app.theme_variables)
        return style

    def _spans(self, cells: Sequence[Cell]) -> Iterator[Span]:
        yield Span(" " * self.GUTTER)
        if len(cells) == 1:
            yield from fit(cells[0], self.line_width - self.GUTTER)
            return
        for slot in self._slots:
            yield Span(" " * slot.gap)
            yield from fit(cells[slot.column], slot.width, right=self._columns[slot.column].right)

    def _with_selection(self, strip: Strip, index: int) -> Strip:
        selection = self.text_selection
        span = selection.get_span(index) if selection is not None else None
        if span is None:
            return strip
        start, end = span
        end = strip.cell_length if end == -1 else end
        style = self.screen.get_component_rich_style("screen--selection", partial=True)
        before, inside, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
        return Strip.join([before, inside.apply_style(style), after])


def _selectable(strip: Strip, y: int) -> Strip:
    """As `Strip.apply_offsets`, by which the mouse knows what it selects; that makes all styles anew each time."""
    segments = []
    x = 0
    for text_, style, _ in strip:
        segments.append(Segment(text_, (style or Style.null()) + _place(x, y)))
        x += len(text_)
    return Strip(segments, strip.cell_length)


@lru_cache(8192)
def _place(x: int, y: int) -> Style:
    return Style.from_meta({"offset": (x, y)})
