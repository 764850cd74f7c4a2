"""Price and pipeline alerts: rules in words, and when they fire. Pure.

A rule is `[TICKER] METRIC OPERATOR NUMBER`, such as `AAPL price > 250`, `rsi_14 < 30` (of any watched ticker) or
`lag > 1000`. It fires once when its condition comes true, and again only after the value has been back on the other
side of the threshold by a margin, so that a value that hovers there is one alert and not a hundred.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from pipeline.messages import INDICATOR_FIELDS
from pipeline.snapshot import AlertView
from pipeline.tickers import InvalidTickerError, parse_ticker

PIPELINE_METRICS: Final = ("lag", "dead_letters")
"""The greatest lag of any consumer group on any topic, in records; the documents in `dead_letter`."""
TICKER_METRICS: Final = ("price", "change_percent", "volume", "sentiment", *INDICATOR_FIELDS)
"""As in the watchlist, and the indicators of the finest interval there is."""

_RULE: Final = re.compile(r"(?:(\S+)\s+)?(\w+)\s*([<>]=?)\s*(\S+)")
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class InvalidRuleError(ValueError):
    """The text is no rule; the message says what one looks like."""


class Rule(NamedTuple):
    """`ticker` is None for any watched ticker, and for what is the pipeline's."""

    ticker: str | None
    metric: str
    operator: str
    threshold: float

    def __str__(self) -> str:
        condition = f"{self.metric} {self.operator} {self.threshold:.12g}"
        return f"{self.ticker} {condition}" if self.ticker else condition

    def holds(self, value: float) -> bool:
        """Whether the condition is true."""
        return _OPERATORS[self.operator](value, self.threshold)

    def is_over(self, value: float, margin: float) -> bool:
        """Whether the value is back on the other side by more than `margin`."""
        beyond = self.threshold - value if self.operator in (">", ">=") else value - self.threshold
        return beyond > margin


def parse_rule(text: str) -> Rule:
    """The rule that the text says.

    Raises:
        InvalidRuleError
    """
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise InvalidRuleError(f"{text!r} is no rule; write [TICKER] METRIC > NUMBER, such as AAPL price > 250")
    subject, metric, sign, number = found.groups()
    metric = metric.lower()
    if metric not in (*TICKER_METRICS, *PIPELINE_METRICS):
        raise InvalidRuleError(f"{metric!r} is no metric; there are {', '.join((*TICKER_METRICS, *PIPELINE_METRICS))}")
    if subject and metric in PIPELINE_METRICS:
        raise InvalidRuleError(f"{metric} is the pipeline's, not a ticker's; write {metric} {sign} {number}")
    try:
        return Rule(parse_ticker(subject) if subject else None, metric, sign, _finite(number))
    except InvalidTickerError as error:
        raise InvalidRuleError(str(error)) from error


def _finite(number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise InvalidRuleError(f"{number!r} is no number")
    return value


class Alert(NamedTuple):
    """A rule that fired, for whom, and the value that did it."""

    rule: Rule
    ticker: str | None
    value: float


def sentence_of(alert: AlertView) -> str:
    """The alert in words, such as "AAPL price is 251.3 (AAPL price > 250)"."""
    value = f"{alert.value:.6g}" if abs(alert.value) < 1e6 else f"{alert.value:.0f}"
    return f"{alert.ticker} {alert.metric} is {value} ({alert.rule})".lstrip()


class Alerts:
    """Watches values by rules. `hysteresis` is the margin in percent of the threshold (of 1 where that is less).

    `fired` holds the rules, each with its ticker, whose condition came true and has not been over since.
    """

    def __init__(self, rules: Iterable[Rule], hysteresis: float, fired: Iterable[tuple[Rule, str | None]] = ()) -> None:
        self._rules = dict.fromkeys(rules)
        self._hysteresis = hysteresis / 100
        self.fired = {(rule, ticker) for rule, ticker in fired if rule in self._rules}

    @property
    def rules(self) -> list[Rule]:
        return list(self._rules)

    def add(self, rule: Rule) -> bool:
        """Whether it is new."""
        is_new = rule not in self._rules
        self._rules[rule] = None
        return is_new

    def remove(self, rule: Rule) -> bool:
        """Whether it was there."""
        self.fired = {(other, ticker) for other, ticker in self.fired if other != rule}
        return self._rules.pop(rule, rule) is None

    def observe(self, ticker: str | None, values: Mapping[str, float | None]) -> list[Alert]:
        """What fires now that a ticker (None: the pipeline) has these values. Unknown ones change nothing."""
        metrics = PIPELINE_METRICS if ticker is None else TICKER_METRICS
        alerts = []
        for rule in self._rules:
            value = values.get(rule.metric)
            if value is None or rule.metric not in metrics or rule.ticker not in (None, ticker):
                continue
            key = rule, ticker
            if key not in self.fired:
                if rule.holds(value):
                    self.fired.add(key)
                    alerts.append(Alert(rule, ticker, value))
            elif rule.is_over(value, self._hysteresis * max(abs(rule.threshold), 1.0)):
                self.fired.discard(key)
        return alerts
