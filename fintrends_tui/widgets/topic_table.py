"""All topics: records, retention, and how the lag of each consumer group moves."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

from textual import work

from fintrends_tui import format as fmt
from fintrends_tui.link import LinkError
from fintrends_tui.view import View
from fintrends_tui.widgets.cells import Column, Row, outside, text
from fintrends_tui.widgets.cursor_table import CursorTable
from pipeline.protocol import Command, GetTopics
from pipeline.snapshot import GroupLag, TopicView

Order = Literal["name", "records", "rate", "lag"]
ORDERS: Final[tuple[Order, ...]] = ("name", "records", "rate", "lag")
STATUSES: Final = {
    "OK": ("● OK", "up"),
    "WARN": ("▲ WARN", "warn"),
    "ERR": ("✗ ERR", "error"),
    "STALL": ("■ STALL", "error"),
}

_LAGS: Final = "Last min"


class TopicTable(CursorTable):
    """A line for each consumer group of each topic. Asks for the topics once a second while it can be seen."""

    def __init__(self, ask: Callable[[Command], Awaitable[Any]]) -> None:
        super().__init__(_columns([]), id="topic-table", classes="panel")
        self._ask = ask
        self._asked_at: int | None = None
        self._busy = False
        self._topics: list[TopicView] = []
        self._sentence = "Asking for the topics…"
        self._contains = ""
        self._order: Order = "name"
        self._descending = False

    @property
    def topic(self) -> str | None:
        """The selected topic."""
        return None if self.selected is None else self.selected.partition(" ")[0]

    def update_view(self, view: View) -> None:
        if view.status.state != "connected":
            self._sentence = view.status.note
        elif not self._busy and view.now != self._asked_at:
            self._asked_at = view.now
            self._busy = True
            self._fetch()
        self._show()

    def filter(self, contains: str) -> None:
        """Show the topics whose name contains the text, whatever its case."""
        self._contains = contains.strip().lower()
        self._show()

    def sort(self) -> None:
        """Sort by the next of `ORDERS`; numbers from the greatest down."""
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._descending = self._order != "name"
        self._show()
        self.move_to(0)

    def reverse(self) -> None:
        self._descending = not self._descending
        self._show()
        self.move_to(0)

    @work(group="topics")
    async def _fetch(self) -> None:
        try:
            self._topics = await self._ask(GetTopics())
            self._sentence = "No topics yet: the producers create them with their first records."
        except LinkError as error:
            self._sentence = f"The topics cannot be listed: {error}"
        finally:
            self._busy = False
        self._show()

    def _show(self) -> None:
        shown = [topic for topic in self._topics if self._contains in topic.topic]
        shown.sort(key=lambda topic: topic.topic)
        shown.sort(key=self._rank, reverse=self._descending)
        count = f"{len(shown)} of {len(self._topics)}" if self._contains else str(len(shown) or "")
        lag = sum(group.lag for topic in shown for group in topic.groups)
        self.set_titles(
            f"Topics {count}".rstrip(),
            f"by {self._order} {fmt.DOWN if self._descending else fmt.UP}   lag {lag:,}" if shown else "",
        )
        self.set_columns(_columns(self._topics))
        width = self.width_of(_LAGS)
        empty = f"No topic's name contains “{self._contains}”." if self._topics else self._sentence
        self.show([row for topic in shown for row in _rows(topic, width)], empty)

    def _rank(self, topic: TopicView) -> str | float:
        match self._order:
            case "name":
                return topic.topic
            case "records":
                return topic.records
            case "rate":
                return topic.rate
            case "lag":
                return max((group.lag for group in topic.groups), default=0)


def _columns(topics: Sequence[TopicView]) -> tuple[Column, ...]:
    """Names get the room they need, and the history what is left."""
    return (
        Column("Topic", min(32, max((len(topic.topic) for topic in topics), default=16))),
        Column("Records", 7, right=True),
        Column("/s", 5, right=True),
        Column("Part.", 5, right=True, drop=3),
        Column("Kept", 7, right=True, drop=2),
        Column("Group", 9),
        Column("Lag", 5, right=True),
        Column("Status", 7),
        Column(_LAGS, 8, right=True, drop=1, elastic=True),
    )


def _rows(topic: TopicView, width: int) -> list[Row]:
    named = (
        outside(topic.topic, "strong"),
        text(fmt.human(topic.records)),
        text(fmt.rate(topic.rate), "" if topic.rate else "dim"),
        text(str(topic.partitions), "dim"),
        text(fmt.UNKNOWN if topic.retention is None else str(topic.retention), "dim"),
    )
    unnamed = (text(""),) * len(named)
    return [
        Row(f"{topic.topic} {group.group}", (*(unnamed if index else named), *_group(group, width)))
        for index, group in enumerate(topic.groups)
    ]


def _group(group: GroupLag, width: int) -> Sequence[tuple[Any, ...]]:
    status, tone = STATUSES[group.status]
    return (
        outside(group.group.removesuffix("-processor")),
        text(fmt.human(group.lag), "" if group.lag else "dim"),
        text(status, tone),
        text(fmt.sparkline(group.lags, width, floor=0), tone if group.lag else "dim"),
    )
