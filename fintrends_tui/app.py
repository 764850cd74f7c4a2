"""The application: holds the latest snapshot and repaints what can be seen, a few times a second."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from fintrends_tui import themes
from fintrends_tui.commands import EVERYWHERE, KeyCommand, bindings
from fintrends_tui.link import Link, LinkError, LinkStatus
from fintrends_tui.log_feed import LogFeed
from fintrends_tui.view import View
from fintrends_tui.widgets.chart import Look
from pipeline.protocol import Add, Command, Focus, TickersChanged
from pipeline.settings import SettingsError
from pipeline.snapshot import Snapshot

ExitReason = Literal["quit", "detach"]


@runtime_checkable
class Repaintable(Protocol):
    """A screen that shows views."""

    def update_view(self, view: View) -> None: ...


@runtime_checkable
class Commanded(Protocol):
    """A screen with commands of its own, which the palette offers while it is shown."""

    KEYS: tuple[KeyCommand, ...]


class FintrendsApp(App[ExitReason]):
    """The dashboard. `run` returns "quit" or "detach".

    `tickers` are added to the watchlist of the pipeline it connects to, where they are missing. Snapshots are never
    queued: the repaint timer takes the latest.
    """

    TITLE = "fintrends"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(EVERYWHERE)]

    def __init__(
        self,
        link: Link,
        *,
        tickers: Sequence[str] = (),
        refresh_per_second: float = 4,
        theme: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.register_theme(themes.DARK)
        self.register_theme(themes.LIGHT)
        if theme and theme not in self.available_themes:
            raise SettingsError(f"screen.theme: there is no {theme!r}; there are {', '.join(self.available_themes)}")
        self.theme = theme or themes.DARK.name
        self.link = link
        self.log_feed = LogFeed(link.ask)
        self.selected: str | None = None
        self.chart_look = Look(volume=True, last=500)
        """Of the detail screen, as it was last left."""
        self._status = LinkStatus("connecting", "connecting to the pipeline…")
        self._snapshot: Snapshot | None = None
        self._requested = tuple(tickers)
        self._to_add = list(tickers)
        self._focused_ticker: str | None = None
        self._interval = 1 / refresh_per_second
        self._now = now
        self._painted: tuple[View, Screen[Any]] | None = None

    @property
    def current_view(self) -> View:
        """What there is to show now."""
        return View(self._status, self._snapshot, self.selected, int(self._now()), self._requested)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.FALLBACK

    def get_default_screen(self) -> Screen[None]:
        from fintrends_tui.screens.dashboard import Dashboard

        return Dashboard()

    def on_mount(self) -> None:
        self.run_worker(self.link.run(self._on_status, self._on_snapshot), group="link", name="link")
        self.set_interval(self._interval, self.repaint)

    async def on_unmount(self) -> None:
        await self.link.close()

    def repaint(self) -> None:
        """Show the present view, unless it is the one that is shown."""
        view = self.current_view
        self._follow(view)
        if not self.screen.is_mounted:
            return  # on a busy machine the timer can be quicker than the screen's parts
        if self._painted is not None and self._painted[0] == view and self._painted[1] is self.screen:
            return
        self._painted = (view, self.screen)
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Repaintable):
                screen.update_view(view)
            if not screen.is_modal:
                break

    def command(self, command: Command) -> None:
        """Ask the pipeline, and tell the user what came of it."""
        self.run_worker(self._command(command), group="command")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        own = screen.KEYS if isinstance(screen, Commanded) else ()
        for command in (*own, *EVERYWHERE):
            if command.label:
                yield SystemCommand(command.label, command.help, self._runner(command.action, screen))
        yield from (c for c in super().get_system_commands(screen) if c.title not in ("Quit", "Keys"))

    def action_help(self) -> None:
        from fintrends_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen())

    def action_detach(self) -> None:
        self.exit("detach")

    async def action_quit(self) -> None:
        from fintrends_tui.screens.stopping import StoppingScreen

        if self.link.started_here and not isinstance(self.screen, StoppingScreen):
            self.push_screen(StoppingScreen(self.link))
        else:
            self.exit("quit")

    def _on_status(self, status: LinkStatus) -> None:
        # After a reconnection the pipeline knows nothing of what this screen has selected.
        self._focused_ticker = None
        self._status = status

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def _follow(self, view: View) -> None:
        """Send what the pipeline has to know of this screen: its selection, and the tickers it was started with."""
        if view.status.state != "connected" or view.snapshot is None:
            return
        if self._to_add:
            there = {ticker.ticker for ticker in view.snapshot.tickers}
            missing = [ticker for ticker in self._to_add if ticker not in there]
            self._to_add = []
            if missing:
                self.command(Add(missing))
        if view.selected != self._focused_ticker:
            self._focused_ticker = view.selected
            self.run_worker(self._focus(view.selected), group="focus", exclusive=True)

    async def _focus(self, ticker: str | None) -> None:
        try:
            await self.link.ask(Focus(ticker))
        except LinkError as error:
            self.notify(str(error), severity="error", markup=False)

    async def _command(self, command: Command) -> None:
        try:
            result = await self.link.ask(command)
        except LinkError as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            if isinstance(result, TickersChanged):
                self.notify(result.note, markup=False)

    def _runner(self, action: str, screen: Screen[Any]) -> Callable[[], Any]:
        async def run() -> None:
            await self.run_action(action, screen)

        return run
