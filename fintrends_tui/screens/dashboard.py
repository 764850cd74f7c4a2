"""The main screen: the watchlist, and around it everything else."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.css.query import NoMatches
from textual.events import DescendantFocus
from textual.widget import MountError, Widget
from textual.widgets import Input, Tabs

from fintrends_tui.commands import DASHBOARD, MOVING, bindings
from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.screens.breakpoints import HEIGHTS, WIDTHS
from fintrends_tui.state.arrangement import ALL, Arrangement
from fintrends_tui.state.expression import is_expression
from fintrends_tui.state.market import missing
from fintrends_tui.state.memory import SavedView
from fintrends_tui.state.replay import next_speed
from fintrends_tui.state.view import Shows, View
from fintrends_tui.widgets.filter_input import FilterInput
from fintrends_tui.widgets.group_strip import GroupStrip
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.health_line import HealthLine
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.market_strip import MarketStrip
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.trouble_line import TroubleLine
from fintrends_tui.widgets.watchlist import WatchlistTable
from pipeline.contract.protocol import Add, Load, Pause, Remove, Restart, Resume, SetReplay

NEWS_SECONDS: Final = 60
"""So long a warning in the log is news."""
_AROUND_ROWS: Final = 3
"""Lines of the watchlist's frame and titles."""
_FEWEST_ROWS: Final = 3
"""That it has room for, whether there are as many or not."""
_ALL_ELSE: Final = 36
"""Lines for all but the rows of a watchlist with other panels below it: five above it, three of its own, nine for the
indicators, six for news, five for the pipeline, six for loads, two for the keys."""


class Dashboard(BaseScreen[None]):
    """On a wide and tall terminal a grid of panels; otherwise the watchlist above one panel, chosen by tabs.

    Both are the same widgets: app.tcss hides all but the `-active` one where there is no room for all. In the grid the
    market comes first, with topics, services and store in one compact row, and log and loads while they have something
    to say; or the pipeline does, with all panels alike. A zoomed panel has the screen to itself.
    """

    KEYS = DASHBOARD
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(DASHBOARD), *bindings(MOVING)]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    AUTO_FOCUS = "#watchlist"

    def __init__(self) -> None:
        super().__init__()
        self._least_height: int | None = None
        """Of the watchlist."""
        self._whole = asyncio.Event()

    @property
    def selected(self) -> str | None:
        """The watchlist's own word: a key can come before the message that the selection has moved."""
        return self.query_one(WatchlistTable).selected

    def compose(self) -> ComposeResult:
        self._begin()
        yield Header()
        yield HealthLine()
        yield TroubleLine()
        yield MarketStrip(self.fintrends.settings.indices)
        with Container(id="body"), Vertical(id="watch"):
            yield GroupStrip()
            yield self._watchlist()
        yield KeyBar()

    def _watchlist(self) -> WatchlistTable:
        settings, chosen = self.fintrends.settings, self.fintrends.memory.now
        arrangement = Arrangement(
            chosen.sort, chosen.reverse, chosen.group or ALL, then=chosen.then, then_reverse=chosen.then_reverse
        )
        return WatchlistTable(
            arrangement, flash=settings.flash, stale_after=settings.stale_after, columns=chosen.columns
        )

    def _begin(self) -> None:
        """Take the classes that the screen will have, for each that comes later has all widgets styled anew."""
        width, height = self.app.size
        for size, breakpoints in ((width, WIDTHS), (height, HEIGHTS)):
            self.add_class(next(name for least, name in reversed(breakpoints) if size >= least))
        self._lay_out()
        self.set_class(_is_short(0, height), "-few")

    def on_mount(self) -> None:
        self.update_view(self.fintrends.current_view)
        self.call_after_refresh(self._complete)

    async def whole(self) -> None:
        await self._whole.wait()

    async def _complete(self) -> None:
        """Add what the first paint does without, for to load and to lay out all takes half as long again."""
        from fintrends_tui.screens.panels import make_panels, make_tabs

        panels = make_panels(self.fintrends)
        panels[0].add_class("-active")
        tabs = make_tabs(panels)
        try:
            with self.app.batch_update():
                await self.query_one("#watch").mount(FilterInput(), before="#watchlist")
                await self.query_one("#body").mount(tabs, *panels)
                tabs.hide("tab-loads")
                self._whole.set()
                self._update_now()
        except (MountError, NoMatches):
            if self.is_attached:
                raise
            # The screen is left before it was whole.

    def on_resize(self) -> None:
        # Panels that the new layout brings to light know nothing yet.
        self.call_after_refresh(self._update_now)

    def update_view(self, view: View) -> None:
        if self._whole.is_set():
            self._show_loads(bool(view.snapshot and view.snapshot.loads))
            self._show_log(view)
        if (view.replay is not None) != self.has_class("-replay"):
            self.set_class(view.replay is not None, "-replay")
            self.refresh_bindings()
        self.query_one(Header).update_view(view)
        self.query_one(HealthLine).update_view(view)
        self.query_one(TroubleLine).update_view(view)
        self.query_one(MarketStrip).update_view(view)
        watchlist = self.query_one(WatchlistTable)
        watchlist.groups = self.fintrends.groups
        watchlist.notes = self.fintrends.notes
        self.query_one(GroupStrip).show((ALL, *watchlist.groups), watchlist.group)
        self._fit_watchlist(len(view.snapshot.tickers) if view.snapshot is not None else 0)
        compact = self._is_grid and self._market_first
        for panel in self.query(".panel").results(Widget):
            if isinstance(panel, Panel):
                panel.compact = compact
            if panel.display and isinstance(panel, Shows):
                panel.update_view(view)

    @property
    def _market_first(self) -> bool:
        return self.fintrends.memory.now.layout == "market"

    @property
    def _is_grid(self) -> bool:
        """Whether there is room for all panels, and none is zoomed."""
        return self.has_class("-wide") and self.has_class("-tall") and not self._zoomed

    def _fit_watchlist(self, rows: int) -> None:
        """Where all that is watched needs little room, leave the rest to other panels below it; as much whatever is
        filtered, so that nothing jumps meanwhile."""
        is_short = _is_short(rows, self.size.height)
        self.set_class(is_short, "-few")
        fixed = is_short and self._is_grid and self._market_first
        least = max(rows, _FEWEST_ROWS) + _AROUND_ROWS if fixed else None
        if least != self._least_height:  # for Textual lays all out anew, also where a style is set to what it was
            self._least_height = least
            self.query_one(WatchlistTable).styles.min_height = least

    def _lay_out(self) -> None:
        self.set_class(self._market_first, "-market")

    def action_layout(self) -> None:
        """Let the pipeline come first, or the market again; where there are tabs, its first panel in front."""
        self.fintrends.remember(layout="pipeline" if self._market_first else "market")
        self._lay_out()
        self.show_panel("chart" if self._market_first else "topics")

    def show_panel(self, panel_id: str) -> None:
        """Bring the panel's tab to the front where there are tabs."""
        for panel in self.query(".panel").results(Widget):
            panel.set_class(panel.id == panel_id, "-active")
        self.query_one(Tabs).active = f"tab-{panel_id}"
        self.call_after_refresh(self._update_now)

    def _update_now(self) -> None:
        if self.query(Header):  # or it was put off until the screen had gone
            self.update_view(self.fintrends.current_view)

    @on(WatchlistTable.Moved)
    def _selection_moved(self) -> None:
        self.fintrends.selected = self.selected
        self.fintrends.repaint()

    @on(WatchlistTable.Opened)
    def action_detail(self) -> None:
        """Open the selected ticker."""
        from fintrends_tui.screens.detail import DetailScreen

        if self.selected is not None:
            self.fintrends.selected = self.selected
            self.app.push_screen(DetailScreen(self.query_one(WatchlistTable).step))

    @on(Tabs.TabActivated)
    def _tab_activated(self, event: Tabs.TabActivated) -> None:
        # A message older than the last change would bring its tab back, whose message brings the other: without an end.
        if event.tab.id == event.tabs.active:
            self.show_panel((event.tab.id or "").removeprefix("tab-"))

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        late = event.widget is not self.focused
        if not late and event.widget.has_class("panel") and event.widget.id not in ("watchlist", None):
            self.show_panel(str(event.widget.id))

    @on(WatchlistTable.Arranged)
    def _arranged(self) -> None:
        arrangement = self.query_one(WatchlistTable).arrangement
        self.fintrends.remember(
            sort=arrangement.sort,
            reverse=arrangement.reverse,
            then=arrangement.then,
            then_reverse=arrangement.then_reverse,
            group=arrangement.group,
        )
        self.refresh_bindings()
        self._update_now()

    @on(WatchlistTable.TitleClicked)
    def _title_clicked(self, event: WatchlistTable.TitleClicked) -> None:
        self.query_one(WatchlistTable).sort_by(event.title)

    @on(GroupStrip.Chosen)
    def _group_chosen(self, event: GroupStrip.Chosen) -> None:
        self._rearrange(group=event.group)

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        text = event.value.strip()
        self._rearrange(filter=text if is_expression(text) else text.upper())

    @on(FilterInput.Left)
    def _filter_left(self, event: FilterInput.Left) -> None:
        field = self.query_one(FilterInput)
        if event.clear:
            field.value = ""
        field.display = False
        self.query_one(WatchlistTable).focus()

    def action_filter(self) -> None:
        field = self.query_one(FilterInput)
        field.value = self.query_one(WatchlistTable).arrangement.filter
        field.display = True
        field.focus()

    def action_columns(self) -> None:
        from fintrends_tui.screens.dialogs.columns import ColumnsScreen

        def chosen(columns: list[str] | None) -> None:
            if columns is not None:
                self.fintrends.remember(columns=columns)
                self.query_one(WatchlistTable).choose(columns)
                self._update_now()

        self.app.push_screen(ColumnsScreen(self.fintrends.memory.now.columns), chosen)

    def action_views(self) -> None:
        """Choose one of the named views, or keep or forget one."""
        from fintrends_tui.screens.dialogs.views import choose_view

        def chosen(views: dict[str, SavedView]) -> None:
            self.fintrends.remember(views=views)

        watchlist = self.query_one(WatchlistTable)
        choose_view(self.app, watchlist.arrangement, self.fintrends.memory.now.views, watchlist.rearrange, chosen)

    def action_sort(self) -> None:
        self.query_one(WatchlistTable).sort_by_next()

    def action_reverse(self) -> None:
        self._rearrange(reverse=not self.query_one(WatchlistTable).arrangement.reverse)

    def action_zoom(self) -> None:
        """Give the panel that has the focus the whole screen, or let the others come back."""
        self._zoom(None if self._zoomed else self.focused is self.query_one(WatchlistTable))

    @property
    def _zoomed(self) -> bool:
        return bool({"-zoomed-watch", "-zoomed-panel"} & self.classes)

    def _zoom(self, on_watchlist: bool | None) -> None:
        """Show the watchlist alone, or the other panel that is active; None shows both."""
        self.set_class(on_watchlist is True, "-zoomed-watch")
        self.set_class(on_watchlist is False, "-zoomed-panel")
        self.call_after_refresh(self._update_now)

    def _rearrange(self, **changes: Any) -> None:
        watchlist = self.query_one(WatchlistTable)
        watchlist.rearrange(replace(watchlist.arrangement, **changes))

    def action_panel(self, step: int) -> None:
        """Move the focus to the next panel, or the one before."""
        panels = [panel for panel in self.query(".panel").results(Widget) if self._can_be_seen(panel)]
        here = panels.index(self.focused) if self.focused in panels else 0
        target = panels[(here + step) % len(panels)]
        if target.id != "watchlist":
            self.show_panel(str(target.id))
        if self._zoomed:
            self._zoom(target.id == "watchlist")
        # What is hidden cannot be focused, and the next key may come before the next refresh.
        self.app.stylesheet.update(self)
        self.set_focus(target)

    def _can_be_seen(self, panel: Widget) -> bool:
        if self._is_grid:
            return panel.display
        return panel.id != "loads" or self.has_class("-loading")

    def action_add(self) -> None:
        self.ask_for_tickers("Add tickers")

    def ask_for_tickers(self, question: str) -> None:
        from fintrends_tui.screens.dialogs.add import AddScreen

        def added(tickers: list[str] | None) -> None:
            if tickers:
                self.query_one(WatchlistTable).await_ticker(tickers[0])
                self.fintrends.command(Add(tickers))

        self.app.push_screen(AddScreen(question, self.fintrends.link.ask), added)

    def action_indices(self) -> None:
        """Watch those indices that are not watched yet."""
        snapshot = self.fintrends.current_view.snapshot
        if snapshot is not None and (tickers := missing(snapshot.tickers, self.fintrends.settings.indices)):
            self.fintrends.command(Add(tickers))

    def action_remove(self) -> None:
        from fintrends_tui.screens.dialogs.choose import Choice, ChooseScreen

        ticker = self.selected
        if ticker is None:
            return

        def chosen(value: str | None) -> None:
            if value == "remove":
                self.fintrends.command(Remove([ticker]))

        self.app.push_screen(
            ChooseScreen(
                f"Remove {ticker} from the watchlist?",
                [Choice("remove", f"Remove {ticker}; its stored data stays"), Choice("keep", "Keep it")],
            ),
            chosen,
        )

    def action_load(self) -> None:
        from fintrends_tui.screens.dialogs.choose import Choice, ChooseScreen

        ticker = self.selected
        one = [Choice(ticker, f"{ticker} only")] if ticker else []

        def chosen(value: str | None) -> None:
            if value is not None:
                self.fintrends.command(Load([value] if value else []))

        self.app.push_screen(
            ChooseScreen("Load the history of", [*one, Choice("", "every ticker of the watchlist")]), chosen
        )

    def action_pause(self) -> None:
        view = self.fintrends.current_view
        if view.replay is not None:
            self.fintrends.command(SetReplay(paused=not view.replay.paused))
        else:
            self.fintrends.command(Resume() if view.snapshot and view.snapshot.pipeline.paused else Pause())

    def action_replay_speed(self, step: int) -> None:
        """Let a replay go faster (1) or slower (-1)."""
        if (replay := self.fintrends.current_view.replay) is not None:
            self.fintrends.command(SetReplay(speed=next_speed(replay.speed, step)))

    def action_replay_step(self) -> None:
        """Pause a replay, and go on to its next bar."""
        self.fintrends.command(SetReplay(paused=True, step=True))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a replay has a speed, and only what it has recorded can be added to it."""
        is_replay = self.fintrends.current_view.replay is not None
        if (action in ("replay_speed", "replay_step") and not is_replay) or (action == "indices" and is_replay):
            return False
        return super().check_action(action, parameters)

    def action_restart(self) -> None:
        from fintrends_tui.screens.dialogs.choose import Choice, ChooseScreen

        snapshot = self.fintrends.current_view.snapshot
        services = snapshot.services if snapshot is not None else []

        def chosen(value: str | None) -> None:
            if value is not None:
                self.fintrends.command(Restart(value or None))

        choices = [Choice("", "all services"), *(Choice(s.name, f"{s.name}  ({s.state})") for s in services)]
        self.app.push_screen(ChooseScreen("Restart", choices), chosen)

    def action_charts(self) -> None:
        from fintrends_tui.screens.charts import ChartsScreen

        self.app.push_screen(ChartsScreen())

    def action_heat(self) -> None:
        from fintrends_tui.screens.heat import HeatScreen

        self.app.push_screen(HeatScreen())

    def action_topics(self) -> None:
        from fintrends_tui.screens.topics import TopicsScreen

        self.app.push_screen(TopicsScreen())

    def action_services(self) -> None:
        from fintrends_tui.screens.services import ServicesScreen

        self.app.push_screen(ServicesScreen())

    def action_dead_letters(self) -> None:
        from fintrends_tui.screens.dead_letters import DeadLettersScreen

        self.app.push_screen(DeadLettersScreen())

    def action_consumers(self) -> None:
        from fintrends_tui.screens.consumers import ConsumersScreen

        self.app.push_screen(ConsumersScreen())

    def action_log(self) -> None:
        from fintrends_tui.screens.log import LogScreen

        self.app.push_screen(LogScreen(self.fintrends.log_feed))

    def action_alerts(self) -> None:
        from fintrends_tui.screens.alerts import AlertsScreen

        self.app.push_screen(AlertsScreen())

    def action_positions(self) -> None:
        from fintrends_tui.screens.positions import PositionsScreen

        self.app.push_screen(PositionsScreen())

    def action_groups(self) -> None:
        from fintrends_tui.screens.dialogs.groups import GroupsScreen

        def changed(groups: dict[str, list[str]] | None) -> None:
            if groups is not None:
                self.fintrends.remember(groups=groups)
                self._update_now()

        if self.selected is not None:
            made, fixed = self.fintrends.memory.now.groups, self.fintrends.settings.groups
            self.app.push_screen(GroupsScreen(self.selected, made, fixed), changed)

    def action_note(self) -> None:
        from fintrends_tui.screens.dialogs.note import ask_for_note

        if self.selected is not None:
            ask_for_note(self, self.selected, self._update_now)

    def action_copy(self) -> None:
        from fintrends_tui.state import export

        ticker = next((t for t in self.query_one(WatchlistTable).shown if t.ticker == self.selected), None)
        if ticker is not None:
            line = export.line(ticker)
            self.app.copy_to_clipboard(line)
            self.notify(f"Copied, if the terminal allows it: {line}", markup=False)

    def action_write(self) -> None:
        from fintrends_tui.screens.dialogs.write import WriteScreen

        def written(path: Path | None) -> None:
            if path is not None:
                self.notify(f"Written: {path}", markup=False)

        view = self.fintrends.current_view
        self.app.push_screen(WriteScreen(self.query_one(WatchlistTable).shown, view.now), written)

    def _show_log(self, view: View) -> None:
        """Where the market comes first, the log comes up for as long as a warning in it is new."""
        if self._is_grid and self._market_first:
            pane = self.query_one("#log", Panel)
            if not pane.display:
                pane.update_view(view)
            self.set_class(self.fintrends.log_feed.tells(view.now - NEWS_SECONDS), "-telling")

    def _show_loads(self, loading: bool) -> None:
        if loading == self.has_class("-loading"):
            return
        self.set_class(loading, "-loading")
        tabs = self.query_one(Tabs)
        if loading:
            tabs.show("tab-loads")
            self.show_panel("loads")
        else:
            tabs.hide("tab-loads")
            if self.query_one("#loads").has_class("-active"):
                self.show_panel("chart")


def _is_short(rows: int, height: int) -> bool:
    """Whether a watchlist of so many rows leaves room on a screen of that height."""
    return rows <= height - _ALL_ELSE
