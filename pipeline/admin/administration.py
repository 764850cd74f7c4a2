"""From an operation to its plan, and from the plan to what it says."""

from datetime import datetime

from pipeline.admin.dead_letters import plan_retry, retry
from pipeline.admin.offsets import plan_replay, plan_reset, reset
from pipeline.admin.purge import plan_purge, purge
from pipeline.bus.base import Bus
from pipeline.contract.plans import (
    OffsetsPlan,
    Operation,
    Plan,
    Purge,
    PurgePlan,
    Replay,
    ResetOffsets,
    Retry,
    RetryPlan,
)
from pipeline.model.tickers import parse_ticker
from pipeline.store.base import Store


async def make_plan(
    bus: Bus, store: Store, operation: Operation, now: datetime, watched: frozenset[str] = frozenset()
) -> Plan:
    """What would happen. `watched` are the tickers that a pipeline here watches.

    Raises:
        AdminError: if the operation makes no sense.
        InvalidTickerError, BusError, StoreError
    """
    match operation:
        case ResetOffsets():
            return await plan_reset(bus, operation, now)
        case Replay():
            return await plan_replay(bus, operation, now)
        case Purge(ticker):
            symbol = parse_ticker(ticker)
            return await plan_purge(bus, store, symbol, watched=symbol in watched)
        case Retry():
            return await plan_retry(bus, store, operation)


async def carry_out(bus: Bus, store: Store, plan: Plan) -> str:
    """Do what the plan says; a sentence for the user. What stands in its way here is suspended meanwhile.

    Raises:
        AdminError: if something stands in its way elsewhere.
        BusError, StoreError
    """
    match plan:
        case OffsetsPlan():
            return await reset(bus, plan)
        case PurgePlan():
            return await purge(bus, store, plan)
        case RetryPlan():
            return await retry(bus, store, plan)
