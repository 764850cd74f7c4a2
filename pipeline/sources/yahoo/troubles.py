"""Which tickers cannot be served, why, and when they are asked for again."""

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from pipeline.clock import Clock
from pipeline.net.errors import HttpError
from pipeline.sources.base import TickerTrouble
from pipeline.sources.yahoo.errors import NoSuchSymbolError, SymbolError, UnreadableChartError

log = logging.getLogger(__name__)

UNKNOWN_PAUSE: Final = 6 * 3600.0
"""Seconds until a symbol that Yahoo does not know is asked for again: it may be listed one day."""
NOTHING_PAUSE: Final = 3600.0
"""As much for one of which there is nothing now."""
FAILED_PAUSE: Final = 60.0
"""As much for one whose question failed, or whose answer could not be read."""


class Troubles:
    """By ticker. A trouble that stays the same keeps its beginning."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found: dict[str, TickerTrouble] = {}

    def add(self, ticker: str, error: SymbolError | HttpError) -> float:
        """Remember it; the seconds until the ticker is to be asked for again."""
        pause = _pause(error)
        before, now, why = self._found.get(ticker), self._clock.now(), str(error)
        if before is None or before.why != why:
            log.warning("no data of %s: %s", ticker, why)
        since = before.since if before is not None else now
        self._found[ticker] = TickerTrouble(why, since, now + timedelta(seconds=pause))
        return pause

    def clear(self, ticker: str) -> None:
        if self._found.pop(ticker, None) is not None:
            log.info("there are data of %s again", ticker)

    def of(self, tickers: Collection[str]) -> Mapping[str, TickerTrouble]:
        """Those of these tickers."""
        return {ticker: trouble for ticker, trouble in self._found.items() if ticker in tickers}

    def keep(self, tickers: Collection[str]) -> None:
        """Forget those of all others."""
        self._found = dict(self.of(tickers))


def _pause(error: SymbolError | HttpError) -> float:
    match error:
        case NoSuchSymbolError():
            return UNKNOWN_PAUSE
        case UnreadableChartError() | HttpError():
            return FAILED_PAUSE
        case _:
            return NOTHING_PAUSE
