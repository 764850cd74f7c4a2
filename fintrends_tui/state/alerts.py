"""What the screen makes of alerts: which are new to it, and how near a rule is to firing. Pure; knows no widget."""

from collections.abc import Iterable
from typing import Final

from fintrends_tui.state import format as fmt
from fintrends_tui.state.positions import MASK
from pipeline.contract.snapshot import AlertView, Snapshot, greatest_lag
from pipeline.model.alert_rules import Rule
from pipeline.model.positions import AMOUNTS, POSITION_METRICS, Portfolio

_TICKER_FIELDS: Final = {
    "price": "price",
    "change_percent": "change_percent",
    "volume": "volume",
    "sentiment": "sentiment",
    "rsi_14": "rsi",
    "macd_hist": "macd_hist",
}
"""The fields of a `TickerView` that hold metrics of `pipeline.model.alert_rules`."""
_WIDEST: Final = 14
_COUNTS: Final = frozenset({"volume", "obv", "lag", "dead_letters"})


class NewAlerts:
    """Separates alerts that fire while the screen is open from earlier ones, which are history."""

    def __init__(self) -> None:
        self._seen: int | None = None

    def take(self, snapshot: Snapshot) -> tuple[list[AlertView], int]:
        """The alerts since the last snapshot, oldest first, and how many more there were than a snapshot holds.

        None in the first snapshot are new, nor in that of a pipeline whose alerts are counted from the start again.
        """
        latest = snapshot.alerts[-1].seq if snapshot.alerts else 0
        seen, self._seen = self._seen, latest
        if seen is None or latest < seen:
            return [], 0
        new = [alert for alert in snapshot.alerts if alert.seq > seen]
        return new, latest - seen - len(new)


def fired_tickers(snapshot: Snapshot) -> set[str]:
    """The tickers for which some rule has fired and is not over."""
    return {ticker for rule in snapshot.rules for ticker in rule.fired}


def missing_ticker(rule: Rule, snapshot: Snapshot) -> str:
    """The ticker that the rule is of if it is not watched, so that it cannot fire; else empty."""
    watched = any(ticker.ticker == rule.ticker for ticker in snapshot.tickers)
    return "" if rule.ticker is None or watched else rule.ticker


def present(rule: Rule, snapshot: Snapshot, held: Portfolio | None = None) -> tuple[str, float] | None:
    """What the rule's value is now, and whose ("" is the pipeline's), where the snapshot has it.

    Of a rule for any ticker it is the value nearest to firing. Most indicators are known of the selected ticker only.
    `held` are the user's positions.
    """
    values = [
        (ticker, value)
        for ticker, value in _values(rule.metric, snapshot, held)
        if value is not None and rule.ticker in (None, ticker)
    ]
    nearest = max if rule.operator in (">", ">=") else min
    return nearest(values, key=lambda item: item[1], default=None)


def value_text(metric: str, value: float, *, hidden: bool = False) -> str:
    """The value as the watchlist writes its like; `hidden` are amounts of what the user holds."""
    if hidden and metric in AMOUNTS:
        return MASK
    return fmt.human(value) if metric in _COUNTS else fmt.price(value, _WIDEST)


def _values(metric: str, snapshot: Snapshot, held: Portfolio | None) -> Iterable[tuple[str, float | None]]:
    if metric == "lag":
        return [("", greatest_lag(snapshot.topics) or 0)]
    if metric == "dead_letters":
        return [("", snapshot.pipeline.dead_letters)]
    if metric in _TICKER_FIELDS:
        return [(ticker.ticker, getattr(ticker, _TICKER_FIELDS[metric])) for ticker in snapshot.tickers]
    if metric in POSITION_METRICS:
        return [
            (position.ticker, position.metrics[metric]) for position in (held.positions if held is not None else ())
        ]
    detail = snapshot.detail
    return [(detail.ticker, detail.indicators[0].values.get(metric))] if detail and detail.indicators else []
