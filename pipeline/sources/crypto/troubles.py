"""Why nothing comes for a ticker, as far as that concerns the ticker alone."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import NamedTuple

from pipeline.clock import Clock
from pipeline.sources.base import TickerTrouble


class _Known(NamedTuple):
    trouble: TickerTrouble
    lasting: bool


class TickerTroubles:
    """What is wrong with single tickers of one provider."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def report(self, ticker: str, why: str, *, again_in: float | None = None, lasting: bool) -> bool:
        """Whether that is news. `again_in` is in seconds. What is not `lasting` concerns only what is asked for, not
        what is streamed."""
        known, now = self._known.get(ticker), self._clock.now()
        since = now if known is None else known.trouble.since
        next_try = None if again_in is None else now + timedelta(seconds=again_in)
        self._known[ticker] = _Known(TickerTrouble(why, since, next_try), lasting)
        return known is None

    def refused(self, ticker: str, why: str) -> None:
        """The exchange does not serve the ticker, and nothing that we do changes that: others may."""
        self.report(ticker, why, lasting=True)

    def clear(self, ticker: str) -> None:
        self._known.pop(ticker, None)

    def keep(self, tickers: Collection[str]) -> None:
        """Forget those of all others."""
        for gone in self._known.keys() - set(tickers):
            del self._known[gone]

    def all(self, *, streaming: bool) -> Mapping[str, TickerTrouble]:
        """By ticker; while prices are streamed, those only that last."""
        return {ticker: known.trouble for ticker, known in self._known.items() if known.lasting or not streaming}
