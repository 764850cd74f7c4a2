"""The watchlist as a heat map, as large as the terminal."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from fintrends_tui.commands import HEAT, bindings
from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.screens.breakpoints import WIDTHS
from fintrends_tui.state.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.heat_map import HeatMap
from fintrends_tui.widgets.key_bar import KeyBar


class HeatScreen(BaseScreen[None]):
    """What has moved today, and how far, at one look."""

    KEYS = HEAT
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(HEAT)]
    HORIZONTAL_BREAKPOINTS = WIDTHS

    def compose(self) -> ComposeResult:
        yield Header()
        yield HeatMap()
        yield KeyBar()

    def on_mount(self) -> None:
        self.update_view(self.fintrends.current_view)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)
        self.query_one(HeatMap).update_view(view)
