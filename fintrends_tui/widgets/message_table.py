"""The messages of a topic, newest first."""

from collections.abc import Sequence
from typing import Final

from textual import work

from fintrends_tui.link.port import LinkError
from fintrends_tui.state import format as fmt
from fintrends_tui.state.digest import digest
from fintrends_tui.state.message_feed import KEPT, MessageFeed
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Column, Row, outside, text
from fintrends_tui.widgets.table.cursor_table import CursorTable
from pipeline.contract.protocol import TopicMessage
from pipeline.model.topics import DEAD_LETTER

_EMPTY: Final = {DEAD_LETTER: "No dead letters: every record so far could be decoded and written."}


class MessageTable(CursorTable):
    """Reads on once a second while it follows, and further back when the cursor comes to the end.

    The cursor stays on the newest message while it is there, and otherwise on its own.
    """

    def __init__(self, feed: MessageFeed) -> None:
        super().__init__(_columns([]), id="messages", classes="panel")
        self._feed = feed
        self._asked_at: int | None = None
        self._busy = False
        self._by_key: dict[str, TopicMessage] = {}
        self._sentence = f"Reading {feed.topic}…"
        self.following = True

    @property
    def message(self) -> TopicMessage | None:
        """The selected message."""
        return None if self.selected is None else self._by_key.get(self.selected)

    def update_view(self, view: View) -> None:
        if view.status.state != "connected":
            self._sentence = view.status.note
            self._show()
        elif (self.following or not self._feed.loaded) and view.now != self._asked_at and not self._busy:
            self._asked_at = view.now
            self._read("newer")

    def toggle_following(self) -> None:
        self.following = not self.following
        if self.following:
            self.move_to(0)
        self._show()

    def look_for(self, contains: str) -> None:
        """Show the messages that contain the text, those of the whole topic as far back as one search goes."""
        if contains != self._feed.contains:
            self._sentence = f"Searching for “{contains}”…" if contains else "Reading…"
            self._read("all", contains)

    def read_older(self) -> None:
        if self._feed.older and not self._busy:
            self._read("older")

    def action_down(self) -> None:
        super().action_down()
        self._read_on()

    def action_page(self, pages: int) -> None:
        super().action_page(pages)
        self._read_on()

    def action_last(self) -> None:
        super().action_last()
        self._read_on()

    def _read_on(self) -> None:
        if self._rows and self._cursor == len(self._rows) - 1:
            self.read_older()

    @work(group="messages", exclusive=True)
    async def _read(self, what: str, contains: str = "") -> None:
        self._busy = True
        self._show()
        try:
            match what:
                case "newer":
                    await self._feed.read_newer()
                case "older":
                    await self._feed.read_older()
                case _:
                    await self._feed.load(contains)
            self._sentence = self._nothing()
        except LinkError as error:
            self._sentence = f"{self._feed.topic} cannot be read: {error}"
        finally:
            self._busy = False
        self._show()

    def _nothing(self) -> str:
        feed = self._feed
        if feed.contains:
            more = "; m searches further back." if feed.older else "."
            return f"None of the newest {feed.looked_through:,} records contains “{feed.contains}”{more}"
        return _EMPTY.get(feed.topic, "No messages in this topic yet.")

    def _show(self) -> None:
        newest = self._cursor == 0 and self.following
        self._by_key = {_key(message): message for message in self._feed.messages}
        above = 0 if newest or self.selected is None else self._come_in_above(self.selected)
        top = self.scroll_offset.y
        self.set_columns(_columns(self._feed.messages))
        self.show([_row(message) for message in self._feed.messages], self._sentence)
        if newest:
            self.move_to(0)
        elif above:
            self.scroll_to(y=top + above, animate=False, immediate=True)
        self._show_titles()

    def _come_in_above(self, selected: str) -> int:
        """By how many lines the selected message moves down."""
        keys = list(self._by_key)
        return max(0, keys.index(selected) - self._cursor) if selected in self._by_key else 0

    def _show_titles(self) -> None:
        feed = self._feed
        what = f" with “{feed.contains}” in {feed.looked_through:,}" if feed.contains else ""
        more = "+" if feed.older else ""
        state = "reading…" if self._busy and not self.following else "● following" if self.following else "‖ held"
        if len(feed.messages) >= KEPT:
            state += f"   the newest {KEPT:,}; / searches further back"
        self.set_titles(f"{feed.topic}  {len(feed.messages):,}{more}{what}", state)


def _columns(messages: Sequence[TopicMessage]) -> tuple[Column, ...]:
    """No number may be cut, and none has more room than it needs."""
    partition = max((len(str(message.partition)) for message in messages), default=1)
    offset = max((len(str(message.offset)) for message in messages), default=1)
    return (
        Column("Time UTC", 19),
        Column("P", partition, right=True),
        Column("Offset", max(6, offset), right=True),
        Column("Key", 8, drop=1),
        Column("Message", 33, elastic=True),
    )


def _key(message: TopicMessage) -> str:
    return f"{message.partition} {message.offset}"


def _row(message: TopicMessage) -> Row:
    return Row(
        _key(message),
        (
            text(fmt.moment_seconds(message.ts), "dim"),
            text(str(message.partition), "dim"),
            text(str(message.offset), "dim"),
            outside(message.key, "strong"),
            outside(digest(message.value)),
        ),
    )
