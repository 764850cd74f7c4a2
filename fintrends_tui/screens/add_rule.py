"""The question which alert rule to add."""

from collections.abc import Collection

from fintrends_tui.screens.ask import AskScreen
from pipeline.alerts import InvalidRuleError, parse_rule


class AddRuleScreen(AskScreen[str]):
    """Returns the rule as it was understood, or None."""

    def __init__(self, ticker: str | None, rules: Collection[str]) -> None:
        """`ticker` is what the rule starts with, unless it is typed over; `rules` are those there are."""
        super().__init__(
            "Alert when",
            "[TICKER] METRIC > NUMBER (or <, >=, <=), such as AAPL price > 250, change_percent < -3, rsi_14 < 30, "
            "sentiment < -0.5, lag > 1000. Without a ticker it is for every watched one.",
            verb="add",
            value=f"{ticker} " if ticker else "",
            placeholder="AAPL price > 250, rsi_14 < 30, lag > 1000",
        )
        self._rules = rules

    def answered(self, text: str) -> None:
        try:
            rule = str(parse_rule(text))
        except InvalidRuleError as error:
            self.refuse(str(error))
            return
        if rule in self._rules:
            self.refuse(f"There is a rule {rule} already.")
        else:
            self.dismiss(rule)
