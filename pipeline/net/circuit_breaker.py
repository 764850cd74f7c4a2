"""A circuit breaker: a provider that keeps failing is left alone for a while, then tried once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from pipeline.clock import Clock
from pipeline.net.errors import CircuitOpenError, HttpError, UnavailableError

THRESHOLD: Final = 5
"""Failures in a row that open a circuit."""
PAUSE: Final = 60.0
"""Seconds between the tries while it is open."""


class Circuit:
    """Counts the failures in a row of one provider, and refuses to try it while they are too many.

    While it is open, one try is let through every `pause` seconds; the first that does not fail closes it.
    """

    def __init__(self, provider: str, clock: Clock, *, threshold: int = THRESHOLD, pause: float = PAUSE) -> None:
        self._provider = provider
        self._clock = clock
        self._threshold = threshold
        self._pause = pause
        self._failures = 0
        self._error: str | None = None
        self._next_try: float | None = None

    def check(self) -> None:
        """Pass, or raise without taking the try that may be due.

        Raises:
            CircuitOpenError: if it is open and no try is due.
        """
        until = self._until()
        if until is not None and until > self._clock.now():
            # The cause first, and the same words every time: who waits for a long while says so once.
            raise CircuitOpenError(self._provider, f"{self._error}, again and again", until=until)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one try: an `UnavailableError` in it is a failure, any other answer a success.

        A try that never left, or failed by a fault of ours, says nothing of the provider: the next one is let through.

        Raises:
            CircuitOpenError: as `check`.
        """
        self.check()
        due, probe = self._next_try, None
        if due is not None:
            # Whoever comes meanwhile waits for the outcome; so does the next, should this one be cancelled.
            probe = self._next_try = self._clock.monotonic() + self._pause
        try:
            yield
        except UnavailableError as error:
            self._failures += 1
            self._error = error.cause
            if self._failures >= self._threshold:
                self._next_try = self._clock.monotonic() + self._pause
            raise
        except Exception as error:
            if isinstance(error, HttpError) and error.sent:
                self._close()
            elif self._next_try == probe:
                self._next_try = due
            raise
        else:
            self._close()

    def _until(self) -> datetime | None:
        if self._next_try is None:
            return None
        return self._clock.now() + timedelta(seconds=self._next_try - self._clock.monotonic())

    def _close(self) -> None:
        self._failures = 0
        self._error = None
        self._next_try = None
