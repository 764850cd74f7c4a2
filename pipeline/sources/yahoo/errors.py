"""What Yahoo says of a single symbol instead of data. None of it concerns other symbols, so no feed raises it."""

from typing import Final

from pipeline.model.messages import DeadLetter

NAME: Final = "Yahoo"


class SymbolError(Exception):
    """There are no data of this symbol now; the message says why."""


class NoSuchSymbolError(SymbolError):
    """Yahoo knows no such symbol, or no longer."""


class NotServedError(SymbolError):
    """Yahoo knows the symbol, but has not what was asked for: not this interval, or nothing in this range."""


class NothingError(SymbolError):
    """Yahoo knows the symbol, and has neither a price nor a bar of it."""

    def __init__(self, ticker: str) -> None:
        super().__init__(f"{NAME} has no price of {ticker} now")


class UnreadableChartError(SymbolError):
    """The answer is not what was promised; `misfit` holds its beginning."""

    def __init__(self, reason: str, misfit: DeadLetter) -> None:
        super().__init__(f"the answer cannot be read: {reason}")
        self.misfit = misfit
