"""Services under the supervisor: their states and rates, what each holds, and why one is down."""

from collections.abc import Iterable, Sequence
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.health import is_well
from fintrends_tui.state.troubles import GROUP_OF
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Cell, Column, Row, Span, outside, text
from pipeline.contract.snapshot import GroupView, ServiceView
from pipeline.model.topics import ECONOMIC, PRODUCER_GROUP

STATES: Final = {
    "starting": ("◌", "dim"),
    "running": ("●", "up"),
    "paused": ("‖", "warn"),
    "suspended": ("‖", "warn"),
    "backing off": ("↻", "warn"),
    "draining": ("◌", "warn"),
    "finished": ("✓", "dim"),
    "failed": ("✗", "error"),
    "stopped": ("■", "dim"),
}
_COLUMNS: Final = (
    Column("Service", 17),
    Column("State", 14),
    Column("/s", 5, right=True),
    Column("Handled", 7, right=True, drop=2),
    Column("Holds", 19, drop=1, elastic=True),
)


def by_urgency(services: Iterable[ServiceView]) -> list[ServiceView]:
    """Those that have failed first, then those that fail again and again, then the paused; last those that others
    stand in for; else in their order."""

    def urgency(service: ServiceView) -> int:
        if service.stand_ins:
            return 4
        if service.state == "failed":
            return 0
        if service.failing_since is not None:
            return 1
        return 2 if service.state == "paused" else 3

    return sorted(services, key=urgency)


class Services(Panel):
    """Every service; a failing one says why, and when it is tried again. The compact form has those that are not
    well."""

    LABEL = "Services"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="services", classes="panel")

    def update_view(self, view: View) -> None:
        services = by_urgency(view.snapshot.services if view.snapshot else [])
        self._show_titles(services)
        groups = {group.group: group for group in view.snapshot.groups} if view.snapshot else {}
        empty = view.waiting("No services yet: the supervisor has not started any.")
        if self.compact and services:
            empty = f"All {len(services)} services are well."
            services = [service for service in services if not is_well(service)]
        self.set_columns(_COLUMNS, header=not self.compact)
        self.show([row for service in services for row in _rows(service, groups.get(_group_of(service)))], empty)

    def _show_titles(self, services: Sequence[ServiceView]) -> None:
        if self.compact:
            count, what = sum(is_well(service) for service in services), "well"
        else:
            count, what = sum(service.state == "running" for service in services), "running"
        self.set_titles("Services", f"{count} of {len(services)} {what}" if services else "")


def _group_of(service: ServiceView) -> str:
    return PRODUCER_GROUP if service.role == "producer" else GROUP_OF.get(service.name, "")


def _rows(service: ServiceView, group: GroupView | None) -> list[Row]:
    rows = [
        Row(
            service.name,
            (
                outside(service.name),
                state_of(service),
                text(fmt.rate(service.rate), "" if service.rate else "dim"),
                text(fmt.human(service.total)),
                _holds(service, group),
            ),
        )
    ]
    if service.skipped:
        what = f"  └ {service.skipped:,} records were deleted before it could read them"
        rows.append(Row(f"{service.name} skipped", (text(what, "warn"),)))
    if service.error:
        restarts = f"{service.restarts} restarts, " if service.restarts > 1 else ""
        tone = "dim" if service.stand_ins else "error"
        rows.append(Row(f"{service.name} error", ((Span(f"  └ {restarts}", "dim"), *outside(service.error, tone)),)))
    return rows


def state_of(service: ServiceView) -> Cell:
    """The state with its glyph, or when it is tried again, or that others do its work."""
    if service.stand_ins:
        return text("◌ standby", "dim")
    glyph, tone = STATES[service.state]
    state = service.state if service.retry_in is None else f"retry in {fmt.duration(service.retry_in)}"
    return text(f"{glyph} {state}", tone)


def _holds(service: ServiceView, group: GroupView | None) -> Cell:
    """Tickers of a producer, or how many where it shares them; partitions of a consumer that shares them, or that all
    is another process's."""
    if service.stand_ins:
        return outside(f"{', '.join(service.stand_ins)} instead", "dim")
    here = next((member for member in group.members if member.here), None) if group is not None else None
    if group is None or here is None:
        return text("")
    if service.role == "producer" and service.kind == "economic":
        return text("") if ECONOMIC in here.general else text("standby", "dim")
    if service.entries is not None and len(here.tickers) != service.entries:
        return text(f"{service.entries} of {len(here.tickers)} tickers", "" if service.entries else "dim")
    if group.group == PRODUCER_GROUP:
        standby = not here.tickers and any(member.tickers for member in group.members)
        return text("standby", "dim") if standby else outside(" ".join(here.tickers))
    if len(group.members) == 1:
        return text("")
    total = sum(member.partitions for member in group.members)
    return text(f"{here.partitions} of {total} partitions") if here.partitions else text("standby", "dim")
