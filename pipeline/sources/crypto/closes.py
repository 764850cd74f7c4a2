"""What each day closed at, for the change of the next. Pure."""

from collections.abc import Iterable
from datetime import date, datetime

from pipeline.model.messages import Bar


class Closes:
    """The closes of the latest days, UTC, by ticker."""

    def __init__(self) -> None:
        self._closes: dict[str, dict[date, float]] = {}
        self._asked: dict[str, date] = {}

    def learn(self, ticker: str, daily: Iterable[Bar], asked: datetime) -> None:
        """What daily bars say that were asked for at that time (UTC); those still forming have no close."""
        self._closes[ticker] = {bar.ts.date(): bar.close for bar in daily if bar.closed}
        self._asked[ticker] = asked.date()

    def before(self, ticker: str, moment: datetime) -> float | None:
        """The close of the last day with a trade before that of the moment (UTC).

        None as long as it is not known: what was asked for on an earlier day may miss the last one.
        """
        day = moment.date()
        if self._asked.get(ticker, date.min) < day:
            return None
        closes = self._closes[ticker]
        last = max((known for known in closes if known < day), default=None)
        return None if last is None else closes[last]
