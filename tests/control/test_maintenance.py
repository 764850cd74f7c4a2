"""Plans on a pipeline that runs: kept by number, carried out once, while what stands in the way is suspended."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from pipeline.admin.errors import AdminError
from pipeline.bus.base import Received
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.config.settings import SupervisorSettings
from pipeline.contract.plans import Purge, ResetOffsets
from pipeline.control.maintenance import Maintenance
from pipeline.model.topics import SINK_GROUP, topics_of
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription, consume
from pipeline.supervision.supervisor import Context, Supervisor
from testkit.fakes import FakeClock
from tests.admin.engines import bar, engines, partition, put

AAPL = "stock_data_aapl"


class Rig:
    """A sink that reads, and the maintenance beside it."""

    def __init__(self, bus: EmbeddedBus, supervisor: Supervisor, maintenance: Maintenance, read: list[int]) -> None:
        self.bus = bus
        self.maintenance = maintenance
        self.supervisor = supervisor
        self.read = read

    async def until_read(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.read) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, *(bar(minute) for minute in range(4)))
        watchlist, read = Watchlist(["AAPL"]), list[int]()

        async def sink(context: Context) -> None:
            async def handle(batch: Sequence[Received]) -> None:
                read.extend(record.offset for record in batch)

            await consume(bus, SINK_GROUP, Subscription(bus, watchlist, {"stock_data"}), handle, context)

        supervisor = Supervisor(SupervisorSettings(), FakeClock())
        supervisor.add("sink", "sink", sink)
        rig = Rig(bus, supervisor, Maintenance(bus, store, supervisor, watchlist, None), read)
        await rig.until_read(4)
        yield rig
        await supervisor.stop(10)


async def test_a_group_is_reset_although_its_stage_runs(rig: Rig) -> None:
    planned = await rig.maintenance.make_plan(ResetOffsets(SINK_GROUP, "beginning"))
    assert planned.plan.obstacle == "", "a member of this process is none"
    done = await rig.maintenance.carry_out(planned.number)
    assert done.note == "reset sink: 4 records are processed again, 0 skipped"
    await rig.until_read(8)
    assert rig.read == [0, 1, 2, 3] * 2
    with pytest.raises(AdminError, match="was carried out already, or is too old"):
        await rig.maintenance.carry_out(planned.number)


async def test_a_purge_leaves_no_topic_that_its_stages_would_make_again(rig: Rig) -> None:
    planned = await rig.maintenance.make_plan(Purge("AAPL"))
    await rig.maintenance.carry_out(planned.number)
    (sink,) = rig.supervisor.services
    async with asyncio.timeout(20):
        while sink.state != "running":
            await asyncio.sleep(0.01)
    assert not set(topics_of("AAPL")) & await rig.bus.topics()


async def test_it_is_done_although_whoever_asked_has_gone(rig: Rig) -> None:
    planned = await rig.maintenance.make_plan(ResetOffsets(SINK_GROUP, "beginning"))
    asking = asyncio.create_task(rig.maintenance.carry_out(planned.number))
    await asyncio.sleep(0)
    asking.cancel()
    await rig.until_read(8)
    assert (await rig.bus.committed(SINK_GROUP, [AAPL])).keys() == {partition(AAPL)}


async def test_only_the_latest_plans_are_kept(rig: Rig) -> None:
    first, *_, last = [await rig.maintenance.make_plan(ResetOffsets(SINK_GROUP, "beginning")) for _ in range(17)]
    with pytest.raises(AdminError, match="too old"):
        await rig.maintenance.carry_out(first.number)
    await rig.maintenance.carry_out(last.number)
