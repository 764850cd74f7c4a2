"""A link that only reads: every command that could change something is refused here, whichever key it came from."""

from collections.abc import Callable
from typing import Any, Final

from fintrends_tui.link.port import Link, LinkError, LinkStatus
from pipeline.contract.protocol import (
    Command,
    Focus,
    GetAlerts,
    GetHistory,
    GetLog,
    GetMessages,
    GetSeries,
    GetSnapshot,
    GetTopics,
)
from pipeline.contract.snapshot import Snapshot

READING: Final = (Focus, GetAlerts, GetHistory, GetLog, GetMessages, GetSeries, GetSnapshot, GetTopics)
"""Those that are let through. A search is not among them: it spends a provider's requests, and is for adding."""
_REFUSED: Final = "this screen is read-only, so nothing was changed; whoever runs the pipeline can do it there"


class ReadingLink:
    """As the link behind it, but for what it refuses."""

    started_here: bool = False

    def __init__(self, link: Link) -> None:
        self._link = link

    async def run(self, on_status: Callable[[LinkStatus], None], on_snapshot: Callable[[Snapshot], None]) -> None:
        await self._link.run(on_status, on_snapshot)

    async def ask(self, command: Command) -> Any:
        """See `Link.ask`.

        Raises:
            LinkError: also if the command is none of `READING`.
        """
        if not isinstance(command, READING):
            raise LinkError(_REFUSED)
        return await self._link.ask(command)

    async def stop_pipeline(self) -> None:
        raise LinkError(_REFUSED)

    async def close(self) -> None:
        await self._link.close()
