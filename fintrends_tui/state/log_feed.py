"""The pipeline's log as far as this screen has read it; one for all panes that show it."""

from collections import deque
from collections.abc import Awaitable, Callable
from itertools import takewhile
from typing import Any, Final

from fintrends_tui.link.port import LinkError
from pipeline.contract.protocol import Command, GetLog, LogLine
from pipeline.contract.snapshot import PipelineView

_KEPT: Final = 2000
_USUAL: Final = ("DEBUG", "INFO")


class LogFeed:
    """Fetches only what is new, and only when the snapshot says that there is something new."""

    def __init__(self, ask: Callable[[Command], Awaitable[Any]]) -> None:
        self._ask = ask
        self._pid: int | None = None
        self._seen = 0
        self._busy = False
        self.lines: deque[LogLine] = deque(maxlen=_KEPT)

    def behind(self, pipeline: PipelineView) -> bool:
        """Whether `fetch` would find lines that were not read yet, and none is under way."""
        return not self._busy and (pipeline.pid != self._pid or pipeline.log_seq > self._seen)

    def tells(self, since: float) -> bool:
        """Whether a warning or an error has come since then."""
        lately = takewhile(lambda line: line.at >= since, reversed(self.lines))
        return any(line.level not in _USUAL for line in lately)

    async def fetch(self, pipeline: PipelineView) -> None:
        """Read on; from the start when it is another process than before. A lost connection leaves all as it was."""
        if not self.behind(pipeline):
            return
        self._busy = True
        try:
            after = self._seen if pipeline.pid == self._pid else 0
            new: list[LogLine] = await self._ask(GetLog(after=after, last=_KEPT))
        except LinkError:
            return
        finally:
            self._busy = False
        if pipeline.pid != self._pid:
            self.lines.clear()
            self._pid = pipeline.pid
        self.lines.extend(new)
        self._seen = max([pipeline.log_seq, *(line.seq for line in new)])
