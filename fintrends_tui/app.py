"""The application: holds the latest snapshot and repaints what can be seen, a few times a second."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, runtime_checkable

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition, Event, Key, Paste, Resize
from textual.filter import LineFilter
from textual.geometry import Size
from textual.screen import Screen

from fintrends_tui import keys, themes
from fintrends_tui.commands import EVERYWHERE, KeyCommand, bindings
from fintrends_tui.link.port import Link, LinkError, LinkStatus
from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.state.access import OWNER, Access
from fintrends_tui.state.alerts import NewAlerts
from fintrends_tui.state.arrangement import Groups
from fintrends_tui.state.log_feed import LogFeed
from fintrends_tui.state.memory import ScreenMemory
from fintrends_tui.state.positions import PositionKeeper
from fintrends_tui.state.view import Shows, View
from fintrends_tui.terminal.charset import AsciiFilter, ColourlessFilter
from fintrends_tui.terminal.pace import FramePacer
from fintrends_tui.terminal.styles import SparingDriver
from fintrends_tui.terminal.suspend import SUSPEND_KEY, Suspension
from fintrends_tui.terminal.typeahead import TypeAhead, Typed
from pipeline.config.settings import ScreenSettings, SettingsError
from pipeline.contract.alerts import sentence_of
from pipeline.contract.protocol import Add, Command, Done, Focus, TickersChanged
from pipeline.contract.snapshot import Snapshot
from pipeline.model.text import drawn

if TYPE_CHECKING:
    from fintrends_tui.charting.candles import Glyphs
    from fintrends_tui.charting.look import Look

ExitReason = Literal["quit", "detach"]

_WHERE_IS_THE_CURSOR: Final = "\x1b[6n"
"""Every terminal answers this (DSR 6), once it has come that far."""
_TOASTS: Final = 3
"""New alerts that are shown each, where many come at once."""
_TOAST_SECONDS: Final = 10


@runtime_checkable
class Commanded(Protocol):
    """A screen with its own commands, which the palette offers while it is shown."""

    KEYS: tuple[KeyCommand, ...]


class FintrendsApp(App[ExitReason]):
    """The dashboard. `run` returns "quit" or "detach".

    `tickers` are added to the watchlist of the pipeline it connects to, where they are missing. Snapshots are never
    queued: the repaint timer takes the latest, when the terminal is ready for it.
    """

    TITLE = "fintrends"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(EVERYWHERE), Binding("ctrl+c", "quit", show=False)]

    def __init__(
        self,
        link: Link,
        *,
        tickers: Sequence[str] = (),
        settings: ScreenSettings | None = None,
        keymap: Mapping[str, str] | None = None,
        memory: ScreenMemory | None = None,
        positions: PositionKeeper | None = None,
        ascii_only: bool = False,
        access: Access = OWNER,
        writable: Callable[[], bool] = lambda: True,
        terminal_size: Callable[[], tuple[int, int]] | None = None,
        browse: Callable[[str], bool] = lambda _: False,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`keymap` is from `keys.keymap`; `writable` says whether the terminal accepts output without waiting, and
        `terminal_size` its columns and lines; `browse` opens an address in a browser, or returns False without one.

        Raises:
            SettingsError: if there is no such theme.
        """
        super().__init__()
        self.settings = settings or ScreenSettings()
        self.memory = memory or ScreenMemory()
        self.positions = positions or PositionKeeper()
        self.link = link
        self.access = access
        self.log_feed = LogFeed(link.ask)
        self.selected: str | None = None
        self._status = LinkStatus("connecting", "connecting to the pipeline…")
        self._snapshot: Snapshot | None = None
        self._new_alerts = NewAlerts()
        self._requested = tuple(tickers)
        self._to_add = list(tickers)
        self._asked_for_tickers = bool(tickers)
        self._focused_ticker: str | None = None
        self._interval = 1 / self.settings.refresh_per_second
        self._pace = FramePacer(self._interval)
        self._writable = writable
        self._terminal_size = terminal_size
        self._browse = browse
        self._now = now
        self._painted: tuple[View, Screen[Any]] | None = None
        self._type_ahead = TypeAhead(self, self._deliver)
        self._keys = dict(keymap or {})
        self._ascii_only = ascii_only
        self._suspension: Suspension | None = None
        self._our_filters: list[LineFilter] = [
            *([ColourlessFilter()] if self.no_color else []),
            *([AsciiFilter()] if ascii_only else []),
        ]
        for theme in themes.OURS:
            self.register_theme(theme)
        self.theme = self._first_theme()
        self.set_keymap(self._keys)

    @property
    def current_view(self) -> View:
        """What there is to show now."""
        is_slow, badge = self._pace.is_slow, self.access.badge
        hidden = self.memory.now.hide_amounts or not self.access.shows_positions
        held = self.positions.now(self._snapshot, hidden=hidden)
        return View(
            self._status, self._snapshot, self.selected, int(self._now()), self._requested, is_slow, badge, held
        )

    @property
    def failure(self) -> str:
        """Why there is no pipeline, and will not be one; empty while there may be."""
        return self._status.note if self._status.state == "failed" and self._snapshot is None else ""

    @property
    def leaves_pipeline(self) -> bool:
        """Whether a pipeline runs that quitting does not stop."""
        return self._status.state == "connected" and not self.link.started_here

    @property
    def groups(self) -> Groups:
        """Named parts of the watchlist: those of the settings, then those made on the screen."""
        return self.settings.groups | self.memory.now.groups

    @property
    def notes(self) -> Mapping[str, str]:
        """The user's own words on tickers; whoever only looks in does not see them."""
        return {} if self.access.reads_only else self.memory.now.notes

    @cached_property
    def chart_look(self) -> "Look":
        """Of the detail screen, as it was last left."""
        from fintrends_tui.charting.look import Look

        return Look(style="candles", volume=True, extended=self.settings.extended_hours)

    @property
    def glyphs(self) -> "Glyphs":
        """What the bodies of candles are filled with."""
        from fintrends_tui.charting.candles import ASCII, BLOCKS, SHADES

        return ASCII if self._ascii_only else SHADES if self.no_color else BLOCKS

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        return SparingDriver if found is LinuxDriver else found

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.FALLBACK

    def refresh_css(self, animate: bool = True) -> None:
        """Before there is a screen only the theme's variables are taken: all rules would be parsed twice."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._our_filters]

    def get_key_display(self, binding: Binding) -> str:
        return self._drawn(binding.key_display or keys.shown(binding.key))

    def keys_of(self, command: KeyCommand) -> str:
        """The command's keys as people read them."""
        mine = self._keys.get(command.name)
        return self._drawn(keys.shown(mine) if mine else command.shown)

    def _drawn(self, key: str) -> str:
        # Its likeness of one cell would be that of the left arrow.
        return key.replace("⏎", "Enter") if self._ascii_only else key

    def get_default_screen(self) -> Screen[None]:
        from fintrends_tui.screens.dashboard import Dashboard

        return Dashboard()

    def on_mount(self) -> None:
        self.run_worker(self.link.run(self._on_status, self._on_snapshot), group="link", name="link")
        self.set_interval(self._interval, self._tick)
        driver = self._driver
        if driver is not None and driver.can_suspend and not self.is_headless and not self.access.elsewhere:
            loop = asyncio.get_running_loop()
            self._suspension = Suspension(driver, lambda: loop.call_soon_threadsafe(self.call_later, self._resumed))
            self._suspension.install()
        if self.memory.problem:
            self.notify(self.memory.problem, severity="warning", markup=False, timeout=10)

    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key) and event.key == SUSPEND_KEY and self._suspension is not None:
            self._suspension.ask()  # from every screen, dialogs too
        elif isinstance(event, Key | Paste) and not event.is_forwarded:
            self._type_ahead.add(event)
        else:
            await super().on_event(event)

    async def _deliver(self, event: Typed) -> None:
        if isinstance(self.screen, BaseScreen):
            await self.screen.whole()
        await super().on_event(event)

    def on_cursor_position(self, event: CursorPosition) -> None:
        """The terminal has shown the last paint."""
        del event
        self._pace.answered()

    def watch_theme(self, theme: str) -> None:
        if self.is_running and theme != self.settings.theme:
            self.remember(theme=theme)

    def remember(self, **choices: object) -> None:
        """Keep choices for the next start."""
        try:
            self.memory.keep(**choices)
        except OSError as error:
            self.notify(f"The choice cannot be saved: {error}", severity="warning", markup=False)

    async def on_unmount(self) -> None:
        await self.link.close()

    def repaint(self) -> None:
        """Show the present view, unless it is the one that is shown."""
        view = self.current_view
        self._follow(view)
        if not self.screen.is_mounted:
            return  # on a busy machine the timer can be quicker than the screen's parts
        if self._is_shown(view):
            return
        self._painted = (view, self.screen)
        if view.snapshot is not None:
            self._tell_alerts(view.snapshot, private=view.holdings.hidden)
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Shows):
                screen.update_view(view)
            if not screen.is_modal:
                break

    def command(self, command: Command) -> None:
        """Ask the pipeline, and report the result to the user."""
        self.run_worker(self._command(command), group="command")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        own = screen.KEYS if isinstance(screen, Commanded) else ()
        for command in (*own, *EVERYWHERE):
            if command.action_name in self.access.without:
                continue
            title = command.label or command.name.replace("-", " ").capitalize()
            yield SystemCommand(title, command.help, self._runner(command.action, screen))
        yield from (c for c in super().get_system_commands(screen) if self._offers(c.title))

    def _offers(self, title: str) -> bool:
        """Whether the palette has Textual's own command."""
        return title not in ("Quit", "Keys") and title.lower() not in self.access.without

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in self.access.without and super().check_action(action, parameters)

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Open it in the browser; where that is another machine's, as over ssh, show it and copy it."""
        del new_tab
        if self.access.elsewhere or not self._browse(url):
            self.copy_to_clipboard(url)
            told = f"{url}\nNo browser here. Copied, if the terminal allows it."
            self.notify(told, title="Link", markup=False, timeout=_TOAST_SECONDS)

    def push_screen(self, *arguments: Any, **options: Any) -> Any:
        """What was said on the screen before does not cover the next one."""
        self.clear_notifications()
        return super().push_screen(*arguments, **options)

    def action_help(self) -> None:
        from fintrends_tui.screens.dialogs.help import HelpScreen

        self.push_screen(HelpScreen(self.screen.KEYS if isinstance(self.screen, Commanded) else ()))

    def action_hide_amounts(self) -> None:
        """Hide what the user holds from those who look on, or show it again."""
        self.remember(hide_amounts=not self.memory.now.hide_amounts)
        self.repaint()

    def action_detach(self) -> None:
        self.exit("detach")

    async def action_quit(self) -> None:
        from fintrends_tui.screens.dialogs.stopping import StoppingScreen

        if self.link.started_here and not isinstance(self.screen, StoppingScreen):
            self.push_screen(StoppingScreen(self.link))
        else:
            self.exit("quit")

    def _resumed(self) -> None:
        """Paint everything: the terminal shows what the shell has left, and may have another size."""
        self._pace = FramePacer(self._interval)  # what was asked before is never answered
        self._painted = None
        self._fit()
        self.refresh(layout=True)

    def _is_shown(self, view: View) -> bool:
        return self._painted is not None and self._painted[1] is self.screen and view.looks_like(self._painted[0])

    def _tick(self) -> None:
        if not self.screen_stack:
            return  # the last screen has gone, and the timer goes next
        self._fit()
        now = time.monotonic()
        if self._is_shown(self.current_view) or not self._pace.due(now, writable=self._writable()):
            return
        self.repaint()
        if self._pace.painted(now) and self._driver is not None and not self.is_headless:
            # Not before the paint itself, which Textual sends when it is idle.
            self.call_after_refresh(self._driver.write, _WHERE_IS_THE_CURSOR)

    def _fit(self) -> None:
        """Take the terminal's size, should the screen have another.

        Of two signals in quick succession the handler of the second can run within that of the first, and Textual (8.2)
        then takes the size that the first has read for the last.
        """
        if self._terminal_size is not None:
            size = Size(*self._terminal_size())
            if self.screen.outer_size != size:
                self.post_message(Resize(size, size))

    def _on_status(self, status: LinkStatus) -> None:
        # After a reconnection the pipeline knows nothing of what this screen has selected.
        self._focused_ticker = None
        self._status = status
        if status.warning:
            self.notify(status.warning, severity="warning", markup=False, timeout=_TOAST_SECONDS)

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def _follow(self, view: View) -> None:
        """Send what the pipeline has to know of this screen: its selection, and the tickers it was started with."""
        if view.status.state != "connected" or view.snapshot is None:
            return
        # A recording has what it has.
        if needed := self.positions.to_watch() if view.replay is None else []:
            self.command(Add(needed))
        if self._to_add:
            there = {ticker.ticker for ticker in view.snapshot.tickers}
            missing = [ticker for ticker in self._to_add if ticker not in there]
            self._to_add = []
            if missing:
                self.command(Add(missing))
        elif not self._asked_for_tickers:
            self._asked_for_tickers = True
            if not view.snapshot.tickers and not needed and "add" not in self.access.without:
                self._greet()
        for problem in self.positions.news()[:_TOASTS]:
            self.notify(drawn(problem), title="Positions", severity="warning", markup=False, timeout=_TOAST_SECONDS)
        if view.selected != self._focused_ticker:
            self._focused_ticker = view.selected
            self.run_worker(self._focus(view.selected), group="focus", exclusive=True)

    def _tell_alerts(self, snapshot: Snapshot, *, private: bool) -> None:
        """Show and sound what has fired since the last paint: one bell, and a few toasts at most. `private` keeps
        back the amounts of positions."""
        from fintrends_tui.screens.alerts import AlertsScreen

        new, more = self._new_alerts.take(snapshot)
        if not new:
            return
        if isinstance(self.screen, AlertsScreen):  # which lists them
            new, more = [], 0
        sentences = [drawn(sentence_of(alert, private=private)) for alert in new[-_TOASTS:]]
        if more := more + len(new[:-_TOASTS]):
            sentences.append(f"and {more} more; the alerts screen lists them")
        for sentence in sentences:
            self.notify(sentence, title="Alert", severity="warning", markup=False, timeout=_TOAST_SECONDS)
        if self.settings.bell:
            self.bell()

    def _greet(self) -> None:
        from fintrends_tui.screens.dashboard import Dashboard

        if isinstance(self.screen, Dashboard):
            self.screen.ask_for_tickers("Welcome to fintrends. Which tickers do you want to watch?")

    def _first_theme(self) -> str:
        """Of the settings, else the one chosen last, else ours for a dark or a light terminal.

        Raises:
            SettingsError: if the settings name one that there is not.
        """
        wanted = self.settings.theme
        if wanted and wanted not in self.available_themes:
            raise SettingsError(f"screen.theme: there is no {wanted!r}; there are {', '.join(self.available_themes)}")
        chosen = self.memory.now.theme
        return wanted or (chosen if chosen in self.available_themes else themes.preferred(os.environ))

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
            if isinstance(result, TickersChanged | Done):
                self.notify(result.note, markup=False)

    def _runner(self, action: str, screen: Screen[Any]) -> Callable[[], Any]:
        async def run() -> None:
            await self.run_action(action, screen)

        return run
