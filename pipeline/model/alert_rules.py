"""Price and pipeline alerts: rules in words, and when they fire. Pure.

A rule is `[TICKER] METRIC OPERATOR NUMBER`, such as `AAPL price > 250`, `rsi_14 < 30` (of any watched ticker) or
`lag > 1000`. It fires once when its condition comes true, and again only after the value has been back on the other
side of the threshold by a margin, so that a value that hovers there is one alert and not a hundred.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from pipeline.model.messages import INDICATOR_FIELDS
from pipeline.model.numbers import exact
from pipeline.model.positions import POSITION_METRICS
from pipeline.model.tickers import InvalidTickerError, parse_ticker

PIPELINE_METRICS: Final = ("lag", "dead_letters")
"""The greatest lag of any consumer group on any topic, in records; the documents in `dead_letter`."""
_FORECASTS: Final = ("forecast_up", "outside_band")
"""The probability that the next return is positive, from 0 to 1; how far the last close lies outside of its 95 % band,
in halves of its width: below zero inside."""
TICKER_METRICS: Final = (
    "price",
    "change_percent",
    "volume",
    "sentiment",
    *INDICATOR_FIELDS,
    *_FORECASTS,
    *POSITION_METRICS,
)
"""As in the watchlist, the indicators and forecasts of the finest interval that has a row of the price's day, and what
is held of it (`pipeline.model.positions`)."""

_IN_CURRENCY: Final = frozenset(
    name
    for name in TICKER_METRICS
    if name in ("price", "vwap", "atr_14") or name.startswith(("sma_", "ema_", "macd", "bb_"))
)
"""Metrics that are small where the price is."""

_RULE: Final = re.compile(r"(?:(\S+)\s+)?(\w+%?)\s*([<>]=?)\s*(\S+)")
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class InvalidRuleError(ValueError):
    """The text is not a rule; the message says what one looks like."""


class Rule(NamedTuple):
    """`ticker` is None for any watched ticker, and for what is the pipeline's."""

    ticker: str | None
    metric: str
    operator: str
    threshold: float

    def __str__(self) -> str:
        condition = f"{self.metric} {self.operator} {exact(self.threshold)}"
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
        raise InvalidRuleError(f"{text!r} is not a rule; write [TICKER] METRIC > NUMBER, such as AAPL price > 250")
    subject, metric, sign, number = found.groups()
    metric = metric.lower()
    if metric not in (*TICKER_METRICS, *PIPELINE_METRICS):
        known = ", ".join((*TICKER_METRICS, *PIPELINE_METRICS))
        raise InvalidRuleError(f"{metric!r} is not a metric; the metrics are {known}")
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
        raise InvalidRuleError(f"{number!r} is not a number")
    return value


class Alert(NamedTuple):
    """A rule that fired, for whom, and the value that did it."""

    rule: Rule
    ticker: str | None
    value: float


class Alerts:
    """Watches values by rules. `hysteresis` is the margin in percent of the threshold (of 1 where that is less; for
    what is measured in the ticker's currency, of its price where that is less still).

    `fired` holds the rules, each with its ticker, whose condition came true and has not been over since; `sources` says
    whose figures of a ticker were seen last.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        hysteresis: float,
        fired: Iterable[tuple[Rule, str | None]] = (),
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self._rules = dict.fromkeys(rules)
        self._hysteresis = hysteresis / 100
        self.fired = {(rule, ticker) for rule, ticker in fired if rule in self._rules}
        self.sources = dict(sources or {})

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

    def keep(self, tickers: Iterable[str]) -> None:
        """Forget what has fired for all other tickers, which are not watched."""
        watched = set(tickers)
        self.fired = {(rule, ticker) for rule, ticker in self.fired if ticker is None or ticker in watched}
        self.sources = {ticker: source for ticker, source in self.sources.items() if ticker in watched}

    def observe(self, ticker: str | None, values: Mapping[str, float | None], source: str | None = None) -> list[Alert]:
        """What fires now that a ticker (None: the pipeline) has these values. Unknown ones change nothing.

        What fired on the figures of another `source` has not fired on these.
        """
        if ticker is not None and source:
            if self.sources.get(ticker, source) != source:
                self.fired = {(rule, other) for rule, other in self.fired if other != ticker}
            self.sources[ticker] = source
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
            elif rule.is_over(value, self._hysteresis * max(abs(rule.threshold), _unit(rule.metric, values))):
                self.fired.discard(key)
        return alerts


def _unit(metric: str, values: Mapping[str, float | None]) -> float:
    """What a margin is a part of where the threshold is nearly zero."""
    price = values.get("price")
    return min(1.0, abs(price)) if metric in _IN_CURRENCY and price else 1.0
