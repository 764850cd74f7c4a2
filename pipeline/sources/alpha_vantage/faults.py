"""Requests that failed: why, and until when they are put off so that the others have their turn."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pipeline.aio import Backoff
from pipeline.sources.alpha_vantage.plan_state import Task

_PUT_OFF: Final = Backoff(initial=60.0, maximum=14400.0)
"""Slower than the provider itself is tried again: each time may cost a request of the day."""
BURST: Final = Backoff(initial=10.0, maximum=14400.0)
"""The same after too many requests at a time, which is over soon and no fault of the task."""
_SHARED: Final = ("bulk", "economic")
"""Kinds that are not about one ticker."""


class Fault(NamedTuple):
    """`failures` counts those in a row."""

    why: str
    until: datetime
    failures: int = 0


class Faults:
    """The tasks whose last request returned nothing."""

    def __init__(self) -> None:
        self._faults: dict[Task, Fault] = {}

    def put_off(self, task: Task, why: str, now: datetime, backoff: Backoff = _PUT_OFF) -> None:
        """It failed: others go first, for longer with each failure in a row."""
        failures = 1 + (self._faults[task].failures if task in self._faults else 0)
        self._faults[task] = Fault(why, now + timedelta(seconds=backoff.delay(failures)), failures)

    def note(self, task: Task, why: str, now: datetime) -> None:
        """It was answered, but not with data; its pace says when it is asked again."""
        self._faults[task] = Fault(why, now)

    def clear(self, task: Task) -> None:
        self._faults.pop(task, None)

    def until(self) -> Mapping[Task, datetime]:
        """Until when each of them is left alone."""
        return {task: fault.until for task, fault in self._faults.items()}

    def failures(self) -> Mapping[Task, int]:
        """How often in a row each of them has failed."""
        return {task: fault.failures for task, fault in self._faults.items()}

    def by_ticker(self) -> dict[str, str]:
        """Why a ticker has no data, or none that is new."""
        return {task.subjects[0]: fault.why for task, fault in self._faults.items() if task.kind not in _SHARED}
