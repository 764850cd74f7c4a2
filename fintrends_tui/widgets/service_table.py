"""Services under the supervisor, with all that is known of them."""

from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.services import by_urgency, state_of
from fintrends_tui.widgets.table.cells import Column, Row, Span, outside, text
from fintrends_tui.widgets.table.cursor_table import CursorTable
from pipeline.contract.snapshot import ServiceView

_RATES: Final = "Last minute"
_COLUMNS: Final = (
    Column("Service", 21),
    Column("Role", 9, drop=2),
    Column("State", 14),
    Column("For", 4, right=True),
    Column("Restarts", 8, right=True),
    Column("/s", 5, right=True),
    Column("Handled", 7, right=True),
    Column(_RATES, 11, right=True, drop=1, elastic=True),
)


class ServiceTable(CursorTable):
    """One line per service; the pane below shows why one is down."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="service-table", classes="panel")

    def update_view(self, view: View) -> None:
        services = by_urgency(view.snapshot.services if view.snapshot else [])
        running = sum(service.state == "running" for service in services)
        self.set_titles("Services", f"{running} of {len(services)} running" if services else "")
        width = self.width_of(_RATES)
        self.show(
            [_row(service, view.now, width) for service in services],
            view.waiting("No services yet: the supervisor has not started any."),
        )


def _row(service: ServiceView, now: int, width: int) -> Row:
    trouble = (Span(" ✗", "error"),) if service.error and not service.stand_ins else ()
    return Row(
        service.name,
        (
            (*outside(service.name, "strong"), *trouble),
            text(service.role, "dim"),
            state_of(service),
            text(fmt.duration(now - service.since) if service.since else fmt.UNKNOWN, "dim"),
            text(str(service.restarts), "warn" if service.restarts else "dim"),
            text(fmt.rate(service.rate), "" if service.rate else "dim"),
            text(fmt.human(service.total)),
            text(fmt.sparkline(service.spark, width, floor=0), "accent" if any(service.spark) else "dim"),
        ),
    )
