"""What a pipeline that stops still waits for. Pure."""

from typing import Final

from pipeline.contract.snapshot import Snapshot, total_lag

_OVER: Final = ("finished", "stopped", "failed")
_NAMED: Final = 3


class StopProgress:
    """Remembers with how many records the stop began, to say how many of them are left."""

    def __init__(self) -> None:
        self._most = 0
        self._begun: float | None = None

    def told(self, snapshot: Snapshot) -> str:
        """A sentence: which services it waits for, and how many records they have yet to read."""
        self._begun = snapshot.at if self._begun is None else self._begun
        # Those whose turn it is; the stages after them run on meanwhile.
        draining = [service for service in snapshot.services if service.state == "draining"]
        left_over = [service for service in snapshot.services if service.state not in _OVER]
        waiting = [f"{service.name} ({service.state})" for service in draining or left_over]
        left = total_lag(snapshot.topics)
        self._most = max(self._most, left)
        if not waiting:
            return "Waiting for the process to end."
        more = len(waiting) - _NAMED
        names = ", ".join(waiting[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        records = f": {left:,} of {self._most:,} records left" if left else ""
        seconds = int(snapshot.at - self._begun)
        return f"Waiting for {names}{records}{f', for {seconds} s' if seconds > 0 else ''}."
