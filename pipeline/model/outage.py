"""Engines and providers outside the pipeline that fail: the pipeline waits for them and reports it.

An error is one of three: an outage, which passes; a refusal (`permanent`), which only a person can end; or a fault of
our own, which is any other exception. The first two are retried without limit, refusals at long intervals; only faults
are counted.
"""

from typing import ClassVar, Literal

WaitsFor = Literal["bus", "store", "provider", "system"]


class OutsideError(Exception):
    """Something outside does not do what was asked of it. A service that raises it is started again, however often.

    `permanent` says that it is there and refuses, so that trying again helps only after a change on its side or ours;
    `retry_after` is the number of seconds to wait before the next try, where that is known.
    """

    waits_for: ClassVar[WaitsFor] = "provider"
    permanent: bool = False
    retry_after: float | None = None


def waits_for(error: Exception) -> WaitsFor | None:
    """What has to come back before it goes on; None if the error is a fault of our own."""
    if isinstance(error, OutsideError):
        return error.waits_for
    if getattr(error, "retry_after", None) is not None or getattr(error, "permanent", False):
        return "provider"
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__
    return None if cause is None else "system"  # a network, a disk: never a fault of the code
