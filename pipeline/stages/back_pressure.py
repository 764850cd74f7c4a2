"""Holds bulk data back while those who process it are far behind."""

import asyncio
import logging
from typing import Final

from pipeline.aio import first_of
from pipeline.bus.base import BusError
from pipeline.clock import Clock
from pipeline.stages.backlog import Backlog

log = logging.getLogger(__name__)

LIMIT: Final = 2_000
"""Records that a group may have to do before publishers wait: a quarter of a second of work, and few enough that all
of them are in memory still when the last of their readers comes to them."""
EACH: Final = 20
"""Of each ticker, where those are more: a batch of a record or two from each of hundreds of topics costs twice as much
as one of many from a few."""
_LOOK_SECONDS: Final = 0.02
_PAUSE: Final = 3
"""Times as long as a look took."""
_FOLLOWING: Final = 3
"""Records that a group may get for one that is published: a bar, its row of indicators and its forecast."""


class BackPressure:
    """For publishers of what can wait: histories, recordings, simulations. What happens now is published at once,
    whoever cannot follow, for the bus is there to keep it."""

    def __init__(self, backlog: Backlog, clock: Clock, limit: int = LIMIT) -> None:
        self._backlog = backlog
        self._clock = clock
        self._limit = limit
        self._room = 0
        """Records that may be published before it is time to look again."""
        self.behind = 0
        """How far behind the slowest group is while it is waited for, else 0."""

    async def wait(self, count: int, stopping: asyncio.Event) -> None:
        """Until there is room for so many records, of which there may be more than the limit; or it is time to stop."""
        await first_of(self._room_for(count), stopping.wait())

    async def _room_for(self, count: int) -> None:
        while self._room <= 0:
            began = self._clock.monotonic()
            try:
                lag = await self._backlog.worst()
            except BusError as error:  # who publishes sees it too, and backs off
                log.debug("cannot tell how far behind the groups are: %s", error)
                self.behind = 0
                return
            self._room = (max(self._limit, EACH * self._backlog.tickers) - lag) // _FOLLOWING
            self.behind = lag if self._room <= 0 else 0
            if self._room <= 0:  # of thousands of topics a look takes its time
                took = self._clock.monotonic() - began
                await self._clock.sleep(min(max(_LOOK_SECONDS, _PAUSE * took), 1.0))
        self._room -= count
