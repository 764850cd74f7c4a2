"""Topics: how many records, how fast, and how far behind each consumer group is."""

from typing import Final

from fintrends_tui import format as fmt
from fintrends_tui.view import View
from fintrends_tui.widgets.cells import Cell, Column, Row, Span, outside, text
from fintrends_tui.widgets.panel import Panel
from pipeline.snapshot import GroupLag, TopicView

_TONES: Final = {"OK": "up", "WARN": "warn", "ERR": "error", "STALL": "error"}
_COLUMNS: Final = (
    Column("Topic", 17),
    Column("Records", 7, right=True, drop=1),
    Column("/s", 5, right=True),
    Column("Lag by group", 26, elastic=True),
)


class Topics(Panel):
    """The topics of the bus, the most lagging first to stay where there are too many."""

    LABEL = "Topics"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="topics", classes="panel")

    def update_view(self, view: View) -> None:
        topics = view.snapshot.topics if view.snapshot else []
        total = view.snapshot.topics_total if view.snapshot else 0
        lag = sum(group.lag for topic in topics for group in topic.groups)
        self.set_titles(
            f"Topics {len(topics)} of {total}" if len(topics) < total else f"Topics {total or ''}".rstrip(),
            f"lag {lag:,}" if topics else "",
        )
        self.show(
            [_row(topic) for topic in topics],
            view.waiting("No topics yet: the producers create them with their first records."),
        )


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
    """The group without "-processor", which they nearly all bear, its lag, its status unless that is OK, and a gap."""
    status = "" if group.status == "OK" else f" {group.status}"
    return (
        *outside(group.group.removesuffix("-processor"), "dim"),
        Span(" "),
        Span(f"{fmt.human(group.lag)}{status}", _TONES[group.status] if group.lag or status else "dim"),
        Span("  "),
    )
