"""The topics, as large as the terminal."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from fintrends_tui.commands import TOPICS, bindings
from fintrends_tui.screens.searching import SearchingScreen
from fintrends_tui.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.search_bar import SearchBar
from fintrends_tui.widgets.topic_table import TopicTable


class TopicsScreen(SearchingScreen):
    """Every topic with its lags; Enter opens its messages."""

    KEYS = TOPICS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(TOPICS)]
    AUTO_FOCUS = "#topic-table"

    def compose(self) -> ComposeResult:
        yield Header()
        yield TopicTable(self.fintrends.link.ask)
        yield SearchBar("part of a topic's name, such as aapl or sentiment")
        yield KeyBar()

    def update_view(self, view: View) -> None:
        super().update_view(view)
        self.query_one(TopicTable).update_view(view)

    @on(Input.Changed, "#search")
    def _filter(self, event: Input.Changed) -> None:
        self.query_one(TopicTable).filter(event.value)

    def action_sort(self) -> None:
        self.query_one(TopicTable).sort()

    def action_reverse(self) -> None:
        self.query_one(TopicTable).reverse()

    @on(TopicTable.Opened)
    def action_open(self) -> None:
        from fintrends_tui.screens.messages import MessagesScreen

        topic = self.query_one(TopicTable).topic
        if topic is not None:
            self.app.push_screen(MessagesScreen(topic))
