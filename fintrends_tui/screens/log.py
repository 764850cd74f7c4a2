"""The log, as large as the terminal."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from fintrends_tui.commands import LOG, bindings
from fintrends_tui.screens.dialogs.searching import SearchingScreen
from fintrends_tui.state.log_feed import LogFeed
from fintrends_tui.state.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.log_pane import LogPane
from fintrends_tui.widgets.search_bar import SearchBar


class LogScreen(SearchingScreen):
    """Scrolling back stops following; the end follows again."""

    KEYS = LOG
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(LOG)]
    AUTO_FOCUS = "#log"

    def __init__(self, feed: LogFeed) -> None:
        super().__init__()
        self._feed = feed

    def compose(self) -> ComposeResult:
        yield Header()
        yield LogPane(self._feed, wrapped=True)
        yield SearchBar("a text to find, or fields: level=warning logger~sink message~kafka")
        yield KeyBar()

    def update_view(self, view: View) -> None:
        super().update_view(view)
        self.query_one(LogPane).update_view(view)

    @on(Input.Changed, "#search")
    def _look_for(self, event: Input.Changed) -> None:
        self.query_one(LogPane).look_for(event.value)

    def action_find(self, step: int) -> None:
        self.query_one(LogPane).find(step)

    def action_follow(self) -> None:
        self.query_one(LogPane).toggle_following()

    def action_level(self) -> None:
        self.query_one(LogPane).next_level()

    def action_wrap(self) -> None:
        self.query_one(LogPane).toggle_wrapping()
