"""What can go wrong when a provider is asked for something. No message holds a query string, a header or a body."""

from datetime import datetime


class HttpError(Exception):
    """The provider gave nothing that can be used; the message names it and the cause.

    Mostly temporary: back off and ask again later. `RefusedError` alone says that this is of no use. `retry_after` is
    the number of seconds that the provider asked to be left alone for, where it did. `sent` is False if it cannot have
    heard of the request.
    """

    def __init__(self, provider: str, cause: str, *, retry_after: float | None = None, sent: bool = True) -> None:
        super().__init__(f"{provider}: {cause}")
        self.provider = provider
        self.cause = cause
        self.retry_after = retry_after
        self.sent = sent


class UnavailableError(HttpError):
    """It could not be reached, did not answer in time, broke off, or failed itself (5xx)."""


class TimedOutError(UnavailableError):
    """It did not answer in time. Not tried again at once, for that could take as long while others wait."""


class RateLimitedError(HttpError):
    """It was asked too often (429)."""


class CircuitOpenError(HttpError):
    """It was not asked, for it has failed too often in a row; it will be again at `until` (UTC)."""

    def __init__(self, provider: str, cause: str, *, until: datetime) -> None:
        super().__init__(provider, cause, sent=False)
        self.until = until


class RefusedError(HttpError):
    """It refuses this request (4xx) and will do so again. `body` is the beginning of what it says to that."""

    def __init__(self, provider: str, cause: str, *, status: int, body: bytes) -> None:
        super().__init__(provider, cause)
        self.status = status
        self.body = body
