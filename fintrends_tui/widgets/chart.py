"""The price chart of the selected ticker."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from rich.text import Text
from textual.app import RenderResult
from textual.color import Color
from textual.content import Content
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from fintrends_tui import format as fmt
from fintrends_tui import plot
from fintrends_tui.link import LinkError
from fintrends_tui.view import View
from pipeline.protocol import Command, GetHistory, History


class Study(NamedTuple):
    """Lines that can be laid over the prices: the indicators they follow, and the theme's colour of each."""

    label: str
    fields: tuple[str, ...]
    tones: tuple[str, ...]


STUDIES: Final = {
    "sma": Study("SMA 20/50", ("sma_20", "sma_50"), ("warning", "accent")),
    "ema": Study("EMA 12/26", ("ema_12", "ema_26"), ("warning", "accent")),
    "bands": Study("Bollinger", ("bb_upper", "bb_middle", "bb_lower"), ("faint", "faint", "faint")),
    "vwap": Study("VWAP", ("vwap",), ("secondary",)),
}


class Look(NamedTuple):
    """How prices are shown, and which: the `last` bars, or those before `until` (seconds since the epoch)."""

    style: plot.Style = "line"
    volume: bool = False
    studies: frozenset[str] = frozenset()
    last: int = 240
    until: float | None = None


class Chart(Widget, can_focus=True):
    """Asks for the bars it needs, when they change and only while it can be seen.

    `interval` is the one to show, None for the finest; `history` is what is shown. Of a chart that changes only the
    lines that differ are drawn again: a whole one is some ten kilobytes, and the forming bar moves with every trade.
    """

    LABEL = "Chart"
    interval: reactive[str | None] = reactive(None, init=False)
    history: reactive[History | None] = reactive(None, init=False, repaint=False)
    look: reactive[Look] = reactive(Look(), init=False, repaint=False)

    def __init__(self, ask: Callable[[Command], Awaitable[Any]], look: Look | None = None) -> None:
        super().__init__(id="chart", classes="panel")
        self._ask = ask
        self.set_reactive(Chart.look, look or Look())
        self._fetched: tuple[object, ...] | None = None
        self._busy = False
        self._ticker: str | None = None
        self._sentence = ""
        self._titles = ("", "")
        self._lines: list[Strip] = []

    def update_view(self, view: View) -> None:
        """Show the chart of the view's ticker, fetching its bars if they are others than those shown."""
        if self.history is not None and self.history.ticker != view.selected:
            self.history = None
            self._fetched = None
        if view.snapshot is None or view.selected is None:
            self._fetched = None
            self._say(view.waiting("Select a ticker on the watchlist to see its chart."))
        elif view.detail is not None and view.status.state == "connected" and not self._busy:
            # What is past does not change with the newest bar.
            version = view.detail.chart_version if self.look.until is None else None
            request = self._request(view.selected)
            wanted = (view.snapshot.pipeline.pid, request, version)
            if wanted != self._fetched:
                self._fetched = wanted
                self._busy = True
                self.run_worker(self._fetch(request), group="chart")
        elif self._fetched is None:
            self._say(f"Waiting for the bars of {view.selected}…")
        self._ticker = view.selected
        self._show_titles()

    def render(self) -> RenderResult:
        """What stands there while there is no chart."""
        no_room = self.history is not None and len(self.history.bars) >= 2
        return Content("There is no room for a chart here." if no_room else self._sentence)

    def render_line(self, y: int) -> Strip:
        if not self._lines:
            self._lines = self._drawn()
        return self._lines[y] if y < len(self._lines) else super().render_line(y)

    def watch_history(self) -> None:
        self._redraw()

    def watch_look(self) -> None:
        self._redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lines = []

    def on_resize(self) -> None:
        self._lines = []
        self.refresh()

    def _redraw(self) -> None:
        before, self._lines = self._lines, self._drawn()
        if len(before) != len(self._lines) or not before:
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def _drawn(self) -> list[Strip]:
        """The lines of the chart; none where there is nothing to draw, or no room for it."""
        history = self.history
        width, height = self.size
        if history is None or len(history.bars) < 2 or width < 20 or height < 4:
            return []
        lines = self._plot(history, width, height).split()
        strips = (Strip(line.render(self.app.console)) for line in lines)
        return [strip.adjust_cell_length(width).apply_style(self.rich_style) for strip in strips]

    def _plot(self, history: History, width: int, height: int) -> Text:
        rising = history.bars[-1].close >= history.bars[0].close
        return plot.draw(
            history.bars,
            width,
            height,
            plot.Ink(
                up=self._ink("up"),
                down=self._ink("down"),
                area=self.background_colors[1].blend(self._color("up" if rising else "down"), 0.4).rgb,
                axis=self._ink("faint"),
            ),
            daily=history.interval == "daily",
            style=self.look.style,
            volume=self.look.volume,
            overlays=[
                plot.Overlay(history.indicators[field], self._ink(tone))
                for name, study in STUDIES.items()
                if name in self.look.studies
                for field, tone in zip(study.fields, study.tones, strict=True)
                if field in history.indicators
            ],
        )

    def _request(self, ticker: str) -> GetHistory:
        fields = [field for name, study in STUDIES.items() if name in self.look.studies for field in study.fields]
        return GetHistory(ticker, self.interval, self.look.last, self.look.until, fields)

    async def _fetch(self, request: GetHistory) -> None:
        try:
            await asyncio.to_thread(plot.load)
            history: History = await self._ask(request)
        except LinkError as error:
            self.history = None
            self._say(f"The chart cannot be loaded: {error}")
        else:
            self._say(f"No bars of {request.ticker} yet: the market data producer has not delivered two of them.")
            self.history = history
        finally:
            self._busy = False
        self._show_titles()

    def _color(self, name: str) -> Color:
        return Color.parse(self.app.theme_variables[name])

    def _ink(self, name: str) -> plot.Rgb:
        return self._color(name).rgb

    def _say(self, sentence: str) -> None:
        if sentence != self._sentence:
            self._sentence = sentence
            self.refresh()

    def _show_titles(self) -> None:
        history = self.history
        name, extent = f"Chart {self._ticker or ''}".rstrip(), ""
        if history is not None and history.bars:
            name += f" {history.interval}"
            name += "".join(f" · {STUDIES[study].label}" for study in STUDIES if study in self.look.studies)
            change = history.bars[-1].close / history.bars[0].close * 100 - 100
            low, high = min(bar.low for bar in history.bars), max(bar.high for bar in history.bars)
            extent = (
                f"{fmt.price(history.bars[-1].close)} {fmt.arrow(change)} {fmt.percent(change)} "
                f"over {len(history.bars)} bars, {fmt.price(low)} to {fmt.price(high)}, UTC"
            )
            if self.look.until is not None:
                extent = f"until {fmt.moment(history.bars[-1].ts, daily=history.interval == 'daily')} · {extent}"
        if (name, extent) != self._titles:
            self._titles = (name, extent)
            self.border_title, self.border_subtitle = Content(name), Content(extent)
