"""The pipeline's log."""

import textwrap
from typing import Final

from textual import events

from fintrends_tui import format as fmt
from fintrends_tui.log_feed import LogFeed
from fintrends_tui.view import View
from fintrends_tui.widgets.cells import Column, Row, outside, text
from fintrends_tui.widgets.panel import Panel
from pipeline.protocol import LogLine

_TONES: Final = {"DEBUG": "dim", "WARNING": "warn", "ERROR": "error", "CRITICAL": "error"}
_COLUMNS: Final = (
    Column("Time UTC", 8),
    Column("Level", 8),
    Column("Logger", 18, drop=1),
    Column("Message", 40, elastic=True),
)


class LogPane(Panel):
    """Follows the newest line until the reader scrolls up, and again once they are back at the end."""

    LABEL = "Log"

    def __init__(self, feed: LogFeed, *, wrap: bool = False) -> None:
        """`wrap` shows long lines whole, on as many lines as they need."""
        super().__init__(_COLUMNS, header=False, id="log", classes="panel")
        self._feed = feed
        self._wrap = wrap
        self._shown: tuple[int, int] | None = None
        self._follow = True

    def update_view(self, view: View) -> None:
        if view.snapshot is not None and view.status.state == "connected" and self._feed.behind(view.snapshot.pipeline):
            self.run_worker(self._fetch(view), group="log")
        self._show_lines(view)

    async def _fetch(self, view: View) -> None:
        if view.snapshot is not None:
            await self._feed.fetch(view.snapshot.pipeline)
            self._show_lines(view)

    def _show_lines(self, view: View) -> None:
        lines = self._feed.lines
        self._show_title()
        ends = (lines[0].seq, lines[-1].seq) if lines else None
        if ends is None or ends != self._shown:
            self._shown = ends
            width = self.width_of("Message") if self._wrap else 0
            self.show([row for line in lines for row in _rows(line, width)], view.waiting("The log is empty."))
            if self._follow:
                # Not before the layout knows of the new lines.
                self.call_after_refresh(self.scroll_end, animate=False)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._shown = None  # lines wrap elsewhere now

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follow = new_value >= self.max_scroll_y
        self._show_title()

    def _show_title(self) -> None:
        self.set_titles("Log", "" if self._follow else "scrolled back; End follows again")


def _rows(line: LogLine, width: int) -> list[Row]:
    """The line, broken into parts of `width` cells where that is not 0."""
    tone = _TONES.get(line.level, "")
    first, *rest = (textwrap.wrap(line.text, width) if width else None) or [line.text]
    names = (text(fmt.clock(line.at), "dim"), outside(line.level, tone or "dim"), outside(line.logger, "dim"))
    blank = (text(""),) * len(names)
    return [
        Row(str(line.seq), (*names, outside(first, tone))),
        *(Row(f"{line.seq}.{part}", (*blank, outside(words, tone))) for part, words in enumerate(rest)),
    ]
