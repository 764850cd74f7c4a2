"""One service in words: how it is, and what it failed on last."""

from typing import Final

from textual import events

from fintrends_tui.state import format as fmt
from fintrends_tui.widgets.table.cells import Column, Row, text
from fintrends_tui.widgets.table.live_table import Table
from fintrends_tui.widgets.wrapping import wrap
from pipeline.contract.snapshot import ServiceView
from pipeline.model.text import drawn

_COLUMNS: Final = (Column("Error", 40, elastic=True),)


class ServicePane(Table):
    """The last error in full, on as many lines as it needs."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, header=False, id="service", classes="panel")
        self._service: ServiceView | None = None
        self._now = 0

    def show_service(self, service: ServiceView | None, now: int) -> None:
        self._service, self._now = service, now
        self._show_error()

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._show_error()

    def _show_error(self) -> None:
        service = self._service
        if service is None or service.error is None:
            self.set_titles(f"Last error of {service.name}" if service else "Last error")
            self.show([], "No errors since it was started." if service else "Select a service to see its last error.")
            return
        failing = service.failing_since
        self.set_titles(
            f"Last error of {service.name}", f"failing for {fmt.duration(self._now - failing)}" if failing else ""
        )
        tone = "error" if failing else "dim"
        lines = wrap(drawn(service.error), self.width_of("Error"))
        self.show([Row(str(number), (text(line, tone),)) for number, line in enumerate(lines)])
