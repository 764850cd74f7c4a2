"""Consumer groups: how far each is behind, how that moves, and on which topics."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.lag import GroupTotal, caught_up_in, growth, totals
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Cell, Column, Row, outside, text
from fintrends_tui.widgets.topic_listing import STATUSES, TopicListing
from pipeline.contract.protocol import Command
from pipeline.contract.snapshot import GroupLag, GroupView

_LAGS: Final = "Last min"
_COLUMNS: Final = (
    Column("Group", 33),
    Column("Members", 7, right=True, drop=2),
    Column("Lag", 7, right=True),
    Column("Grows/s", 7, right=True),
    Column("Done in", 7, right=True),
    Column("Status", 7),
    Column(_LAGS, 8, right=True, drop=1, elastic=True),
)


class ConsumerTable(TopicListing):
    """A line for each group and, below those that are opened, one for each of its topics. A filter opens all."""

    def __init__(self, ask: Callable[[Command], Awaitable[Any]]) -> None:
        super().__init__(ask, _COLUMNS, "consumer-table")
        self._members: dict[str, GroupView] = {}
        self._opened: set[str] = set()

    @property
    def group(self) -> str | None:
        """The group that the cursor is at, or in."""
        return None if self.selected is None else self.selected.partition(" ")[0]

    @property
    def topic(self) -> str | None:
        """The selected topic; None on the line of a group."""
        return None if self.selected is None else self.selected.partition(" ")[2] or None

    def update_view(self, view: View) -> None:
        groups = view.snapshot.groups if view.snapshot else []
        self._members = {group.group: group for group in groups}
        super().update_view(view)

    def toggle(self) -> None:
        """Show the topics of the selected group, or hide them."""
        if self.group is not None:
            self._opened ^= {self.group}
            self._show()

    def _show(self) -> None:
        shown = totals(self._matching())
        lag = sum(total.lag for total in shown)
        self.set_titles("Consumer groups", f"lag {lag:,}" if shown else "")
        width = self.width_of(_LAGS)
        rows = [row for total in shown for row in self._lines_of(total, width)]
        self.show(rows, f"No topic's name contains “{self._contains}”." if self._topics else self._sentence)

    def _lines_of(self, total: GroupTotal, width: int) -> list[Row]:
        opened = bool(self._contains) or total.group in self._opened
        members = self._members.get(total.group)
        mark = "▾" if opened else "▸"
        named = (
            (*text(f"{mark} ", "dim"), *outside(total.group, "strong"), *text(f"  {len(total.topics)} topics", "dim")),
            text(str(len(members.members)) if members else fmt.UNKNOWN, "" if members else "warn"),
        )
        rows = [Row(total.group, (*named, *_moving(total.lag, total.lags, STATUSES[total.status], width)))]
        if opened:
            rows += [_topic_row(total.group, topic.topic, group, width) for topic, group in total.topics]
        return rows


def _topic_row(group: str, topic: str, lag: GroupLag, width: int) -> Row:
    named = ((*text("    "), *outside(topic)), text(""))
    return Row(f"{group} {topic}", (*named, *_moving(lag.lag, lag.lags, STATUSES[lag.status], width)))


def _moving(lag: int, lags: Sequence[int], status: tuple[str, str], width: int) -> tuple[Cell, ...]:
    speed, seconds = growth(lags), caught_up_in(lags)
    shown, tone = status
    return (
        text(fmt.human(lag), "" if lag else "dim"),
        text(fmt.signed(speed, 0, 7), "dim" if not speed else "warn" if speed > 0 else "up"),
        text("" if seconds is None else fmt.duration(seconds)),
        text(shown, tone),
        text(fmt.sparkline(lags, width, floor=0), tone if lag else "dim"),
    )
