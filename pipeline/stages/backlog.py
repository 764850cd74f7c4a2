"""Whether published records still wait for a group that processes them."""

import math
from collections.abc import Collection
from typing import Final

from pipeline.bus.base import Bus
from pipeline.bus.lag import read_lag
from pipeline.clock import Clock
from pipeline.model.topics import FORECAST_GROUP, INDICATOR_GROUP, SENTIMENT_GROUP, SINK_GROUP, read_by
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription

GONE_SECONDS: Final = 30.0
"""How long a group that had members counts as active without any: all may be disconnected at once, or restarting. Three
times the session timeout of a broker."""


class Backlog:
    """The lag of all groups that are worked on, here or by others. Groups without members are not waited for."""

    def __init__(self, bus: Bus, watchlist: Watchlist, clock: Clock, ours: Collection[str]) -> None:
        """`ours` are the groups that this process is a member of."""
        self._bus = bus
        self._watchlist = watchlist
        self._clock = clock
        # In the order of the flow: a group that has committed everything has published all it will.
        self._read = {
            group: Subscription(bus, watchlist, read_by(group))
            for group in (INDICATOR_GROUP, FORECAST_GROUP, SENTIMENT_GROUP, SINK_GROUP)
        }
        self._ours = frozenset(ours)
        self._seen: dict[str, float] = {}

    @property
    def tickers(self) -> int:
        """How many are watched."""
        return len(self._watchlist)

    async def is_done(self) -> bool:
        """Whether every group that has members has no lag.

        Raises:
            BusError
        """
        for group in self._read:
            if await self._lag(group) > 0 and await self._is_worked_on(group):
                return False
        return True

    async def worst(self) -> int:
        """The greatest lag of a group that has members.

        Raises:
            BusError
        """
        worst = 0
        for group in self._read:
            if (lag := await self._lag(group)) > worst and await self._is_worked_on(group):
                worst = lag
        return worst

    async def _lag(self, group: str) -> int:
        return await read_lag(self._bus, group, await self._read[group].refresh())

    async def _is_worked_on(self, group: str) -> bool:
        if group in self._ours:
            return True
        now = self._clock.monotonic()
        if await self._bus.members(group) != []:
            self._seen[group] = now
        return now - self._seen.get(group, -math.inf) < GONE_SECONDS
