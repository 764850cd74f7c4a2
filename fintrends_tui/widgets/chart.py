"""The price chart of one ticker."""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from fintrends_tui.charting.candles import BLOCKS, Glyphs
from fintrends_tui.charting.canvas import Run
from fintrends_tui.charting.composing import ChartData, compose
from fintrends_tui.charting.drawing import LEAST_HEIGHT, LEAST_WIDTH, Picture, draw
from fintrends_tui.charting.look import SENTIMENT, Look, request
from fintrends_tui.charting.plot import Plot
from fintrends_tui.charting.titles import titles
from fintrends_tui.link.port import LinkError
from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.chart_data import fetch
from fintrends_tui.widgets.inks import Inks
from pipeline.contract.protocol import Command, GetHistory, History
from pipeline.contract.snapshot import ForecastView, TickerView

_MINUTE: Final = 60


class Chart(Widget, can_focus=True):
    """Asks for the bars it needs, when they change and only while it can be seen.

    `look` says how and what is shown, `history` is what it is shown from. Of a chart that changes only the cells that
    differ are drawn again: a whole one is some ten kilobytes, and the forming bar moves with every trade.
    """

    LABEL = "Chart"
    look: reactive[Look] = reactive(Look(), init=False, repaint=False)

    def __init__(
        self,
        ask: Callable[[Command], Awaitable[Any]],
        look: Look | None = None,
        glyphs: Glyphs = BLOCKS,
        *,
        follows: bool = True,
        id: str = "chart",  # noqa: A002 # as Textual calls it
    ) -> None:
        """Of the ticker that the view has selected; one that does not follow it is `of` another, which may be set."""
        super().__init__(id=id, classes="panel")
        self._ask = ask
        self.set_reactive(Chart.look, look or Look())
        self._glyphs = glyphs
        self._follows = follows
        self.of: str | None = None
        self._data: ChartData | None = None
        self._fetched: tuple[object, object] | None = None
        self._fetched_at = 0
        self._moved_at = 0
        self._busy = False
        self._ticker: str | None = None
        self._row: TickerView | None = None
        self._forecasts: Sequence[ForecastView] = ()
        self._sentence = ""
        self._titles = ("", "")
        self._plot: Plot | None = None
        self._picture: Picture | None = None
        self._strips: dict[int, Strip] = {}
        self._cursor: float | None = None

    @property
    def history(self) -> History | None:
        """The bars that are shown."""
        return None if self._data is None else self._data.history

    @property
    def plot(self) -> Plot | None:
        """What is drawn."""
        return self._plot

    def update_view(self, view: View) -> None:
        """Show the chart of the view's ticker, fetching its bars if they are others than those shown."""
        ticker = view.selected if self._follows else self.of
        if self._data is not None and self._data.history.ticker != ticker:
            self._data, self._cursor, self._fetched = None, None, None
            self._redraw()
        rows = view.snapshot.tickers if view.snapshot is not None else []
        row = next((row for row in rows if row.ticker == ticker), None)
        forecasts: Sequence[ForecastView] = (
            view.detail.forecasts if view.detail is not None and view.detail.ticker == ticker else ()
        )
        has_moved = _shown_of(row) != _shown_of(self._row) or (self.look.fan and forecasts != self._forecasts)
        if has_moved and ticker == self._ticker and view.now == self._moved_at:
            row, forecasts, has_moved = self._row, self._forecasts, False  # once a second is often enough
        self._row, self._ticker, self._forecasts = row, ticker, forecasts
        if view.snapshot is None or ticker is None:
            self._fetched = None
            self._say(view.waiting("Select a ticker on the watchlist to see its chart."))
        elif view.status.state == "connected" and not self._busy and (version := self._version(view)) is not None:
            anchor = _anchor(row, view.now)
            zone = ZoneInfo(self._data.history.zone if self._data else view.detail.zone if view.detail else "UTC")
            wanted = request(self.look, ticker, anchor, zone)
            needs = (view.snapshot.pipeline.pid, wanted, self.look.beside, SENTIMENT in self.look.studies)
            # What is past does not change with the newest bar.
            key = (needs, None if self.look.until is not None else version)
            is_news = self._fetched is None or self._fetched[0] != needs
            # A bar that forms changes with every trade: once a second is often enough for all bars to be sent anew.
            if key != self._fetched and (is_news or view.now != self._fetched_at):
                self._fetched, self._fetched_at = key, view.now
                self._busy = True
                self.run_worker(self._fetch(wanted), group="chart")
        elif self._fetched is None:
            self._say(f"Waiting for the bars of {ticker}…")
        if has_moved and self._data is not None:
            self._moved_at = view.now
            self._redraw()
        self._show_titles()

    def move_cursor(self, by: int) -> None:
        """Look at the bar so many to the right; beyond the last one at none."""
        if self._plot is None:
            return
        at = len(self._plot.candles) if self._cursor is None else self._cursor_in(self._plot)
        at = max(0, (at or 0) + by)
        self._point_at(at if at < len(self._plot.candles) else None)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        offset = event.get_content_offset(self)
        if self._picture is not None and offset is not None and offset.x < self._picture.columns.width:
            self._point_at(self._picture.candle_at(offset.x))

    def on_leave(self) -> None:
        self._point_at(None)

    def render(self) -> RenderResult:
        """What stands there while there is no chart."""
        no_room = self._plot is not None or (self._data is not None and bool(self._data.history.bars))
        return Content("There is no room for a chart here." if no_room else self._sentence)

    def render_line(self, y: int) -> Strip:
        if self._picture is None and self._data is not None:
            self._draw()
        if self._picture is None or y >= len(self._picture.rows):
            return super().render_line(y)
        if y not in self._strips:
            inks = Inks(self.app.theme_variables, self.background_colors[1])
            self._strips[y] = inks.strip(self._picture.rows[y])
        return self._strips[y]

    def watch_look(self) -> None:
        self._cursor = None
        self._redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips = {}

    def on_resize(self) -> None:
        self._strips = {}
        self._draw()
        self._show_titles()
        self.refresh()

    def _version(self, view: View) -> object:
        """What changes when the bars do; None while that is not known."""
        if not self._follows and (self._ticker != view.selected or view.detail is None):
            # The snapshot tells versions of the selected ticker only; of others it tells when they were heard.
            return None if self._row is None else ("heard", (self._row.as_of or 0.0) // _MINUTE)
        if view.detail is None:
            return None
        return view.detail.chart_version, view.detail.rows_version if self.look.fields else 0

    def _redraw(self) -> None:
        """Draw it anew, and have sent what differs from what was drawn before."""
        before = self._picture
        self._draw()
        after = self._picture
        if before is None or after is None or len(before.rows) != len(after.rows):
            self._strips = {}
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before.rows, after.rows, strict=True)):
            if old != new:
                self._strips.pop(y, None)
                left, right = _difference(old, new)
                self.refresh(Region(left, y, right - left, 1))

    def _draw(self) -> None:
        width, height = self.size
        self._picture = self._plot = None
        if self._data is None or width < LEAST_WIDTH or height < LEAST_HEIGHT:
            return
        self._plot = compose(self._data, self.look, self._row, width, self._glyphs, self._forecasts)
        if self._plot is not None:
            self._picture = draw(replace(self._plot, cursor=self._cursor_in(self._plot)), width, height)

    def _cursor_in(self, plot: Plot) -> int | None:
        if self._cursor is None:
            return None
        return min(bisect_left(plot.candles, self._cursor, key=lambda candle: candle.ts), len(plot.candles) - 1)

    def _point_at(self, index: int | None) -> None:
        at = None if index is None or self._plot is None else self._plot.candles[index].ts
        if at != self._cursor:
            self._cursor = at
            self._redraw()

    async def _fetch(self, wanted: GetHistory) -> None:
        try:
            data = await fetch(self._ask, wanted, self.look)
        except LinkError as error:
            self._data = None
            self._say(f"The chart cannot be loaded: {error}")
        else:
            self._say(f"No bars of {wanted.ticker} in this range. A longer range, up to MAX, may have some.")
            self._data = data
        finally:
            self._busy = False
        self._redraw()
        self._show_titles()

    def _say(self, sentence: str) -> None:
        if sentence != self._sentence:
            self._sentence = sentence
            if self._picture is None:
                self.refresh()

    def _show_titles(self) -> None:
        shown = titles(self._ticker or "", self._data, self._plot, self.look, self._row, brief=not self._follows)
        if shown != self._titles:
            self._titles = shown
            self.border_title, self.border_subtitle = (Content(title) for title in shown)


def _shown_of(row: TickerView | None) -> object:
    """What of a row a chart shows."""
    if row is None or row.price is None:
        return None
    # As texts: the difference of two floats is not the same to the last digit with every price.
    previous = fmt.price(row.price - (row.change or 0.0), ticker=row.ticker)
    return previous, row.price, row.day, row.extended and row.extended.price


def _anchor(row: TickerView | None, now: float) -> float:
    """When the last price is of, which is long ago in a replay; without one, now."""
    times = [row.as_of, row.extended.as_of if row.extended is not None else None] if row is not None else []
    latest = max((at for at in times if at is not None), default=now)
    return latest - latest % _MINUTE  # not another range with every trade


def _difference(old: tuple[Run, ...], new: tuple[Run, ...]) -> tuple[int, int]:
    """The first cell in which two lines of one length differ, and the one after the last."""
    before, after = ([(glyph, run.tone, run.ground) for run in line for glyph in run.text] for line in (old, new))
    differs = [x for x, (one, two) in enumerate(zip(before, after, strict=True)) if one != two]
    return (differs[0], differs[-1] + 1) if differs else (0, 0)
