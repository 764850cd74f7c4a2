"""What stands in for a stage that is turned off."""

from collections.abc import Mapping
from typing import Final

from pipeline.aio import first_of
from pipeline.bus.base import Bus, TopicPartition
from pipeline.clock import Clock
from pipeline.model.topics import read_by
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription
from pipeline.supervision.supervisor import Context

PERIOD: Final = 5.0
"""Seconds between two looks."""


class PassOver:
    """Moves a group to the end of its topics now and then, without reading them, so that it begins with what is new
    when the stage is turned on, and no record is kept for it until then. Once another process is seen to work for the
    group, it is left alone, for that may be restarted and go on where it was."""

    def __init__(self, bus: Bus, group: str, watchlist: Watchlist, clock: Clock) -> None:
        self._bus = bus
        self._group = group
        self._subscription = Subscription(bus, watchlist, read_by(group))
        self._clock = clock
        self._passed: Mapping[TopicPartition, tuple[int, int]] = {}
        """Where the topics began and ended when nothing was left: mostly they still do."""
        self._is_others = False

    async def run(self, context: Context) -> None:
        context.ready()
        while True:
            await context.checkpoint()
            is_last = context.stopping.is_set()
            with context.effect():
                await self._skip()
            if is_last:
                return
            await first_of(context.stopping.wait(), self._clock.sleep(PERIOD))

    async def _skip(self) -> None:
        if self._is_others or await self._bus.members(self._group) != []:
            self._is_others = True
            return
        topics = await self._subscription.refresh()
        offsets = await self._bus.offsets(topics)
        if offsets == self._passed:
            return
        committed = await self._bus.committed(self._group, topics)
        ends = {where: end for where, (_, end) in offsets.items() if committed.get(where, 0) < end}
        if ends:
            await self._bus.reset(self._group, ends)
        self._passed = offsets
