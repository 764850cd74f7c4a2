"""Services under the supervisor: their states and rates, and why one is down."""

from typing import Final

from fintrends_tui import format as fmt
from fintrends_tui.view import View
from fintrends_tui.widgets.cells import Column, Row, Span, outside, text
from fintrends_tui.widgets.panel import Panel
from pipeline.snapshot import ServiceView

_STATES: Final = {
    "starting": ("◌", "dim"),
    "running": ("●", "up"),
    "paused": ("‖", "warn"),
    "backing off": ("↻", "warn"),
    "draining": ("◌", "warn"),
    "finished": ("✓", "dim"),
    "failed": ("✗", "error"),
    "stopped": ("■", "dim"),
}
_COLUMNS: Final = (
    Column("Service", 19),
    Column("State", 14),
    Column("/s", 5, right=True),
    Column("Handled", 7, right=True, drop=1),
)


class Services(Panel):
    """Every service; a failing one says why, and when it is tried again."""

    LABEL = "Services"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="services", classes="panel")

    def update_view(self, view: View) -> None:
        services = view.snapshot.services if view.snapshot else []
        running = sum(service.state == "running" for service in services)
        self.set_titles("Services", f"{running} of {len(services)} running" if services else "")
        rows = [row for service in services for row in _rows(service)]
        self.show(rows, view.waiting("No services yet: the supervisor has not started any."))


def _rows(service: ServiceView) -> list[Row]:
    glyph, tone = _STATES[service.state]
    state = f"{glyph} {service.state}" if service.retry_in is None else f"{glyph} retry in {service.retry_in:.0f}s"
    rows = [
        Row(
            service.name,
            (
                outside(service.name),
                text(state, tone),
                text(fmt.rate(service.rate), "" if service.rate else "dim"),
                text(fmt.human(service.total)),
            ),
        )
    ]
    if service.error:
        restarts = f"{service.restarts} restarts, " if service.restarts > 1 else ""
        rows.append(Row(f"{service.name} error", ((Span(f"  └ {restarts}", "dim"), *outside(service.error, "error")),)))
    return rows
