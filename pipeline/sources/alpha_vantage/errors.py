"""What Alpha Vantage says instead of data, always with status 200, and what to do about each.

Every message is a sentence of ours, because one of theirs echoes the API key.
"""

from typing import Final

from pipeline.model.messages import DeadLetter
from pipeline.model.outage import OutsideError

NAME: Final = "Alpha Vantage"
_KEY_PAUSE: Final = 6 * 3600.0
"""Seconds until a key that was refused is tried again by each feed: the refusal may be a mistake of the provider's, and
each try may cost a request of the day."""


class AlphaVantageError(OutsideError):
    """The request was answered, but not with data. `permanent` means for every request with this key."""

    permanent = False


class BadKeyError(AlphaVantageError):
    """The API key is missing or malformed: nothing will work until it is corrected."""

    permanent = True
    retry_after = _KEY_PAUSE

    def __init__(self) -> None:
        super().__init__(
            f"{NAME} does not accept the API key; check ALPHA_VANTAGE_API_KEY, "
            "or claim a free key at https://www.alphavantage.co/support/#api-key"
        )


class DemoKeyError(AlphaVantageError):
    """The key is `demo`, which only answers the examples of the documentation."""

    permanent = True
    retry_after = _KEY_PAUSE

    def __init__(self) -> None:
        super().__init__(
            f"the API key demo answers only the examples of {NAME}'s documentation; "
            "claim a free key at https://www.alphavantage.co/support/#api-key"
        )


class UnknownSymbolError(AlphaVantageError):
    """The function refuses the symbol, which other functions may know: do not ask this one for it again.

    `empty` says that it did so by answering nothing at all, as it does for every symbol when it has trouble.
    """

    def __init__(self, ticker: str, function: str = "", *, empty: bool = False) -> None:
        what = "answers with nothing" if empty else "refuses to answer"
        super().__init__(f"{NAME} {what} for {ticker}{f' ({function})' if function else ''}")
        self.ticker = ticker
        self.empty = empty


class BadRequestError(AlphaVantageError):
    """The function or one of its parameters is wrong: of little use to repeat it soon."""

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

    `misfit` holds its beginning, for the dead letters. A `notice` may be about more than this request.
    """

    def __init__(self, function: str, reason: str, misfit: DeadLetter, *, notice: bool = False) -> None:
        super().__init__(f"{NAME} answered {function} with something that cannot be read: {reason}")
        self.function = function
        self.misfit = misfit
        self.notice = notice
