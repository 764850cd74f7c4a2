"""A plan of what would happen, and the question whether to do it."""

import re
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from fintrends_tui.link.port import LinkError
from fintrends_tui.screens.base import BaseScreen
from pipeline.contract.plans import Operation, Plan, described, question
from pipeline.contract.protocol import CarryOut, MakePlan, Planned
from pipeline.model.text import drawn

_LINES = 400
"""Of a long plan; what it comes to stands at its end."""


class PlanScreen(ModalScreen[bool]):
    """Returns whether to do it. A plan that does nothing, or that something stands in the way of, can only be read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Do it"),
        Binding("escape,n,q", "answer(False)", "Cancel"),
        Binding("ctrl+c", "app.quit", "Quit", show=False),
    ]

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self._can_be_done = plan.does_anything and not plan.obstacle

    def compose(self) -> ComposeResult:
        lines = described(self._plan)
        if len(lines) > _LINES:
            half = _LINES // 2
            lines = [*lines[:half], f"… {len(lines) - _LINES:,} lines more …", *lines[-half:]]
        with Vertical(classes="dialog plan") as dialog:
            dialog.border_title = Content(question(self._plan) if self._can_be_done else "Nothing is done")
            dialog.border_subtitle = "y do it   Esc cancel" if self._can_be_done else "Esc close"
            with VerticalScroll():
                yield Static(Content("\n".join(map(_drawn, lines))))

    def action_answer(self, yes: bool) -> None:
        if not yes or self._can_be_done:
            self.dismiss(yes)


def _drawn(line: str) -> str:
    """As `drawn`, with the blanks that keep columns in line."""
    return re.sub(r"[^ ]+", lambda word: drawn(word[0]), line)


def propose(screen: BaseScreen[Any], operation: Operation) -> None:
    """Have the pipeline plan what is asked for, show the plan, and have it carried out if that is confirmed."""

    async def plan() -> None:
        try:
            planned: Planned = await screen.fintrends.link.ask(MakePlan(operation))
        except LinkError as error:
            screen.notify(str(error), severity="error", markup=False)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                screen.fintrends.command(CarryOut(planned.number))

        screen.app.push_screen(PlanScreen(planned.plan), answered)

    screen.run_worker(plan(), group="plan", exclusive=True)
