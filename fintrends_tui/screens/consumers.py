"""The consumer groups, as large as the terminal."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from fintrends_tui.commands import CONSUMERS, bindings
from fintrends_tui.screens.dialogs.ask_time import AskTimeScreen
from fintrends_tui.screens.dialogs.plan import propose
from fintrends_tui.screens.dialogs.searching import SearchingScreen
from fintrends_tui.state.view import View
from fintrends_tui.widgets.consumer_table import ConsumerTable
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.search_bar import SearchBar
from pipeline.contract.plans import ResetOffsets


class ConsumersScreen(SearchingScreen):
    """Every group with its lag; Enter opens it, and on a topic its messages."""

    KEYS = CONSUMERS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(CONSUMERS)]
    AUTO_FOCUS = "#consumer-table"

    def compose(self) -> ComposeResult:
        yield Header()
        yield ConsumerTable(self.fintrends.link.ask)
        yield SearchBar("part of a topic's name, such as aapl or sentiment")
        yield KeyBar()

    def update_view(self, view: View) -> None:
        super().update_view(view)
        self.query_one(ConsumerTable).update_view(view)

    @on(Input.Changed, "#search")
    def _filter(self, event: Input.Changed) -> None:
        self.query_one(ConsumerTable).filter(event.value)

    @on(ConsumerTable.Opened)
    def action_open(self) -> None:
        from fintrends_tui.screens.messages import messages_of

        table = self.query_one(ConsumerTable)
        if table.topic is None:
            table.toggle()
        else:
            self.app.push_screen(messages_of(table.topic))

    def action_reset(self) -> None:
        """Ask where the selected group is to go on, on the selected topic or on all."""
        table = self.query_one(ConsumerTable)
        group, topic = table.group, table.topic
        if group is None:
            return

        def answered(to: str | None) -> None:
            if to is not None:
                propose(self, ResetOffsets(group, to, [topic] if topic else []))

        where = f" on {topic}" if topic else ""
        self.app.push_screen(AskTimeScreen(f"Reset {group}{where} to", verb="plan", may_end=True), answered)
