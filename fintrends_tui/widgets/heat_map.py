"""The heat map of the watchlist."""

from textual.app import RenderResult
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget

from fintrends_tui.charting.canvas import Run
from fintrends_tui.charting.heat import heat_map
from fintrends_tui.state.view import View
from fintrends_tui.widgets.inks import Inks


class HeatMap(Widget, can_focus=True):
    """A tile a ticker, in the order of the watchlist."""

    def __init__(self) -> None:
        super().__init__(id="heat", classes="panel")
        self.border_title = "Heat map: change since the previous close"
        self._view: View | None = None
        self._rows: list[tuple[Run, ...]] = []

    def update_view(self, view: View) -> None:
        self._view = view
        self._draw()

    def render(self) -> RenderResult:
        return Content("" if self._view is None else self._view.waiting("There are no tickers on the watchlist."))

    def render_line(self, y: int) -> Strip:
        if y >= len(self._rows):
            return super().render_line(y)
        return Inks(self.app.theme_variables, self.background_colors[1]).strip(self._rows[y])

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        tickers = self._view.snapshot.tickers if self._view is not None and self._view.snapshot is not None else []
        rows = heat_map(tickers, *self.size) if tickers and self.size.width > 1 else []
        if rows != self._rows:
            self._rows = rows
            self.refresh()
