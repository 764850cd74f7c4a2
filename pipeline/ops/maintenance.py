"""Carrying out plans on a data directory whose pipeline does not run."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from pipeline.admin.administration import carry_out, make_plan
from pipeline.bus.base import Bus
from pipeline.config.settings import Loaded
from pipeline.contract.plans import Operation, PurgePlan
from pipeline.engines import choose_bus, choose_store, open_bus_to_read, open_store_to_read, space_to_read
from pipeline.ops.approval import ends_with
from pipeline.storage.datadir import DataDir
from pipeline.store.base import Store
from pipeline.upgrade.migration import migrate


async def maintain(loaded: Loaded, operation: Operation, *, dry_run: bool, yes: bool) -> int:
    """Print the plan and, once it is approved, do what it says; the exit status. Until then nothing is opened to write.

    Raises:
        AdminError, BusError, StoreError
        DataDirError: if a pipeline runs on the data directory after all.
    """
    remembered = DataDir(loaded.data_dir).remembered_tickers()
    async with open_bus_to_read(loaded) as bus, open_store_to_read(loaded) as store:
        plan = await make_plan(bus, store, operation, datetime.now(UTC), frozenset(remembered))
    if (status := ends_with(plan, dry_run=dry_run, yes=yes)) is not None:
        return status
    async with _open_to_write(loaded) as (bus, store):
        print(await carry_out(bus, store, plan))
    if isinstance(plan, PurgePlan) and plan.watched:
        DataDir(loaded.data_dir).remember_tickers(tuple(t for t in remembered if t != plan.ticker))
    return 0


@asynccontextmanager
async def _open_to_write(loaded: Loaded) -> AsyncIterator[tuple[Bus, Store]]:
    """Both engines; what is embedded only as the owner of its data directory."""
    settings, data_dir = loaded.settings, space_to_read(loaded)
    async with AsyncExitStack() as opened:
        if not (settings.kafka.bootstrap_servers and settings.mongodb.uri):
            data_dir.create()
            data_dir.lock()
            opened.callback(data_dir.unlock)
            await migrate(data_dir)
        bus, store = choose_bus(settings, data_dir), choose_store(settings, data_dir)
        for engine in (bus, store):
            await engine.open()
            opened.push_async_callback(engine.close)
        yield bus, store
