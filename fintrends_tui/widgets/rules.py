"""The alert rules: for whom each has fired, and how near it is."""

from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.alerts import missing_ticker, present, value_text
from fintrends_tui.state.positions import Holdings
from fintrends_tui.state.view import View
from fintrends_tui.widgets.table.cells import Cell, Column, Row, outside, text
from fintrends_tui.widgets.table.cursor_table import CursorTable
from pipeline.contract.snapshot import RuleView, Snapshot
from pipeline.model.alert_rules import Rule, parse_rule

_COLUMNS: Final = (
    Column("Rule", 24, elastic=True),
    Column("From", 6, drop=1),
    Column("Fired for", 16),
    Column("Now", 19, right=True),
)


class Rules(CursorTable):
    """One line a rule, in the pipeline's order: those of the configuration first."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="rules", classes="panel")

    def update_view(self, view: View) -> None:
        rules = view.snapshot.rules if view.snapshot else []
        fired = sum(bool(rule.fired) for rule in rules)
        self.set_titles(f"Alert rules {len(rules) or ''}".rstrip(), f"{fired} fired" if fired else "")
        self.show(
            [_row(rule, view.snapshot, view.holdings) for rule in rules] if view.snapshot else [],
            view.waiting(
                "No rules yet. Press a to add one, such as AAPL price > 250, rsi_14 < 30 (of any watched ticker) or "
                "lag > 1000 (of the pipeline)."
            ),
        )


def _row(rule: RuleView, snapshot: Snapshot, holdings: Holdings) -> Row:
    parsed = parse_rule(rule.rule)
    now = present(parsed, snapshot, holdings.portfolio)
    whose = f"{now[0]} " if now is not None and parsed.ticker is None else ""
    value = value_text(parsed.metric, now[1], hidden=holdings.hidden) if now is not None else ""
    fired = ", ".join(ticker or "the pipeline" for ticker in rule.fired)
    return Row(
        rule.rule,
        (
            outside(rule.rule, "strong"),
            text(rule.origin, "dim"),
            outside(f"! {fired}", "warn") if fired else text(fmt.UNKNOWN, "dim"),
            outside(f"{whose}{value}".lstrip()) if now else _why_unknown(parsed, snapshot),
        ),
    )


def _why_unknown(rule: Rule, snapshot: Snapshot) -> Cell:
    return text("not watched", "warn") if missing_ticker(rule, snapshot) else text(fmt.UNKNOWN, "dim")
