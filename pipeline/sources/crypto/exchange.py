"""The port that an exchange implements, and what it can say instead of candles."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pipeline.model.messages import Bar, DeadLetter, Interval
from pipeline.net.errors import HttpError


class NotTradedError(Exception):
    """The exchange does not trade the pair: nothing is wrong with either, and asking again soon is of no use."""

    def __init__(self, exchange: str, ticker: str) -> None:
        super().__init__(f"{exchange} does not trade {ticker}")


class UnreadableCandlesError(HttpError):
    """The answer is not what the exchange promises; `misfit` holds its beginning, for the dead letters."""

    def __init__(self, exchange: str, reason: str, misfit: DeadLetter) -> None:
        super().__init__(exchange, f"its answer cannot be read: {reason}")
        self.misfit = misfit


@dataclass(frozen=True, slots=True)
class Candles:
    """Bars of one ticker and interval, oldest first, and a dead letter for each row that did not fit."""

    bars: list[Bar] = field(default_factory=list)
    misfits: list[DeadLetter] = field(default_factory=list)


class CryptoExchange(Protocol):
    """An exchange of crypto-currencies. Making one opens nothing."""

    name: str
    """As the source of messages: `coinbase`."""
    title: str
    """As people write it: Coinbase."""
    reach: Mapping[Interval, timedelta]
    """How far back the history of an interval goes, for each that there is a history of."""
    limit_note: str
    """What a user should know of that; may be empty."""
    streams_bars: bool
    """Whether the stream brings bars as well, so that they need not be asked for while it is up."""

    def symbol_of(self, ticker: str) -> str | None:
        """What the stream calls the ticker; None if the exchange is known not to trade it."""

    async def look_up(self) -> None:
        """Learn which pairs there are, if that has to be known and is not known of lately.

        Raises:
            HttpError
        """

    def pages(self, ticker: str, interval: Interval, since: datetime) -> AsyncGenerator[Candles]:
        """The candles from `since` to now, a page after the other, oldest first; the last one may still form.

        Raises:
            NotTradedError: if the exchange does not know the pair.
            UnreadableCandlesError: if an answer is not what was promised.
            HttpError: if no answer came.
        """
