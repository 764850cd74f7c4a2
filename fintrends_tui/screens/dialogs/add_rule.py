"""The question which alert rule to add."""

from collections.abc import Collection

from fintrends_tui.screens.dialogs.ask import AskScreen
from pipeline.model.alert_rules import InvalidRuleError, parse_rule


class AddRuleScreen(AskScreen[list[str]]):
    """Returns the rules as they were understood, or None."""

    def __init__(self, ticker: str | None, rules: Collection[str], watched: Collection[str]) -> None:
        """`ticker` is that of the example; `rules` are those there are, `watched` the tickers that have figures."""
        example = f"{ticker or 'AAPL'} price > 250"
        super().__init__(
            "Alert when",
            f"[TICKER] METRIC > NUMBER (or <, >=, <=), such as {example}, change_percent < -3, rsi_14 < 30, "
            "sentiment < -0.5, lag > 1000. Without a ticker it is for every watched one. Several are separated by ;",
            verb="add",
            between="; ",
            placeholder=f"{example}; rsi_14 < 30; lag > 1000",
        )
        self._rules = rules
        self._watched = watched
        self._warned = ""

    def answered(self, text: str) -> None:
        try:
            parsed = [parse_rule(part) for part in text.split(";") if part.strip() or part == text]
        except InvalidRuleError as error:
            self.refuse(str(error))
            return
        rules = list(dict.fromkeys(map(str, parsed)))
        strange = sorted({rule.ticker for rule in parsed if rule.ticker} - set(self._watched))
        if known := [rule for rule in rules if rule in self._rules]:
            self.refuse(f"There is a rule {known[0]} already.")
        elif strange and text != self._warned:
            self._warned = text
            those = "is" if len(strange) == 1 else "are"
            self.refuse(
                f"{', '.join(strange)} {those} not watched: nothing can fire until then. Enter again adds it anyway."
            )
        else:
            self.dismiss(rules)
