"""What the screens have in common on which one can look for a text."""

from typing import TYPE_CHECKING, cast

from textual import on
from textual.screen import Screen
from textual.widgets import Input

from fintrends_tui.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.search_bar import SearchBar

if TYPE_CHECKING:
    from fintrends_tui.app import FintrendsApp


class SearchingScreen(Screen[None]):
    """A screen with a header, a search bar, and a first `.panel` that is looked through."""

    @property
    def fintrends(self) -> "FintrendsApp":
        return cast("FintrendsApp", self.app)

    def on_mount(self) -> None:
        self.update_view(self.fintrends.current_view)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)

    def action_search(self) -> None:
        self.query_one(SearchBar).open()

    def action_back(self) -> None:
        bar = self.query_one(SearchBar)
        if bar.value:
            bar.value = ""
            self.call_later(bar.action_submit)
        else:
            self.app.pop_screen()

    @on(Input.Submitted, "#search")
    def _leave_search(self) -> None:
        self.query_one(SearchBar).leave()
