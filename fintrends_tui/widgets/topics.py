"""Topics: how many records, how fast, and how far behind each consumer group is."""

from collections.abc import Sequence
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Cell, Column, Row, Span, outside, text
from pipeline.contract.snapshot import GroupLag, TopicView, greatest_lag, total_lag

_TONES: Final = {"OK": "up", "WARN": "warn", "ERR": "error", "STALL": "error"}
_COLUMNS: Final = (
    Column("Topic", 17),
    Column("Records", 7, right=True, drop=1),
    Column("/s", 5, right=True),
    Column("Lag by group", 26, elastic=True),
)
_WORST: Final = (Column("Topic", 17), Column("Lag by group", 20, elastic=True))
"""Those of the compact form."""


class Topics(Panel):
    """The topics of the bus; where there are too many, those with the greatest lag are kept. The compact form has those
    that lag, the worst first."""

    LABEL = "Topics"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="topics", classes="panel")

    def update_view(self, view: View) -> None:
        topics = view.snapshot.topics if view.snapshot else []
        total = view.snapshot.topics_total if view.snapshot else 0
        lag = total_lag(topics)
        self.set_titles(
            f"Topics {len(topics)} of {total}" if len(topics) < total else f"Topics {total or ''}".rstrip(),
            f"lag {lag:,}" if topics else "",
        )
        self.set_columns(_WORST if self.compact else _COLUMNS, header=not self.compact)
        empty = view.waiting("No topics yet: the producers create them with their first records.")
        if self.compact:
            self.show([_lagging(topic) for topic in _worst(topics)], "All records are read." if topics else empty)
        else:
            self.show([_row(topic) for topic in topics], empty)


def _worst(topics: Sequence[TopicView]) -> list[TopicView]:
    behind = [(lag, topic) for topic in topics if (lag := greatest_lag([topic]))]
    return [topic for _, topic in sorted(behind, key=lambda item: (-item[0], item[1].topic))]


def _lagging(topic: TopicView) -> Row:
    groups = (group for group in topic.groups if group.lag)
    spans = tuple(span for group in sorted(groups, key=lambda group: -group.lag) for span in _group(group))
    return Row(topic.topic, (outside(topic.topic), spans[:-1]))


def _row(topic: TopicView) -> Row:
    groups = tuple(span for group in topic.groups for span in _group(group))
    return Row(
        topic.topic,
        (
            outside(topic.topic),
            text(fmt.human(topic.records)),
            text(fmt.rate(topic.rate), "" if topic.rate else "dim"),
            groups[:-1] or text("not consumed", "dim"),
        ),
    )


def _group(group: GroupLag) -> Cell:
    """The group without "-processor", which nearly all of them have, its lag, its status unless that is OK, and a
    gap."""
    status = "" if group.status == "OK" else f" {group.status}"
    return (
        *outside(group.group.removesuffix("-processor"), "dim"),
        Span(" "),
        Span(f"{fmt.human(group.lag)}{status}", _TONES[group.status] if group.lag or status else "dim"),
        Span("  "),
    )
