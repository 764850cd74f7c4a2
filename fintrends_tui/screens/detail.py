"""One ticker, as large as the terminal."""

from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import Screen

from fintrends_tui.commands import DETAIL, bindings
from fintrends_tui.screens.breakpoints import WIDTHS
from fintrends_tui.view import View
from fintrends_tui.widgets.chart import Chart, Look
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.headlines import Headlines
from fintrends_tui.widgets.indicators import IndicatorTable
from fintrends_tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from fintrends_tui.app import FintrendsApp

RANGES: Final = (30, 60, 120, 240, 500, 1000, 2500, 5000)
"""Bars that a chart can show; the last is the most that the pipeline hands out."""


class DetailScreen(Screen[None]):
    """A large chart that can be switched and searched, the indicators of every interval, and all headlines with what
    made their scores."""

    KEYS = DETAIL
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(DETAIL)]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    AUTO_FOCUS = "#indicator-table"

    @property
    def fintrends(self) -> "FintrendsApp":
        return cast("FintrendsApp", self.app)

    def compose(self) -> ComposeResult:
        yield Header()
        yield Chart(self.fintrends.link.ask, self.fintrends.chart_look)
        with Horizontal(id="below"):
            yield IndicatorTable()
            yield Headlines(reasons=True)
        yield KeyBar()

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

    def action_candles(self) -> None:
        """Draw candles, or a line."""
        look = self._chart.look
        self._show(look._replace(style="line" if look.style == "candles" else "candles"))

    def action_volume(self) -> None:
        """Show the volume below the prices, or hide it."""
        self._show(self._chart.look._replace(volume=not self._chart.look.volume))

    def action_study(self, name: str) -> None:
        """Lay a study over the prices, or take it off."""
        self._show(self._chart.look._replace(studies=self._chart.look.studies ^ {name}))

    def action_zoom(self, step: int) -> None:
        """Show more bars (1) or fewer (-1)."""
        look = self._chart.look
        nearest = min(range(len(RANGES)), key=lambda index: abs(RANGES[index] - look.last))
        self._show(look._replace(last=RANGES[max(0, min(nearest + step, len(RANGES) - 1))]))

    def action_pan(self, direction: int) -> None:
        """Go half a chart back in time (-1) or forward (1), not beyond what is stored."""
        look, history = self._chart.look, self._chart.history
        at_the_end = history is None or (look.until is None if direction > 0 else len(history.bars) < look.last)
        if history is None or at_the_end:
            return
        bars = history.bars
        middle = bars[len(bars) // 2].ts
        if direction < 0:
            self._show(look._replace(until=middle))
            return
        until = bars[-1].ts + (bars[-1].ts - middle)
        newest = self.fintrends.current_view.now
        self._show(look._replace(until=until if until < newest else None))

    @property
    def _chart(self) -> Chart:
        return self.query_one(Chart)

    def _show(self, look: Look) -> None:
        self._chart.look = look
        self.fintrends.chart_look = look._replace(until=None)  # the next ticker begins at its newest bar
        self._chart.update_view(self.fintrends.current_view)
