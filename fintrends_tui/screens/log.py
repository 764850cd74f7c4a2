"""The log, as large as the terminal."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Footer

from fintrends_tui.commands import LOG, bindings
from fintrends_tui.log_feed import LogFeed
from fintrends_tui.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.log_pane import LogPane


class LogScreen(Screen[None]):
    """Scrolling back stops following; the end follows again."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(LOG)]

    def __init__(self, feed: LogFeed) -> None:
        super().__init__()
        self._feed = feed

    def compose(self) -> ComposeResult:
        yield Header()
        yield LogPane(self._feed, wrap=True)
        yield Footer(compact=True, show_command_palette=False)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)
        self.query_one(LogPane).update_view(view)
