"""All topics: records, retention, and how the lag of each consumer group moves."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Column, Row, outside, text
from fintrends_tui.widgets.topic_listing import STATUSES, TopicListing
from pipeline.contract.protocol import Command
from pipeline.contract.snapshot import GroupLag, TopicView, greatest_lag, total_lag

Order = Literal["name", "records", "rate", "lag"]
ORDERS: Final[tuple[Order, ...]] = ("name", "records", "rate", "lag")
_LAGS: Final = "Last min"


class TopicTable(TopicListing):
    """A line for each consumer group of each topic."""

    def __init__(self, ask: Callable[[Command], Awaitable[Any]]) -> None:
        super().__init__(ask, _columns([]), "topic-table")
        self._prefix = ""
        self._order: Order = "name"
        self._descending = False

    @property
    def topic(self) -> str | None:
        """The selected topic."""
        return None if self.selected is None else self.selected.partition(" ")[0]

    def update_view(self, view: View) -> None:
        self._prefix = view.snapshot.pipeline.names.topic_prefix if view.snapshot else ""
        super().update_view(view)

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

    def _show(self) -> None:
        shown = self._matching()
        shown.sort(key=self._rank, reverse=self._descending)
        count = f"{len(shown)} of {len(self._topics)}" if self._contains else str(len(shown) or "")
        lag = total_lag(shown)
        on_kafka = f"   on Kafka {self._prefix}…" if self._prefix else ""
        self.set_titles(
            f"Topics {count}".rstrip() + on_kafka,
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
                return greatest_lag([topic]) or 0


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
