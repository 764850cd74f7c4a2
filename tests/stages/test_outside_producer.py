"""What programs that are not ours must put into a record, and what becomes of it otherwise."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.bus.base import Record
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.config.settings import SupervisorSettings
from pipeline.contract.schemas import KINDS, schema_of_one
from pipeline.model.watchlist import Watchlist
from pipeline.stages.indicators import IndicatorProcessor
from pipeline.stages.sink import Sink
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.supervision.supervisor import Supervisor

TOPIC = "stock_data_aapl"
BAR = {
    "type": "bar",
    "ticker": "AAPL",
    "ts": "2026-03-04T15:30:00Z",
    "interval": "1min",
    "open": 10,
    "high": 12,
    "low": 9,
    "close": 11,
}
"""The required fields."""


class Running:
    """An indicator processor and a sink, with nothing watched."""

    def __init__(self, bus: EmbeddedBus, store: EmbeddedStore) -> None:
        self._bus = bus
        self._store = store

    async def publish(self, *values: dict[str, Any] | bytes, topic: str = TOPIC, **parts: Any) -> None:
        values = tuple(value if isinstance(value, bytes) else json.dumps(value).encode() for value in values)
        parts = {"key": "", "ts": 0} | parts
        await self._bus.publish([Record(topic=topic, value=value, **parts) for value in values])

    async def stored(self, collection: str, count: int = 1) -> list[dict[str, Any]]:
        """The documents of the collection, once there are so many."""
        async with asyncio.timeout(60):
            while len(found := await self._store.find(Query(collection))) < count:
                await asyncio.sleep(0.005)
        return found


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    bus, store = EmbeddedBus(tmp_path / "bus.sqlite"), EmbeddedStore(tmp_path / "store.sqlite")
    async with AsyncExitStack() as stack:
        for engine in (bus, store):
            await engine.open()
            stack.push_async_callback(engine.close)
        await bus.create_topics([TOPIC])  # else it would be found ten seconds later
        watchlist = Watchlist([])
        supervisor = Supervisor(SupervisorSettings(max_restarts=0))
        supervisor.add("indicators", "processor", IndicatorProcessor(bus, store, watchlist, ZoneInfo("UTC")).run)
        supervisor.add("sink", "sink", Sink(bus, store, watchlist).run)
        yield Running(bus, store)
        assert await supervisor.stop(20)
        assert [service.error for service in supervisor.services] == [None, None]


def test_those_are_the_required_fields() -> None:
    assert sorted(BAR) == sorted(schema_of_one(KINDS["bar"])["required"])


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"key": "AAPL", "ts": 1_772_638_200_000, "headers": {"schema": b"bar.v1"}},
        {"key": "anything", "ts": -1, "headers": {"schema": b"\xff", "ingested": b"yesterday", "x-trace": b""}},
    ],
    ids=["value", "key", "junk"],
)
async def test_a_value_is_enough(running: Running, parts: dict[str, Any]) -> None:
    later = BAR | {"ts": "2026-03-04T10:31:00-05:00", "close": 12}
    await running.publish(BAR, later, **parts)
    bars = await running.stored("stock_data", 2)
    rows = await running.stored("indicators", 2)
    assert [row["_id"] for row in rows] == [bar["_id"] for bar in bars]
    assert [bar["_id"] for bar in bars] == [
        "AAPL|1min|unknown|2026-03-04T15:30:00Z",
        "AAPL|1min|unknown|2026-03-04T15:31:00Z",
    ]
    assert rows[1]["return_1"] == pytest.approx(1 / 11)
    assert bars[0]["closed"] is True


async def test_a_field_that_is_not_known_is_no_fault(running: Running) -> None:
    await running.publish(BAR | {"source": "my_desk", "desk": {"floor": 3}})
    (row,) = await running.stored("indicators")
    assert row["source"] == "my_desk"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({name: BAR[name] for name in BAR if name != "close"}, "close"),
        ({name: BAR[name] for name in BAR if name != "type"}, "type"),
        (BAR | {"type": "candle"}, "candle"),
        (BAR | {"ts": "2026-03-04T15:30:00"}, "timezone"),
        (BAR | {"ticker": "aapl"}, "upper-case"),
        (BAR | {"ticker": "MSFT"}, "another ticker"),
        (BAR | {"high": 1}, "low is above high"),
        (BAR | {"interval": "2min"}, "2min"),
        (b"", ""),
        (b"\xff", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_does_not_fit_is_told_and_hinders_nothing(running: Running, value: Any, reason: str) -> None:
    await running.publish(value, BAR)
    (letter,) = await running.stored("dead_letter")
    assert reason in letter["reason"]
    assert (letter["topic"], letter["offset"]) == (TOPIC, 0)
    assert len(await running.stored("indicators")) == 1


async def test_simulated_data_are_ignored_among_real_ones(running: Running) -> None:
    await running.publish(BAR | {"simulated": True}, BAR | {"source": "my_desk"})
    (row,) = await running.stored("indicators")
    assert row["source"] == "my_desk"
    assert len(await running.stored("stock_data")) == 1


async def test_the_higher_revision_counts(running: Running) -> None:
    right = BAR | {"close": 10, "revision": 2}
    await running.publish(right, BAR | {"revision": 1}, BAR | {"ts": "2026-03-04T15:31:00Z"})
    first, _ = await running.stored("stock_data", 2)
    rows = await running.stored("indicators", 2)
    assert first["close"] == 10
    assert rows[1]["return_1"] == pytest.approx(0.1)
