"""A running dashboard for a test."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace
from textual.pilot import Pilot

from fintrends_tui.app import ExitReason, FintrendsApp
from fintrends_tui.link.port import Link
from fintrends_tui.widgets.table.live_table import Table
from pipeline.config.settings import ScreenSettings
from tests.ui import samples
from tests.ui.fake_link import FakeLink
from tests.ui.gallery import LARGE, settled
from tests.ui.headless import headless, paint


class Dash:
    """The application, its link and its keyboard. The clock stands still until `now` is set."""

    def __init__(self, app: FintrendsApp, link: FakeLink, pilot: Pilot[ExitReason]) -> None:
        self.app = app
        self.link = link
        self.pilot = pilot
        self.now = samples.NOW

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.repaint()

    async def repaint(self) -> None:
        """What the timer does, and all that follows from it."""
        await settled(self.pilot)
        self.app.repaint()
        await settled(self.pilot)
        paint(self.app)

    @property
    def text(self) -> str:
        """What is on the terminal."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    def line(self, part: str) -> str:
        """The first line with `part` in it."""
        return next(line for line in self.text.splitlines() if part in line)

    def table(self, selector: str) -> Table:
        return self.app.screen.query_one(selector, Table)

    def row(self, ticker: str) -> str:
        """The ticker's line on the watchlist."""
        return next(line for line in self.text.splitlines() if line[1:].lstrip("▌ ").startswith(ticker))


@asynccontextmanager
async def running(
    link: FakeLink,
    size: tuple[int, int] = LARGE,
    *,
    tickers: tuple[str, ...] = (),
    settings: ScreenSettings | None = None,
    link_of: Callable[[FakeLink], Link] = lambda link: link,
    **options: Any,
) -> AsyncIterator[Dash]:
    """The dashboard, painted once. Its own timer is so slow that only the test repaints. The application has the
    link that `link_of` makes."""
    settings = replace(settings or ScreenSettings(), refresh_per_second=0.001)
    clock = [lambda: samples.NOW]
    app = FintrendsApp(link_of(link), tickers=tickers, settings=settings, now=lambda: clock[0](), **options)
    app.NOTIFICATION_TIMEOUT = 3600  # of the machine's own time
    async with headless(app, size) as pilot:
        dash = Dash(app, link, pilot)
        clock[0] = lambda: dash.now
        await dash.repaint()
        await dash.repaint()
        yield dash
