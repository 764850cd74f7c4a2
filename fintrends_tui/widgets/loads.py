"""Initial loads: how far the history of each ticker has come."""

from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Column, Row, outside, text
from pipeline.contract.snapshot import LoadView

_BAR: Final = 20
_STATES: Final = {
    "waiting": ("◌ waiting", "dim"),
    "loading": ("↓ loading", "accent"),
    "done": ("✓ done", "up"),
    "failed": ("✗ failed", "error"),
}
_COLUMNS: Final = (
    Column("Ticker", 9),
    Column("State", 9),
    Column("Progress", _BAR),
    Column("", 4, right=True),
    Column("Messages", 15, right=True),
    Column("Note", 8, elastic=True),
)


class Loads(Panel):
    """One progress bar a ticker; shown only while the snapshot has loads."""

    LABEL = "Loads"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="loads", classes="panel")

    def update_view(self, view: View) -> None:
        loads = view.snapshot.loads if view.snapshot else []
        done = sum(load.state in ("done", "failed") for load in loads)
        self.set_titles(f"Initial load {done} of {len(loads)}")
        self.show([_row(load) for load in loads], "No initial load is running. Press i to load history.")


def _row(load: LoadView) -> Row:
    state, tone = _STATES[load.state]
    part = load.done / load.total if load.total else float(load.state == "done")
    return Row(
        load.ticker,
        (
            outside(load.ticker, "strong"),
            text(state, tone),
            text(fmt.bar(part, _BAR), tone),
            text(f"{part:.0%}" if load.total or load.state == "done" else ""),
            text(f"{load.done:,} / {load.total:,}" if load.total else f"{load.done:,}"),
            outside(load.note, "warn" if load.state == "failed" else "dim"),
        ),
    )
