"""Which ticker is requested next. Pure."""

import math
from collections.abc import Sequence
from typing import Final

NEWCOMER: Final = 2.0
"""Seconds between the first requests of tickers that have just come."""


class RoundRobin:
    """Each ticker once a period, evenly spread over it; one that is new at once.

    `spacing` is the least time between two requests once all tickers have had their first: many tickers make the
    period longer. Times in seconds, of a clock that never goes back.
    """

    def __init__(self, period: float, spacing: float = 0.0) -> None:
        self._period = period
        self._spacing = spacing
        self._due: dict[str, float] = {}
        self._turns: dict[str, float] = {}
        """As `_due`, but for pauses."""
        self._not_before = 0.0

    def next(self, tickers: Sequence[str], now: float) -> tuple[str, float]:
        """The ticker to ask for next, of at least one, and the seconds to wait until then."""
        for gone in self._due.keys() - set(tickers):
            del self._due[gone], self._turns[gone]  # it is a newcomer when it comes back
        ticker = min(tickers, key=lambda ticker: self._due.get(ticker, -math.inf))
        return ticker, max(self._due.get(ticker, now), self._not_before, now) - now

    def due(self, ticker: str) -> float:
        """When the ticker has its next turn; now or earlier if it has not been asked for."""
        return self._due.get(ticker, -math.inf)

    def asked(self, ticker: str, tickers: Sequence[str], now: float, pause: float = 0.0) -> None:
        """Give the ticker its next turn, no sooner than after the pause."""
        step = max(self._period / max(1, len(tickers)), self._spacing)
        self._turns[ticker] = max([now + self._period, *(turn + step for turn in self._turns.values())])
        self._due[ticker] = max(self._turns[ticker], now + pause)
        self._not_before = now + min(NEWCOMER, step)
