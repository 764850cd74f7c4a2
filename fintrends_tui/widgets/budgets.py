"""What the providers of live data still allow."""

from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.view import View
from fintrends_tui.widgets.panel import Panel
from fintrends_tui.widgets.table.cells import Column, Row, outside, text
from pipeline.contract.snapshot import BudgetView

_COLUMNS: Final = (
    Column("Provider", 14),
    Column("Used today", 10, right=True),
    Column("Left", 5, right=True),
    Column("Next", 24, drop=1),
    Column("Note; not in the plan", 20, elastic=True),
)


class Budgets(Panel):
    """A line for each provider that counts requests; shown only while there are any."""

    LABEL = "Budgets"

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="budgets", classes="panel")

    def update_view(self, view: View) -> None:
        budgets = view.snapshot.budgets if view.snapshot else []
        self.display = bool(budgets)
        self.styles.height = len(budgets) + 3
        self.set_titles("API budgets")
        self.show([_row(budget) for budget in budgets])


def _row(budget: BudgetView) -> Row:
    used = f"{budget.used:,}" if budget.limit is None else f"{budget.used:,} of {budget.limit:,}"
    due = "" if budget.next_at is None else f"{fmt.local_clock(budget.next_at)[:5]} {budget.next_what}"
    lacks = f"not in the plan: {', '.join(budget.not_in_plan)}" if budget.not_in_plan else ""
    said = budget.trouble or budget.note
    return Row(
        budget.name,
        (
            outside(budget.name, "strong"),
            text(used),
            text(fmt.UNKNOWN if budget.left is None else f"{budget.left:,}"),
            outside(due),
            (*outside(f"{said}  " if said and lacks else said, "warn"), *outside(lacks, "dim")),
        ),
    )
