"""What the screens have in common on which one can look for a text."""

from textual import on
from textual.widgets import Input

from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.state.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.search_bar import SearchBar


class SearchingScreen(BaseScreen[None]):
    """A screen with a header, a search bar, and a first `.panel` that is looked through."""

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
