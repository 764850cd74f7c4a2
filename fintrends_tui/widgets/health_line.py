"""One line below the header: how the pipeline is."""

from fintrends_tui.state.health import health
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Column, Row, Span, outside
from fintrends_tui.widgets.table.live_table import Table


class HealthLine(Table, can_focus=False):
    """Empty before the first snapshot, and dim while the connection is lost."""

    def __init__(self) -> None:
        super().__init__((Column("", 20, elastic=True),), header=False, id="health")

    def update_view(self, view: View) -> None:
        signs = health(view.snapshot) if view.snapshot is not None else []
        spans: list[Span] = []
        for sign in signs:
            spans += [Span(" · ", "dim")] if spans else []
            spans += outside(sign.text, "dim" if view.stale else sign.tone)
        self.show([Row("health", (tuple(spans),))])
