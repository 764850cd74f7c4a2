"""When a process that only publishes may end: what it published has been worked on, or there is nobody who would."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import records_of
from pipeline.model.messages import Bar
from pipeline.model.topics import INDICATOR_GROUP, SENTIMENT_GROUP, SINK_GROUP
from pipeline.model.watchlist import Watchlist
from pipeline.stages.backlog import GONE_SECONDS, Backlog
from testkit.fakes import START, FakeClock

TOPIC = "stock_data_aapl"


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    """With one bar on it."""
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    await bus.open()
    values = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}
    await bus.publish(records_of([Bar(ticker="AAPL", interval="1min", ts=START, **values)]))
    yield bus
    await bus.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def backlog(bus: EmbeddedBus, clock: FakeClock, *ours: str) -> Backlog:
    return Backlog(bus, Watchlist(["AAPL"]), clock, ours)


async def test_what_nobody_works_on_is_waited_for_by_nobody(bus: EmbeddedBus, clock: FakeClock) -> None:
    assert await backlog(bus, clock).is_done()


async def test_our_own_groups_are_waited_for(bus: EmbeddedBus, clock: FakeClock) -> None:
    assert not await backlog(bus, clock, INDICATOR_GROUP).is_done()
    assert await backlog(bus, clock, SENTIMENT_GROUP).is_done(), "it reads other topics"


async def test_it_is_done_when_a_member_has_committed_everything(bus: EmbeddedBus, clock: FakeClock) -> None:
    waiting = backlog(bus, clock)
    worker = bus.consumer(SINK_GROUP, {TOPIC})
    assert not await waiting.is_done()
    assert await worker.poll(10, 1.0)
    await worker.commit(worker.reached)
    assert await waiting.is_done()
    await worker.close()


async def test_a_group_that_has_lost_its_members_is_believed_in_for_a_while(bus: EmbeddedBus, clock: FakeClock) -> None:
    waiting = backlog(bus, clock)
    worker = bus.consumer(SINK_GROUP, {TOPIC})
    assert not await waiting.is_done()
    await worker.close()
    clock.jump(GONE_SECONDS - 1)
    assert not await waiting.is_done()
    clock.jump(1)
    assert await waiting.is_done()
