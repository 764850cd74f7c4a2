"""The topics, as large as the terminal."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from fintrends_tui.commands import TOPICS, bindings
from fintrends_tui.screens.dialogs.ask_time import AskTimeScreen
from fintrends_tui.screens.dialogs.plan import propose
from fintrends_tui.screens.dialogs.searching import SearchingScreen
from fintrends_tui.state.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.search_bar import SearchBar
from fintrends_tui.widgets.topic_table import TopicTable
from pipeline.contract.plans import Purge, Replay
from pipeline.model.topics import split_topic


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
        from fintrends_tui.screens.messages import messages_of

        topic = self.query_one(TopicTable).topic
        if topic is not None:
            self.app.push_screen(messages_of(topic))

    def action_consumers(self) -> None:
        from fintrends_tui.screens.consumers import ConsumersScreen

        self.app.push_screen(ConsumersScreen())

    def action_replay(self) -> None:
        """Ask from when on the selected topic is to be read again."""
        topic = self.query_one(TopicTable).topic
        if topic is None:
            return

        def answered(since: str | None) -> None:
            if since is not None:
                propose(self, Replay([topic], since))

        self.app.push_screen(AskTimeScreen(f"Replay {topic} since", verb="plan"), answered)

    def action_purge(self) -> None:
        """Propose to delete all of the ticker whose topic is selected."""
        topic = self.query_one(TopicTable).topic
        ticker = None if topic is None else split_topic(topic)[1]
        if ticker is None:
            self.notify("This topic is of no ticker; a purge deletes all of one.", severity="warning", markup=False)
        else:
            propose(self, Purge(ticker))
