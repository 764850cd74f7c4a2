"""The price chart of the selected ticker."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import RenderResult
from textual.color import Color
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from fintrends_tui import format as fmt
from fintrends_tui import plot
from fintrends_tui.link import LinkError
from fintrends_tui.view import View
from pipeline.protocol import Command, GetHistory, History


class Chart(Widget, can_focus=True):
    """Asks for the bars it needs, when they change and only while it can be seen.

    `interval` is the one to show, None for the finest; `history` is what is shown.
    """

    LABEL = "Chart"
    interval: reactive[str | None] = reactive(None, init=False)
    history: reactive[History | None] = reactive(None, init=False)

    def __init__(self, ask: Callable[[Command], Awaitable[Any]], *, last: int = 240, id: str = "chart") -> None:  # noqa: A002
        super().__init__(id=id, classes="panel")
        self._ask = ask
        self._last = last
        self._fetched: tuple[object, ...] | None = None
        self._busy = False
        self._ticker: str | None = None
        self._sentence = ""
        self._titles = ("", "")

    def update_view(self, view: View) -> None:
        """Show the chart of the view's ticker, fetching its bars if they are others than those shown."""
        if self.history is not None and self.history.ticker != view.selected:
            self.history = None
        if view.snapshot is None or view.selected is None:
            self._fetched = None
            self._say(view.waiting("Select a ticker on the watchlist to see its chart."))
        elif view.detail is not None and view.status.state == "connected" and not self._busy:
            wanted = (view.snapshot.pipeline.pid, view.selected, self.interval, view.detail.chart_version)
            if wanted != self._fetched:
                self._fetched = wanted
                self._busy = True
                self.run_worker(self._fetch(view.selected, self.interval), group="chart")
        elif self._fetched is None:
            self._say(f"Waiting for the bars of {view.selected}…")
        self._ticker = view.selected
        self._show_titles()

    def render(self) -> RenderResult:
        history = self.history
        width, height = self.size
        if history is None or len(history.bars) < 2 or width < 20 or height < 4:
            no_room = history is not None and len(history.bars) >= 2
            return Content("There is no room for a chart here." if no_room else self._sentence or "")
        rising = history.bars[-1].close >= history.bars[0].close
        line = Color.parse(self.app.theme_variables["up" if rising else "down"])
        return plot.draw(
            history.bars,
            width,
            height,
            daily=history.interval == "daily",
            line=line.rgb,
            area=self.background_colors[1].blend(line, 0.4).rgb,
            axis=Color.parse(self.app.theme_variables["faint"]).rgb,
        )

    async def _fetch(self, ticker: str, interval: str | None) -> None:
        try:
            await asyncio.to_thread(plot.load)
            history: History = await self._ask(GetHistory(ticker=ticker, interval=interval, last=self._last))
        except LinkError as error:
            self.history = None
            self._say(f"The chart cannot be loaded: {error}")
        else:
            self._say(f"No bars of {ticker} yet: the market data producer has not delivered two of them.")
            self.history = history
        finally:
            self._busy = False
        self._show_titles()

    def _say(self, sentence: str) -> None:
        if sentence != self._sentence:
            self._sentence = sentence
            self.refresh()

    def _show_titles(self) -> None:
        history = self.history
        name, extent = f"Chart {self._ticker or ''}".rstrip(), ""
        if history is not None and history.bars:
            name += f" {history.interval}"
            change = history.bars[-1].close / history.bars[0].close * 100 - 100
            low, high = min(bar.low for bar in history.bars), max(bar.high for bar in history.bars)
            extent = (
                f"{fmt.price(history.bars[-1].close)} {fmt.arrow(change)} {fmt.percent(change)} "
                f"over {len(history.bars)} bars, {fmt.price(low)} to {fmt.price(high)}, UTC"
            )
        if (name, extent) != self._titles:
            self._titles = (name, extent)
            self.border_title, self.border_subtitle = Content(name), Content(extent)
