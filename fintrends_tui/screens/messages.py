"""The messages of one topic."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import Input

from fintrends_tui.commands import MESSAGES, KeyCommand, bindings
from fintrends_tui.screens.breakpoints import WIDTHS
from fintrends_tui.screens.dialogs.searching import SearchingScreen
from fintrends_tui.state.message_feed import MessageFeed
from fintrends_tui.state.view import View
from fintrends_tui.widgets.header import Header
from fintrends_tui.widgets.key_bar import KeyBar
from fintrends_tui.widgets.message_pane import MessagePane
from fintrends_tui.widgets.message_table import MessageTable
from fintrends_tui.widgets.search_bar import SearchBar
from pipeline.model.topics import DEAD_LETTER


class MessagesScreen(SearchingScreen):
    """A list of messages, and the selected one field by field: below it, or beside it on a wide terminal."""

    KEYS: tuple[KeyCommand, ...] = MESSAGES
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(MESSAGES)]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    AUTO_FOCUS = "#messages"

    def __init__(self, topic: str) -> None:
        super().__init__()
        self._topic = topic

    def compose(self) -> ComposeResult:
        yield Header()
        with Container(id="browser"):
            yield MessageTable(MessageFeed(self.fintrends.link.ask, self._topic))
            yield MessagePane()
        yield SearchBar("a text, or fields: interval=1min close>100; Enter searches")
        yield KeyBar()

    def update_view(self, view: View) -> None:
        super().update_view(view)
        self.query_one(MessageTable).update_view(view)

    @on(MessageTable.Moved)
    def _selected(self) -> None:
        self.query_one(MessagePane).show_message(self.query_one(MessageTable).message)

    @on(Input.Submitted, "#search")
    def _look_for(self, event: Input.Submitted) -> None:
        self.query_one(MessageTable).look_for(event.value)

    def action_follow(self) -> None:
        self.query_one(MessageTable).toggle_following()

    def action_older(self) -> None:
        self.query_one(MessageTable).read_older()


def messages_of(topic: str) -> MessagesScreen:
    """The screen with the messages of a topic."""
    if topic != DEAD_LETTER:
        return MessagesScreen(topic)
    from fintrends_tui.screens.dead_letters import DeadLettersScreen

    return DeadLettersScreen()
