"""Bulk data wait for those who process them; what a group has to do stays bounded, and nothing is held for ever."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path

import pytest

from pipeline.bus.base import BusError
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import records_of
from pipeline.config.settings import SupervisorSettings
from pipeline.model.topics import INDICATOR_GROUP, SINK_GROUP
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import HistoryChunk
from pipeline.stages.back_pressure import EACH, BackPressure
from pipeline.stages.backlog import Backlog
from pipeline.stages.loader import Loader
from pipeline.supervision.supervisor import Supervisor
from testkit.fakes import FakeClock
from tests.stages.test_stages import bar

TOPIC = "stock_data_aapl"
LIMIT = 60


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    await bus.open()
    await bus.create_topics([TOPIC])
    yield bus
    await bus.close()


def pressure(bus: EmbeddedBus, clock: FakeClock, groups: Sequence[str]) -> BackPressure:
    return BackPressure(Backlog(bus, Watchlist(["AAPL"]), clock, groups), clock, LIMIT)


async def publish(bus: EmbeddedBus, pressure: BackPressure, batches: int, size: int) -> None:
    for batch in range(batches):
        await pressure.wait(size, asyncio.Event())
        await bus.publish(records_of([bar(batch * size + minute) for minute in range(size)]))


async def test_where_tickers_are_many_each_may_have_some_records_waiting(bus: EmbeddedBus) -> None:
    tickers = [f"T{number}" for number in range(10)]
    clock = FakeClock(auto=True)
    of_many = BackPressure(Backlog(bus, Watchlist(tickers), clock, [SINK_GROUP]), clock, LIMIT)
    await bus.publish(records_of([bar(minute) for minute in range(EACH * len(tickers) - 3)]))
    async with asyncio.timeout(10):
        await of_many.wait(1, asyncio.Event())
    await bus.publish(records_of([bar(minute) for minute in range(3)]))
    waiting = asyncio.create_task(of_many.wait(1, asyncio.Event()))
    while not of_many.behind:
        await asyncio.sleep(0)
    assert of_many.behind == EACH * len(tickers)
    waiting.cancel()


async def end(bus: EmbeddedBus) -> int:
    return sum(end for _, end in (await bus.offsets([TOPIC])).values())


async def test_a_group_has_no_more_to_do_than_the_limit_and_a_batch(bus: EmbeddedBus) -> None:
    clock = FakeClock(auto=True)
    publishing = asyncio.create_task(publish(bus, pressure(bus, clock, [SINK_GROUP]), 40, 7))
    consumer = bus.consumer(SINK_GROUP, {TOPIC})
    read, most = 0, 0
    while read < 280:
        if batch := await consumer.poll(5, 1.0):
            most = max(most, await end(bus) - read)
            read += len(batch)
            await consumer.commit(consumer.reached)
    await publishing
    assert 7 < most <= LIMIT + 7
    await consumer.close()


async def test_who_nobody_works_for_is_not_waited_for(bus: EmbeddedBus) -> None:
    await publish(bus, pressure(bus, FakeClock(), []), 40, 7)
    assert await end(bus) == 280


async def test_the_slowest_group_counts(bus: EmbeddedBus) -> None:
    clock = FakeClock()
    publishing = asyncio.create_task(publish(bus, pressure(bus, clock, [SINK_GROUP, INDICATOR_GROUP]), 40, 7))
    quick, slow = bus.consumer(SINK_GROUP, {TOPIC}), bus.consumer(INDICATOR_GROUP, {TOPIC})
    while clock.next_in is None:
        await asyncio.sleep(0)
        await quick.poll(500, 0.0)
        await quick.commit(quick.reached)
    held = await end(bus)
    assert held < 280
    await clock.advance(1.0)
    assert await end(bus) == held, "the other group has read nothing yet"
    while not publishing.done():
        await slow.poll(500, 0.0)
        await slow.commit(slow.reached)
        await quick.poll(500, 0.0)
        await quick.commit(quick.reached)
        await clock.advance(1.0)
    assert await end(bus) == 280
    await quick.close()
    await slow.close()


async def test_a_load_says_that_it_waits_and_for_what(bus: EmbeddedBus) -> None:
    class History:
        async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
            for part in range(20):
                yield HistoryChunk([bar(part * 10 + minute) for minute in range(10)], done=part * 10, total=200)

    clock = FakeClock()
    loader = Loader(History(), bus, clock, pressure=pressure(bus, clock, [SINK_GROUP]))  # type: ignore[arg-type]
    loader.request(["AAPL"])
    supervisor = Supervisor(SupervisorSettings(max_restarts=0))
    supervisor.add("loader", "producer", loader.run)
    while clock.next_in is None:
        await asyncio.sleep(0)
    (load,) = loader.views()
    assert load.state == "loading"
    assert load.note == f"waits until {await end(bus)} records that are published have been processed"
    consumer = bus.consumer(SINK_GROUP, {TOPIC})
    while loader.views()[0].state == "loading":
        await consumer.poll(500, 0.0)
        await consumer.commit(consumer.reached)
        await clock.advance(1.0)
    assert loader.views()[0].note == ""
    assert await end(bus) == 200
    await consumer.close()
    assert await supervisor.stop(20)


async def test_a_bus_out_of_reach_is_left_to_who_publishes() -> None:
    class Away:
        async def worst(self) -> int:
            raise BusError("away")

    await BackPressure(Away(), FakeClock()).wait(500, asyncio.Event())  # type: ignore[arg-type]
