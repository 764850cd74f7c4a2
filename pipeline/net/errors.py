"""The errors of requests to a provider. No message holds a query string, a header or a body."""

from datetime import datetime
from http import HTTPStatus

from pipeline.model.outage import OutsideError


class HttpError(OutsideError):
    """The provider returned nothing usable; the message names it and the cause.

    Mostly temporary: back off and ask again later. Only `RefusedError` means that trying again is of no use.
    `retry_after` is the number of seconds that the provider asked to wait, where it did. `sent` is False if the request
    cannot have reached it.
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
    """It did not answer in time. Not tried again at once: that could take as long while others wait."""


class RateLimitedError(HttpError):
    """It was too many requests (429)."""


class CircuitOpenError(HttpError):
    """It was not asked, because it has failed too often in a row; the next try is at `until` (UTC)."""

    def __init__(self, provider: str, cause: str, *, until: datetime) -> None:
        super().__init__(provider, cause, sent=False)
        self.until = until


class RefusedError(HttpError):
    """It refuses this request (4xx) and will do so again. `body` is the beginning of its answer."""

    def __init__(self, provider: str, cause: str, *, status: int, body: bytes) -> None:
        super().__init__(provider, cause)
        self.status = status
        self.body = body
        self.permanent = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class StreamCutError(OutsideError):
    """A streaming connection could not be made, or has ended. `retry_after` is as for `HttpError`."""

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after = retry_after


class StreamRefusedError(OutsideError):
    """The provider of a stream says that it does not serve us: permanently, as for a bad key, or for now."""

    def __init__(self, why: str, *, permanent: bool) -> None:
        super().__init__(why)
        self.why = why
        self.permanent = permanent
