"""The pipeline's log."""

import re
from typing import Any, Final

import msgspec
from rich.style import Style
from textual import events

from fintrends_tui.state import format as fmt
from fintrends_tui.state.log_feed import LogFeed
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Cell, Column, Row, Span, outside, text
from fintrends_tui.widgets.wrapping import wrap
from pipeline.contract.protocol import LogLine
from pipeline.model.field_filter import parse_filter
from pipeline.model.text import drawn

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_TONES: Final = {"DEBUG": "dim", "WARNING": "warn", "ERROR": "error", "CRITICAL": "error"}
_COLUMNS: Final = (
    Column("Time UTC", 8),
    Column("Level", 8),
    Column("Logger", 18, drop=1),
    Column("Message", 40, elastic=True),
)


class LogPane(Panel):
    """Follows the newest line until the reader scrolls up, and again once they are back at the end. The compact form
    has warnings and errors only."""

    LABEL = "Log"

    def __init__(self, feed: LogFeed, *, wrapped: bool = False) -> None:
        """`wrapped` shows long lines whole, on as many lines as they need."""
        super().__init__(_COLUMNS, header=False, id="log", classes="panel")
        self._feed = feed
        self._wrapped = wrapped
        self._level = 0
        self._pattern: re.Pattern[str] | None = None
        self._conditions = ""
        self._found: list[int] = []
        self._current: int | None = None
        self._made: dict[int, list[Row]] = {}
        self._shown: tuple[object, ...] | None = None
        self._empty_sentence = ""
        self._follow = True

    def update_view(self, view: View) -> None:
        if view.snapshot is not None and view.status.state == "connected" and self._feed.behind(view.snapshot.pipeline):
            self.run_worker(self._fetch(view), group="log")
        self._empty_sentence = view.waiting("The log is empty.")
        if self.display:
            self._show_lines()

    def toggle_following(self) -> None:
        if self._follow:
            self._follow = False
        else:
            self.action_last()
        self._show_title()

    def next_level(self) -> None:
        """Leave out the lines of one level more; after the last, none."""
        self._level = (self._level + 1) % len(LEVELS)
        self._show_lines()

    def toggle_wrapping(self) -> None:
        self._wrapped = not self._wrapped
        self._show_lines()

    def look_for(self, words: str) -> None:
        """Mark the text wherever it is, whatever its case, and go to the newest line that has it. What reads as
        conditions on fields, such as ``logger~sink level=warning``, leaves out the lines that do not meet them."""
        self._conditions = words if parse_filter(words) is not None else ""
        words = "" if self._conditions else words
        self._pattern = re.compile(re.escape(words), re.IGNORECASE) if words else None
        self._current = None
        self._made.clear()
        self._shown = None
        self._show_lines()
        if words:
            self.find(-1)

    def find(self, step: int) -> None:
        """Go to the next line that has the text, or the one before; round from the end to the start."""
        if not self._found:
            return
        here = self._found.index(self._current) if self._current in self._found else (0 if step < 0 else -1)
        self._current = self._found[(here + step) % len(self._found)]
        self._show_lines()
        index = next(index for index, row in enumerate(self._rows) if _seq(row) == self._current)
        self.scroll_to(y=max(0, index - self.page_size // 2), animate=False, immediate=True)

    def action_last(self) -> None:
        self._follow = True
        super().action_last()
        self._show_title()

    def row_base(self, index: int) -> Style:
        found = self._current is not None and _seq(self._rows[index]) == self._current
        return self.marked_style if found else super().row_base(index)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._show_lines()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follow = new_value >= self.max_scroll_y
        self._show_title()

    async def _fetch(self, view: View) -> None:
        if view.snapshot is not None:
            await self._feed.fetch(view.snapshot.pipeline)
            if self.display:
                self._show_lines()

    def _show_lines(self) -> None:
        lines = self._feed.lines
        ends = (lines[0].seq, lines[-1].seq) if lines else ()
        width = self.width_of("Message") if self._wrapped else 0
        level = max(self._level, LEVELS.index("WARNING")) if self.compact else self._level
        wanted = (*ends, len(lines), self._conditions, width, level, self._current, self._empty_sentence)
        if wanted == self._shown:
            return
        if self._shown is not None and self._shown[-4] != width:
            self._made.clear()
        self._shown = wanted
        conditions = parse_filter(self._conditions)
        shown = [
            line
            for line in lines
            if _rank(line.level) >= level and (conditions is None or conditions.matches(_fields(line)))
        ]
        pattern = self._pattern
        self._found = [line.seq for line in shown if pattern is not None and pattern.search(line.text)]
        self._made = {line.seq: self._made.get(line.seq) or _rows(line, width, pattern) for line in shown}
        self._put([row for rows in self._made.values() for row in rows])
        self._show_title()

    def _put(self, rows: list[Row]) -> None:
        """Show the rows, at the end while following, else where the reader is although older lines have gone."""
        top = int(self.scroll_y)
        reading = self._rows[top].key if not self._follow and top < len(self._rows) else None
        if rows:
            # Not by `show`: it would compare thousands of lines that have all moved up by one.
            self._rows = tuple(rows)
            self._redraw()
        else:
            none = "No line meets the conditions." if self._conditions else "No lines at this level."
            self.show([], none if self._feed.lines else self._empty_sentence)
        if self._follow:
            # Not before the layout knows of the new lines.
            self.call_after_refresh(self._scroll_to_end)
        elif reading is not None:
            index = next((index for index, row in enumerate(rows) if row.key == reading), top)
            if index != top:
                self.scroll_to(y=index, animate=False, immediate=True)

    def _scroll_to_end(self) -> None:
        if self._follow:
            self.scroll_end(animate=False, immediate=True)  # or a reader who stops following meanwhile is not heard

    def _show_title(self) -> None:
        name = "Log" if not self._level else f"Log from {LEVELS[self._level].lower()} on"
        parts = (
            [f"where {self._conditions}: {len(self._made):,} of {len(self._feed.lines):,}"] if self._conditions else []
        )
        if self._pattern is not None:
            number = self._found.index(self._current) + 1 if self._current in self._found else 0
            parts.append(f"{number} of {len(self._found)} found")
        if not self._follow:
            parts.append("scrolled back; End follows again")
        self.set_titles(name, "   ".join(parts))


def _fields(line: LogLine) -> dict[str, Any]:
    """Those that a line has in a log of JSON, and those of the message itself where that is JSON."""
    own = {"ts": fmt.timestamp(line.at), "level": line.level, "logger": line.logger, "message": line.text}
    if not line.text.startswith("{"):
        return own
    try:
        value = msgspec.json.decode(line.text)
    except (ValueError, RecursionError):
        return own
    return value | own if isinstance(value, dict) else own


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS) - 1


def _seq(row: Row) -> int:
    """The number of the line that the row is a part of."""
    return int(row.key.partition(".")[0])


def _rows(line: LogLine, width: int, pattern: re.Pattern[str] | None) -> list[Row]:
    """The line, broken into parts of `width` cells where that is not 0."""
    tone = _TONES.get(line.level, "")
    words = drawn(line.text)
    names = (text(fmt.clock(line.at), "dim"), outside(line.level, tone or "dim"), outside(line.logger, "dim"))
    blank = (text(""),) * len(names)
    return [
        Row(f"{line.seq}.{part}", (*(blank if part else names), _marked(piece, tone, pattern)))
        for part, piece in enumerate(wrap(words, width) if width else [words])
    ]


def _marked(words: str, tone: str, pattern: re.Pattern[str] | None) -> Cell:
    """The words, with what the pattern matches marked."""
    spans, end = [], 0
    for match in pattern.finditer(words) if pattern is not None else ():
        spans += [Span(words[end : match.start()], tone), Span(match[0], "badge")]
        end = match.end()
    return (*spans, Span(words[end:], tone))
