"""Small charts of several tickers beside each other."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from fintrends_tui.charting.look import Look
from fintrends_tui.commands import CHARTS, bindings
from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.screens.breakpoints import HEIGHTS, WIDTHS
from fintrends_tui.state.view import View
from fintrends_tui.widgets.chart import Chart
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar

FEW: Final = 4
MANY: Final = 9


class ChartsScreen(BaseScreen[None]):
    """Nine charts where the terminal is wide and tall, else four: of the selected ticker and those after it."""

    KEYS = CHARTS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(CHARTS)]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    AUTO_FOCUS = None

    def __init__(self) -> None:
        super().__init__()
        self._first: int | None = None

    def compose(self) -> ComposeResult:
        yield Header()
        look = Look(extended=self.fintrends.chart_look.extended)
        with Container(id="charts"):
            for index in range(MANY):
                yield Chart(self.fintrends.link.ask, look, self.fintrends.glyphs, follows=False, id=f"chart-{index}")
        yield KeyBar()

    def on_mount(self) -> None:
        self.call_after_refresh(self._update_now)

    def on_resize(self) -> None:
        self.call_after_refresh(self._update_now)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)
        tickers = [row.ticker for row in view.snapshot.tickers] if view.snapshot is not None else []
        if self._first is None:
            self._first = tickers.index(view.selected) if view.selected in tickers else 0
        room = self._room
        self._first = max(0, min(self._first, len(tickers) - room))
        shown = tickers[self._first : self._first + room]
        for index, chart in enumerate(self.query(Chart)):
            chart.of = shown[index] if index < len(shown) else None
            chart.display = chart.of is not None
            if chart.display:
                chart.update_view(view)
        self.query_one("#charts").set_class(len(shown) > FEW, "-many")

    def action_page(self, by: int) -> None:
        """Show the next charts, or those before."""
        self._first = max(0, (self._first or 0) + by * self._room)
        self._update_now()

    def action_candles(self) -> None:
        """Switch between candles and a line."""
        for chart in self.query(Chart):
            chart.look = chart.look._replace(style="line" if chart.look.style == "candles" else "candles")

    def action_range(self, span: str) -> None:
        """Show this range of time in all of them."""
        for chart in self.query(Chart):
            chart.look = chart.look._replace(span=span)
        self._update_now()

    @property
    def _room(self) -> int:
        return MANY if self.has_class("-wide") and self.has_class("-tall") else FEW

    def _update_now(self) -> None:
        if self.query(Header):  # or it was put off until the screen had gone
            self.update_view(self.fintrends.current_view)
