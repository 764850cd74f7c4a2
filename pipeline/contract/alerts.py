"""An alert in words."""

from typing import Final

from pipeline.contract.snapshot import AlertView
from pipeline.model.numbers import plain
from pipeline.model.positions import AMOUNTS
from pipeline.model.splits import is_like_a_split

_WHOLE: Final = {"change_percent": 100.0, "return_1": 1.0}
"""The metrics that are changes of a price, and what stands for all of it."""


def sentence_of(alert: AlertView, *, private: bool = False) -> str:
    """The alert in words, such as "AAPL price is 251.3 (AAPL price > 250)"; of a change as at a split, that it is. One
    that is `private` does not tell what the user's positions are worth."""
    if private and alert.metric in AMOUNTS:
        return f"{alert.ticker} meets the rule {alert.rule}"
    whole = _WHOLE.get(alert.metric)
    doubt = "; perhaps a split, prices are as traded" if whole and is_like_a_split(1 + alert.value / whole) else ""
    return f"{alert.ticker} {alert.metric} is {plain(alert.value)} ({alert.rule}){doubt}".lstrip()
