"""One ticker, as large as the terminal."""

from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from fintrends_tui.charting.buckets import step_named
from fintrends_tui.charting.candles import ASCII
from fintrends_tui.charting.look import Look
from fintrends_tui.commands import DETAIL, bindings
from fintrends_tui.link.port import LinkError
from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.screens.breakpoints import WIDTHS
from fintrends_tui.state.view import View
from fintrends_tui.terminal.browser import web_address
from fintrends_tui.widgets.chart import Chart
from fintrends_tui.widgets.forecast import ForecastWords
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.headlines import HeadlineList
from fintrends_tui.widgets.indicators import IndicatorTable
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.ticker_summary import TickerSummary
from pipeline.contract.protocol import GetSeries, ValueSeries

HEIGHTS: Final = [(0, "-low"), (30, "-high")]
"""From which size on, in lines, there is room for large digits."""


class DetailScreen(BaseScreen[None]):
    """What the price is worth, a large chart that can be switched and searched, what the next closes may be and how
    well that was known so far, the indicators of every interval, and all headlines with what made their scores."""

    KEYS = DETAIL
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(DETAIL)]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    AUTO_FOCUS = "#indicator-table"

    def __init__(self, step: Callable[[int], None]) -> None:
        """`step` selects the ticker so many on in the watchlist."""
        super().__init__()
        self._step = step

    def compose(self) -> ComposeResult:
        yield Header()
        yield TickerSummary(large=self.fintrends.glyphs is not ASCII)
        yield Chart(self.fintrends.link.ask, self.fintrends.chart_look, self.fintrends.glyphs)
        yield ForecastWords()
        with Horizontal(id="below"):
            yield IndicatorTable()
            yield HeadlineList()
        yield KeyBar()

    def on_mount(self) -> None:
        self.update_view(self.fintrends.current_view)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)
        self.query_one(TickerSummary).update_view(view, self.fintrends.notes.get(view.selected or "", ""))
        self.query_one(Chart).update_view(view)
        self.query_one(ForecastWords).update_view(view)
        self.query_one(IndicatorTable).update_view(view)
        self.query_one(HeadlineList).update_view(view)

    def action_ticker(self, by: int) -> None:
        """Show the next ticker of the watchlist (1), or the one before (-1)."""
        self._chart.look = self.fintrends.chart_look
        self._step(by)

    def action_open(self) -> None:
        """Open the selected headline."""
        headline = self.query_one(HeadlineList).chosen
        if headline is None:
            self.notify(f"There is no headline of {self.fintrends.selected} to open.", markup=False)
        elif (address := web_address(headline.url)) is None:
            self.notify(f"{headline.source} gave no web address with it.", markup=False)
        else:
            self.app.open_url(address)

    def action_note(self) -> None:
        """Ask for a note on the ticker."""
        from fintrends_tui.screens.dialogs.note import ask_for_note

        if self.fintrends.selected is not None:
            ask_for_note(self, self.fintrends.selected, lambda: self.update_view(self.fintrends.current_view))

    def action_interval(self, step: int) -> None:
        """Show the next longer bars, or the next shorter ones, that can be made of those stored."""
        history, plot, look = self._chart.history, self._chart.plot, self._chart.look
        if history is None or plot is None:
            return
        longer = look.longer(step, plot.step, step_named(history.intervals[0]))
        if longer is not None:
            self._show(longer)
            return
        which = "longest bars there are" if step > 0 else f"shortest bars stored of {history.ticker}"
        self.notify(f"{plot.step.name} bars are the {which}.", markup=False)

    def action_range(self, span: str) -> None:
        """Show this range of time, in bars as short as have room."""
        self._show(self._chart.look._replace(span=span, window=None, step=None))

    def action_candles(self) -> None:
        """Switch between candles and a line."""
        look = self._chart.look
        self._show(look._replace(style="line" if look.style == "candles" else "candles", beside=""))

    def action_volume(self) -> None:
        """Show or hide the volume."""
        self._show(self._chart.look._replace(volume=not self._chart.look.volume))

    def action_fan(self) -> None:
        """Show or hide the forecast."""
        look = self._chart.look
        view = self.fintrends.current_view
        self._show(look._replace(fan=not look.fan, beside=""))
        if look.fan:
            return
        if not (view.detail and view.detail.forecasts):
            self.notify(f"Nothing is forecast of {view.selected} yet, or forecasts are turned off.", markup=False)
        elif (plot := self._chart.plot) is not None and not plot.bands and look.until is None:
            self.notify(f"What is forecast ends within the next candle of {plot.step.name}; ← shows shorter ones.")

    def action_log_scale(self) -> None:
        """Switch between a linear and a logarithmic axis."""
        self._show(self._chart.look._replace(log=not self._chart.look.log))

    def action_extended(self) -> None:
        """Show or hide what was traded before the open and after the close."""
        look, history = self._chart.look, self._chart.history
        if history is not None and not history.has_hours:
            what = f"No bars of {history.ticker} are of before the open or after the close"
            source = f", as far as {history.source} tells" if history.source else ""
            self.notify(f"{what}{source}.", markup=False)
            return
        self._show(look._replace(extended=not look.extended))

    def action_study(self, name: str) -> None:
        """Show a study, or take it off."""
        self._show(self._chart.look._replace(studies=self._chart.look.studies ^ {name}))

    def action_zoom(self, step: int) -> None:
        """Show twice as much time (1), or half as much (-1)."""
        plot, look = self._chart.plot, self._chart.look
        if plot is None:
            return
        zoomed = look.zoomed(step, plot.candles[0].ts, plot.candles[-1].ts)
        if zoomed is None:
            self.notify("Bars of a minute are the shortest there are: no more can be zoomed into.", markup=False)
        else:
            self._show(zoomed)

    def action_pan(self, direction: int) -> None:
        """Go half a chart back in time (-1) or forward (1), not beyond what is stored."""
        plot, look = self._chart.plot, self._chart.look
        if plot is None or (look.until is None and direction > 0):
            return
        first, last = plot.candles[0].ts, plot.candles[-1].ts
        half = (last - first) / 2
        if direction < 0:
            self._show(look._replace(window=(first - half, first + half), step=plot.step.name))
            return
        newest = self.fintrends.current_view.now
        at_the_end = last + half >= newest
        self._show(look._replace(window=(first + half, None if at_the_end else last + half), step=plot.step.name))

    def action_point(self, by: int) -> None:
        """Look at the bar before, or the next one."""
        self._chart.move_cursor(by)

    def action_compare(self) -> None:
        """Ask what to compare with."""
        self.run_worker(self._compare(), group="compare")

    async def _compare(self) -> None:
        from fintrends_tui.screens.dialogs.choose import Choice, ChooseScreen

        view = self.fintrends.current_view
        ticker = view.selected
        try:
            economic: ValueSeries = await self.fintrends.link.ask(GetSeries("economic", ""))
        except LinkError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        rows = view.snapshot.tickers if view.snapshot is not None else []
        choices = [
            *([Choice("", "nothing: prices again")] if self._chart.look.beside else []),
            *(Choice(row.ticker, row.ticker) for row in rows if row.ticker != ticker),
            Choice("sentiment", f"the sentiment of {ticker}"),
            *(Choice(f"economic:{name}", name) for name in economic.names),
        ]

        def chosen(beside: str | None) -> None:
            if beside is not None:
                self._show(self._chart.look._replace(beside=beside))

        self.app.push_screen(ChooseScreen(f"Compare {ticker} with", choices), chosen)

    @property
    def _chart(self) -> Chart:
        return self.query_one(Chart)

    def _show(self, look: Look) -> None:
        self._chart.look = look
        # The next ticker begins at its newest bar, and with what has room.
        self.fintrends.chart_look = look._replace(window=None, step=None, beside="")
        self._chart.update_view(self.fintrends.current_view)
