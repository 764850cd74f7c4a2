"""What Alpha Vantage says instead of data, always with status 200, and what to do about each.

Every message is a sentence of ours: one of theirs echoes the API key.
"""

from typing import Final

from pipeline.messages import DeadLetter

NAME: Final = "Alpha Vantage"


class AlphaVantageError(Exception):
    """The request was answered, but not with data. `permanent` means for every request with this key."""

    permanent = False


class BadKeyError(AlphaVantageError):
    """The API key is missing or malformed: nothing will work until it is corrected."""

    permanent = True

    def __init__(self) -> None:
        super().__init__(
            f"{NAME} does not accept the API key; check ALPHA_VANTAGE_API_KEY, "
            "or claim a free key at https://www.alphavantage.co/support/#api-key"
        )


class DemoKeyError(AlphaVantageError):
    """The key is `demo`, which only answers the examples of the documentation."""

    permanent = True

    def __init__(self) -> None:
        super().__init__(
            f"the API key demo answers only the examples of {NAME}'s documentation; "
            "claim a free key at https://www.alphavantage.co/support/#api-key"
        )


class UnknownSymbolError(AlphaVantageError):
    """There is no such symbol: do not ask for it again."""

    def __init__(self, ticker: str) -> None:
        super().__init__(f"{NAME} knows no symbol {ticker}; check its spelling")
        self.ticker = ticker


class BadRequestError(AlphaVantageError):
    """The function or one of its parameters is wrong: do not repeat it."""

    def __init__(self, function: str) -> None:
        super().__init__(f"{NAME} does not accept this request for {function}")
        self.function = function


class BurstLimitError(AlphaVantageError):
    """Too many requests in a second or a minute: wait that long and ask again."""

    def __init__(self) -> None:
        super().__init__(f"{NAME} asks for fewer requests per second or minute")


class DailyLimitError(AlphaVantageError):
    """The day's requests are used up: wait for the next day. A key that was never issued looks the same."""

    def __init__(self) -> None:
        super().__init__(
            f"{NAME} allows no more requests today (25 a day on the free plan); "
            "if none were made, check that the API key is yours"
        )


class NoArticlesError(AlphaVantageError):
    """There is no news in the time asked for."""

    def __init__(self, function: str) -> None:
        super().__init__(f"{NAME} has nothing new for {function}")


class NotInPlanError(AlphaVantageError):
    """The function needs a premium plan: use the free one instead."""

    def __init__(self, function: str) -> None:
        super().__init__(f"{NAME} offers {function} only with a premium plan")
        self.function = function


class FullOutputNotInPlanError(NotInPlanError):
    """Only the newest 100 rows are free: ask without `full`, and say that the history is short."""

    def __init__(self, function: str) -> None:
        super().__init__(f"{function} of more than the newest 100 rows")


class UnreadableReplyError(AlphaVantageError):
    """The body is not JSON, not of the shape promised, or a notice not known: back off and ask again.

    `misfit` holds its beginning, for the dead letters.
    """

    def __init__(self, function: str, reason: str, misfit: DeadLetter) -> None:
        super().__init__(f"{NAME} answered {function} with something that cannot be read: {reason}")
        self.function = function
        self.misfit = misfit
