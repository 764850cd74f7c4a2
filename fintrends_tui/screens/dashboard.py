"""The main screen: the watchlist, and around it everything else."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Tab, Tabs

from fintrends_tui.commands import DASHBOARD, MOVING, bindings
from fintrends_tui.screens.breakpoints import HEIGHTS, WIDTHS
from fintrends_tui.view import View
from fintrends_tui.widgets.chart import Chart
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.headlines import Headlines
from fintrends_tui.widgets.indicators import Indicators
from fintrends_tui.widgets.loads import Loads
from fintrends_tui.widgets.log_pane import LogPane
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.services import Services
from fintrends_tui.widgets.topics import Topics
from fintrends_tui.widgets.trouble_line import TroubleLine
from fintrends_tui.widgets.watchlist import Watchlist
from fintrends_tui.widgets.writes import Writes
from pipeline.protocol import Add, Load, Pause, Remove, Restart, Resume
from pipeline.topics import DEAD_LETTER

if TYPE_CHECKING:
    from fintrends_tui.app import FintrendsApp


class Dashboard(Screen[None]):
    """On a wide and tall terminal a grid of all panels; otherwise the watchlist above one panel, chosen by tabs.

    Both are the same widgets: app.tcss hides all but the `-active` one where there is no room for all.
    """

    KEYS = DASHBOARD
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(DASHBOARD), *bindings(MOVING)]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    AUTO_FOCUS = "#watchlist"

    @property
    def fintrends(self) -> "FintrendsApp":
        return cast("FintrendsApp", self.app)

    @property
    def selected(self) -> str | None:
        """The watchlist's own word: a key can come before the message that the selection has moved."""
        return self.query_one(Watchlist).selected

    def compose(self) -> ComposeResult:
        ask = self.fintrends.link.ask
        panels: tuple[Panel | Chart, ...] = (
            Chart(ask),
            Indicators(),
            Headlines(),
            Topics(),
            Services(),
            Writes(),
            LogPane(self.fintrends.log_feed),
            Loads(),
        )
        tabs = Tabs(*(Tab(panel.LABEL, id=f"tab-{panel.id}") for panel in panels), id="tabs")
        tabs.can_focus = False
        yield Header()
        yield TroubleLine()
        with Container(id="body"):
            yield Watchlist()
            yield tabs
            yield from panels
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._show_loads(False)
        self.show_panel("chart")
        self.update_view(self.fintrends.current_view)

    def on_resize(self) -> None:
        # Panels that the new layout brings to light know nothing yet.
        self.call_after_refresh(self._update_now)

    def update_view(self, view: View) -> None:
        self._show_loads(bool(view.snapshot and view.snapshot.loads))
        self.query_one(Header).update_view(view)
        self.query_one(TroubleLine).update_view(view)
        for panel in self.query(".panel").results(Widget):
            if panel.display and isinstance(panel, Panel | Chart | Watchlist):
                panel.update_view(view)

    def show_panel(self, panel_id: str) -> None:
        """Bring the panel's tab to the front where there are tabs."""
        for panel in self.query(".panel").results(Widget):
            panel.set_class(panel.id == panel_id, "-active")
        self.query_one(Tabs).active = f"tab-{panel_id}"
        self.call_after_refresh(self._update_now)

    def _update_now(self) -> None:
        self.update_view(self.fintrends.current_view)

    @on(Watchlist.Moved)
    def _selection_moved(self) -> None:
        self.fintrends.selected = self.selected
        self.fintrends.repaint()

    @on(Watchlist.Opened)
    def action_detail(self) -> None:
        """Open the selected ticker."""
        from fintrends_tui.screens.detail import DetailScreen

        if self.selected is not None:
            self.fintrends.selected = self.selected
            self.app.push_screen(DetailScreen())

    @on(Tabs.TabActivated)
    def _tab_activated(self, event: Tabs.TabActivated) -> None:
        self.show_panel((event.tab.id or "").removeprefix("tab-"))

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if event.widget.has_class("panel") and event.widget.id not in ("watchlist", None):
            self.show_panel(str(event.widget.id))

    def action_panel(self, step: int) -> None:
        """Move the focus to the next panel, or the one before."""
        loading = self.has_class("-loading")
        panels = [p for p in self.query(".panel").results(Widget) if loading or p.id != "loads"]
        here = panels.index(self.focused) if self.focused in panels else 0
        target = panels[(here + step) % len(panels)]
        if target.id != "watchlist":
            self.show_panel(str(target.id))
        # Not before its class has taken effect: what is hidden cannot be focused.
        self.call_after_refresh(target.focus)

    def action_add(self) -> None:
        from fintrends_tui.screens.add import AddScreen

        def added(tickers: list[str] | None) -> None:
            if tickers:
                self.fintrends.command(Add(tickers))

        self.app.push_screen(AddScreen(), added)

    def action_remove(self) -> None:
        from fintrends_tui.screens.choose import Choice, ChooseScreen

        ticker = self.selected
        if ticker is None:
            return

        def chosen(value: str | None) -> None:
            if value == "remove":
                self.fintrends.command(Remove([ticker]))

        self.app.push_screen(
            ChooseScreen(
                f"Remove {ticker} from the watchlist?",
                [Choice("remove", f"Remove {ticker}; what is stored of it stays"), Choice("keep", "Keep it")],
            ),
            chosen,
        )

    def action_load(self) -> None:
        from fintrends_tui.screens.choose import Choice, ChooseScreen

        ticker = self.selected
        one = [Choice(ticker, f"{ticker} only")] if ticker else []

        def chosen(value: str | None) -> None:
            if value is not None:
                self.fintrends.command(Load([value] if value else []))

        self.app.push_screen(
            ChooseScreen("Load the history of", [*one, Choice("", "every ticker of the watchlist")]), chosen
        )

    def action_pause(self) -> None:
        snapshot = self.fintrends.current_view.snapshot
        self.fintrends.command(Resume() if snapshot is not None and snapshot.pipeline.paused else Pause())

    def action_restart(self) -> None:
        from fintrends_tui.screens.choose import Choice, ChooseScreen

        snapshot = self.fintrends.current_view.snapshot
        services = snapshot.services if snapshot is not None else []

        def chosen(value: str | None) -> None:
            if value is not None:
                self.fintrends.command(Restart(value or None))

        choices = [Choice("", "all services"), *(Choice(s.name, f"{s.name}  ({s.state})") for s in services)]
        self.app.push_screen(ChooseScreen("Restart", choices), chosen)

    def action_topics(self) -> None:
        from fintrends_tui.screens.topics import TopicsScreen

        self.app.push_screen(TopicsScreen())

    def action_services(self) -> None:
        from fintrends_tui.screens.services import ServicesScreen

        self.app.push_screen(ServicesScreen())

    def action_dead_letters(self) -> None:
        from fintrends_tui.screens.messages import MessagesScreen

        self.app.push_screen(MessagesScreen(DEAD_LETTER))

    def action_log(self) -> None:
        from fintrends_tui.screens.log import LogScreen

        self.app.push_screen(LogScreen(self.fintrends.log_feed))

    def _show_loads(self, loading: bool) -> None:
        if loading == self.has_class("-loading") and self.is_mounted:
            return
        self.set_class(loading, "-loading")
        tabs = self.query_one(Tabs)
        if loading:
            tabs.show("tab-loads")
            self.show_panel("loads")
        else:
            tabs.hide("tab-loads")
            if self.query_one(Loads).has_class("-active"):
                self.show_panel("chart")
