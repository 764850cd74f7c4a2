"""The two lines on top: what is shown, where it comes from, and what time it is."""

from fintrends_tui.state import format as fmt
from fintrends_tui.state.replay import pace
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Cell, Column, Row, Span, outside
from fintrends_tui.widgets.table.live_table import Table
from pipeline.contract.snapshot import BudgetView, PipelineView

_TONE_OF_LINK = {"failed": "error", "lost": "warn"}


class Header(Table, can_focus=False):
    """Name, state and clocks; below them source, bus and store."""

    def __init__(self) -> None:
        super().__init__((Column("", 20, elastic=True), Column("", 31, right=True, drop=1)), header=False, id="header")

    def update_view(self, view: View) -> None:
        pipeline = view.snapshot.pipeline if view.snapshot else None
        beside = (
            (Span("  slow terminal", "warn"),)
            if view.is_slow
            else (Span(f"  {fmt.local_clock(view.now)}"), Span(" local", "dim"))
        )  # there is room for one of them
        clocks = (Span(fmt.clock(view.now), "strong"), Span(" UTC", "dim"), *beside)
        if view.replay is not None and view.replay.at is not None:
            clocks = (Span(fmt.moment_seconds(view.clock), "strong"), Span(" UTC", "dim"), Span(" replay", "warn"))
        state = (Span("fintrends ", "accent"), *_state(view, pipeline))
        # What is wrong needs the whole line, and so does why prices are made up.
        whole = view.status.state != "connected" or (pipeline is not None and pipeline.preview)
        self.show(
            [
                Row("state", (state,) if whole else (state, clocks)),
                Row("where", (_where(view, pipeline),)),
            ]
        )


def _state(view: View, pipeline: PipelineView | None) -> Cell:
    if pipeline is None or view.stale:
        stale = f" (shown: {fmt.clock(view.snapshot.at)} UTC)" if view.snapshot else ""
        tone = _TONE_OF_LINK.get(view.status.state, "dim")
        return (*_badges(view, pipeline), *outside(f"{view.status.note}{stale}", tone))
    if pipeline.preview:
        why = Span("no provider answers; goes live by itself once one does: ", "warn")
        return (*_badges(view, pipeline), why, *outside(pipeline.preview))
    if pipeline.state != "running":
        state = Span(f"◌ {pipeline.state}", "warn")
    elif (progress := pipeline.restoring) is not None:
        state = Span(f"◌ restoring {progress.done} of {progress.total} tickers", "warn")
    elif pipeline.paused:
        state = Span("‖ producers paused", "warn")
    elif pipeline.replay is not None and not pipeline.idle:
        state = Span(pace(pipeline.replay), "warn" if pipeline.replay.paused else "up")
    elif pipeline.idle:
        over = "the recording is over" if pipeline.replay is not None else "idle: all caught up"
        state = Span(f"● {over}", "dim")
    else:
        state = Span("● running", "up")
    letters = (Span(f"  ✗ {pipeline.dead_letters:,} dead letters", "error"),) if pipeline.dead_letters else ()
    aside = (Span(f"  {pipeline.set_aside:,} set aside", "warn"),) if pipeline.set_aside else ()
    return (*_badges(view, pipeline), state, *letters, *aside)


def _badges(view: View, pipeline: PipelineView | None) -> Cell:
    if pipeline is None:
        origin = ""
    else:
        origin = " SIMULATED " if pipeline.simulated else " REPLAY " if pipeline.replay is not None else ""
    return tuple(span for words in (view.badge, origin) if words for span in (Span(words, "badge"), Span(" ")))


def _where(view: View, pipeline: PipelineView | None) -> Cell:
    if pipeline is None:
        return ()
    parts = [("source ", pipeline.source), ("  bus ", pipeline.bus), ("  store ", pipeline.store)]
    if pipeline.namespace:
        parts.insert(1, ("  namespace ", pipeline.namespace))
    note = (Span("  "), *outside(pipeline.source_note, "dim")) if pipeline.source_note else ()
    process = f"  pid {pipeline.pid}  up {fmt.duration(view.now - pipeline.started_at)}"
    budgets = view.snapshot.budgets if view.snapshot else []
    return (
        *(span for name, value in parts for span in (Span(name, "dim"), *outside(value))),
        *(span for budget in budgets for span in _budget(budget)),
        *note,
        Span(process, "dim"),
    )


def _budget(budget: BudgetView) -> Cell:
    """Requests used today, and what is asked next, or what it waits for; the provider by its initials."""
    name = "".join(word[0] for word in budget.name.split())
    used = f"{budget.used}/{budget.limit}" if budget.limit is not None else f"{budget.used}"
    if budget.note:
        return (Span(f"  {name} ", "dim"), Span(f"{used} "), *outside(budget.note, "warn"))
    if budget.next_at is None:
        return (Span(f"  {name} ", "dim"), Span(used))
    what = outside(f"next {fmt.local_clock(budget.next_at)[:5]} {budget.next_what}", "dim")
    return (Span(f"  {name} ", "dim"), Span(f"{used} "), *what)
