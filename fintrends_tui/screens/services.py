"""The services and the writes to the store, as large as the terminal."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from fintrends_tui.commands import SERVICES, bindings
from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.screens.breakpoints import HEIGHTS
from fintrends_tui.state.view import View
from fintrends_tui.widgets.budgets import Budgets
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.service_pane import ServicePane
from fintrends_tui.widgets.service_table import ServiceTable
from fintrends_tui.widgets.writes import Writes
from pipeline.contract.protocol import Pause, Restart, Resume
from pipeline.contract.snapshot import ServiceView


class ServicesScreen(BaseScreen[None]):
    """What runs, what does not and why, and what is written."""

    KEYS = SERVICES
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SERVICES)]
    VERTICAL_BREAKPOINTS = HEIGHTS
    AUTO_FOCUS = "#service-table"

    @property
    def service(self) -> ServiceView | None:
        """The selected service."""
        snapshot = self.fintrends.current_view.snapshot
        selected = self.query_one(ServiceTable).selected
        return next((s for s in snapshot.services if s.name == selected), None) if snapshot else None

    def compose(self) -> ComposeResult:
        yield Header()
        yield ServiceTable()
        yield ServicePane()
        yield Budgets()
        yield Writes()
        yield KeyBar()

    def on_mount(self) -> None:
        self.update_view(self.fintrends.current_view)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)
        self.query_one(ServiceTable).update_view(view)
        self.query_one(Budgets).update_view(view)
        self.query_one(Writes).update_view(view)
        self._show_service()

    @on(ServiceTable.Moved)
    def _show_service(self) -> None:
        self.query_one(ServicePane).show_service(self.service, self.fintrends.current_view.now)

    def action_restart(self) -> None:
        service = self.service
        if service is not None:
            self.fintrends.command(Restart(service.name))
            paused = "; it stays paused" if service.state == "paused" else ""
            self.notify(f"restarting {service.name}{paused}", markup=False)

    def action_restart_all(self) -> None:
        from fintrends_tui.screens.dialogs.choose import Choice, ChooseScreen

        def chosen(value: str | None) -> None:
            if value == "restart":
                self.fintrends.command(Restart())

        choices = [Choice("restart", "Restart all; each finishes its batch first"), Choice("keep", "Keep them running")]
        self.app.push_screen(ChooseScreen("Restart all services?", choices), chosen)

    def action_pause(self) -> None:
        service = self.service
        if service is not None:
            self.fintrends.command(Resume(service.name) if service.state == "paused" else Pause(service.name))

    def action_log(self) -> None:
        from fintrends_tui.screens.log import LogScreen

        self.app.push_screen(LogScreen(self.fintrends.log_feed))

    def action_back(self) -> None:
        self.app.pop_screen()
