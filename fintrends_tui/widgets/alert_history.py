"""The alerts of this pipeline and of those before it on the same data directory."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fintrends_tui.link.port import LinkError
from fintrends_tui.state import format as fmt
from fintrends_tui.state.alerts import value_text
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Column, Row, outside, text
from pipeline.contract.protocol import Command, GetAlerts
from pipeline.contract.snapshot import AlertView

_COLUMNS: Final = (
    Column("Time UTC", 19),
    Column("Ticker", 8),
    Column("Value", 10, right=True),
    Column("Rule", 24, elastic=True),
)


class AlertHistory(Panel):
    """Newest first. Fetched again when the snapshot has an alert that is not among them."""

    LABEL = "Alerts"

    def __init__(self, ask: Callable[[Command], Awaitable[Any]]) -> None:
        super().__init__(_COLUMNS, id="alerts", classes="panel")
        self._ask = ask
        self._alerts: list[AlertView] | None = None
        self._wanted: tuple[int, int] | None = None

    def update_view(self, view: View) -> None:
        snapshot = view.snapshot
        if snapshot is not None and view.status.state == "connected":
            wanted = snapshot.pipeline.pid, snapshot.alerts[-1].seq if snapshot.alerts else 0
            if wanted != self._wanted:
                self._wanted = wanted
                self.run_worker(self._fetch(view), group="alerts", exclusive=True)
        self._show_alerts(view)

    async def _fetch(self, view: View) -> None:
        try:
            self._alerts = await self._ask(GetAlerts())
        except LinkError:
            self._wanted = None  # the next repaint tries again
        else:
            self._show_alerts(view)

    def _show_alerts(self, view: View) -> None:
        alerts = self._alerts or []
        self.set_titles(f"Alerts {len(alerts) or ''}".rstrip(), "newest first" if alerts else "")
        empty = "…" if self._alerts is None else "Nothing has fired yet."
        self.show([_row(alert, hidden=view.holdings.hidden) for alert in reversed(alerts)], view.waiting(empty))


def _row(alert: AlertView, *, hidden: bool) -> Row:
    return Row(
        str(alert.seq),
        (
            text(fmt.moment_seconds(alert.at), "dim"),
            outside(alert.ticker or "pipeline", "strong"),
            text(value_text(alert.metric, alert.value, hidden=hidden), "warn"),
            outside(alert.rule),
        ),
    )
