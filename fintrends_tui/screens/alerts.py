"""The alert rules, and what has fired."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from fintrends_tui.commands import ALERTS, bindings
from fintrends_tui.screens.base import BaseScreen
from fintrends_tui.state.view import View
from fintrends_tui.widgets.alert_history import AlertHistory
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.rules import Rules
from pipeline.contract.protocol import AddAlert, RemoveAlert
from pipeline.contract.snapshot import RuleView


class AlertsScreen(BaseScreen[None]):
    """The rules above, to which some can be added and from which some can be removed, and the history below."""

    KEYS = ALERTS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(ALERTS)]
    AUTO_FOCUS = "#rules"

    def compose(self) -> ComposeResult:
        yield Header()
        yield Rules()
        yield AlertHistory(self.fintrends.link.ask)
        yield KeyBar()

    def on_mount(self) -> None:
        self.update_view(self.fintrends.current_view)

    def update_view(self, view: View) -> None:
        self.query_one(Header).update_view(view)
        self.query_one(Rules).update_view(view)
        self.query_one(AlertHistory).update_view(view)

    def action_back(self) -> None:
        self.app.pop_screen()

    def action_add_rule(self) -> None:
        from fintrends_tui.screens.dialogs.add_rule import AddRuleScreen

        def added(rules: list[str] | None) -> None:
            for rule in rules or ():
                self.fintrends.command(AddAlert(rule))

        there = [rule.rule for rule in self._rules]
        snapshot = self.fintrends.current_view.snapshot
        watched = {row.ticker for row in snapshot.tickers} if snapshot is not None else set()
        self.app.push_screen(AddRuleScreen(self.fintrends.selected, there, watched), added)

    def action_remove_rule(self) -> None:
        from fintrends_tui.screens.dialogs.choose import Choice, ChooseScreen

        selected = self.query_one(Rules).selected
        rule = next((rule for rule in self._rules if rule.rule == selected), None)
        if rule is None:
            return

        def chosen(value: str | None) -> None:
            if value == "remove":
                self.fintrends.command(RemoveAlert(rule.rule))

        remove = "Remove it"
        if rule.origin == "config":
            remove += " until the next start; for good, remove it from [alerts] of the configuration"
        self.app.push_screen(
            ChooseScreen(f"Remove {rule.rule}?", [Choice("remove", remove), Choice("keep", "Keep it")]), chosen
        )

    @property
    def _rules(self) -> list[RuleView]:
        snapshot = self.fintrends.current_view.snapshot
        return snapshot.rules if snapshot is not None else []
