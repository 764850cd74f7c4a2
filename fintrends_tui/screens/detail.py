"""One ticker, as large as the terminal."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer

from fintrends_tui.commands import DETAIL, bindings
from fintrends_tui.screens.breakpoints import WIDTHS
from fintrends_tui.view import View
from fintrends_tui.widgets.chart import Chart
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.headlines import Headlines
from fintrends_tui.widgets.indicators import IndicatorTable

if TYPE_CHECKING:
    from fintrends_tui.app import FintrendsApp


class DetailScreen(Screen[None]):
    """A large chart whose interval can be switched, the indicators of every interval, and all headlines."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(DETAIL)]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    AUTO_FOCUS = "#indicator-table"

    @property
    def fintrends(self) -> "FintrendsApp":
        return cast("FintrendsApp", self.app)

    def compose(self) -> ComposeResult:
        yield Header()
        yield Chart(self.fintrends.link.ask, last=500)
        with Horizontal(id="below"):
            yield IndicatorTable()
            yield Headlines()
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.update_view(self.fintrends.current_view)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)
        self.query_one(Chart).update_view(view)
        self.query_one(IndicatorTable).update_view(view)
        self.query_one(Headlines).update_view(view)

    def action_interval(self, step: int) -> None:
        """Show the next longer interval, or the next shorter one, of those that are stored."""
        chart = self.query_one(Chart)
        history = chart.history
        if history is None or history.interval not in history.intervals:
            return
        index = history.intervals.index(history.interval) + step
        if 0 <= index < len(history.intervals):
            chart.interval = history.intervals[index]
            chart.update_view(self.fintrends.current_view)
