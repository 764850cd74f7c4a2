"""Plans of what is to be done to topics, groups and documents, while a pipeline runs on them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from pipeline.admin import administration
from pipeline.admin.errors import AdminError
from pipeline.bus.base import Bus
from pipeline.contract.plans import OffsetsPlan, Operation, Plan, PurgePlan
from pipeline.contract.protocol import Done, Planned
from pipeline.model.watchlist import Watchlist
from pipeline.stages.loader import Loader
from pipeline.store.base import Store
from pipeline.supervision.supervisor import STOP_ORDER, Role, Supervisor

log = logging.getLogger(__name__)

_KEPT: Final = 16
_ALL_ROLES: Final[frozenset[Role]] = frozenset(role for roles in STOP_ORDER for role in roles)
_READING: Final[frozenset[Role]] = frozenset({"processor", "sink"})


class Maintenance:
    """Makes plans, keeps the latest, and carries out one at a time: services that stand in the way are suspended."""

    def __init__(
        self, bus: Bus, store: Store, supervisor: Supervisor, watchlist: Watchlist, loader: Loader | None
    ) -> None:
        self._bus = bus
        self._store = store
        self._supervisor = supervisor
        self._watchlist = watchlist
        self._loader = loader
        self._plans: dict[int, Plan] = {}
        self._made = 0
        self._one_at_a_time = asyncio.Lock()
        self._working: set[asyncio.Task[str]] = set()

    async def make_plan(self, operation: Operation) -> Planned:
        """Raises:
        AdminError, InvalidTickerError, BusError, StoreError
        """
        plan = await administration.make_plan(
            self._bus, self._store, operation, datetime.now(UTC), frozenset(self._watchlist)
        )
        self._made += 1
        self._plans[self._made] = plan
        self._plans.pop(self._made - _KEPT, None)
        return Planned(self._made, plan)

    async def carry_out(self, number: int) -> Done:
        """Do it to the end, even if whoever asked for it has gone meanwhile.

        Raises:
            AdminError, BusError, StoreError
        """
        plan = self._plans.pop(number, None)
        if plan is None:
            raise AdminError("this plan was carried out already, or is too old; make it again")
        work = asyncio.create_task(self._carry_out(plan))
        self._working.add(work)
        work.add_done_callback(self._ended)
        return Done(await asyncio.shield(work))

    def _ended(self, work: asyncio.Task[str]) -> None:
        self._working.discard(work)
        if (
            not work.cancelled() and (error := work.exception()) is not None
        ):  # nobody may be there any longer to hear it
            log.warning("a plan was not carried out: %s", error)

    async def _carry_out(self, plan: Plan) -> str:
        async with self._one_at_a_time, self._suspended(plan):
            note = await administration.carry_out(self._bus, self._store, plan)
        log.info("%s", note)
        return note

    @asynccontextmanager
    async def _suspended(self, plan: Plan) -> AsyncIterator[None]:
        """Nothing of this pipeline stands in the way of the plan meanwhile."""
        match plan:
            case OffsetsPlan():
                async with self._supervisor.suspended(_READING):
                    yield
            case PurgePlan(ticker):
                self._watchlist.remove([ticker])
                if self._loader is not None:
                    self._loader.cancel([ticker])
                async with self._supervisor.suspended(_ALL_ROLES):
                    yield
            case _:
                yield
