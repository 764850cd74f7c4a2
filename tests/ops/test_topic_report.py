"""What `fintrends-tui topics` reports, on the embedded bus."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.base import BusError, Record, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.config.settings import Loaded, PipelineSettings, Settings
from pipeline.model.topics import FORECAST_GROUP, INDICATOR_GROUP, SINK_GROUP, STOCK_DATA, ours, topic_for, topics_of
from pipeline.ops.topic_report import as_table, create, look, report, topics_for, watch, watched_tickers
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.supervision.lag import WINDOW
from testkit.fakes import FakeClock

TOPIC = topic_for(STOCK_DATA, "AAPL")


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    real = PipelineSettings(source=f"replay:{tmp_path}")
    return Loaded(Settings(pipeline=real), None, tmp_path, tmp_path / "logs")


@pytest.fixture
async def bus(loaded: Loaded) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(DataDir(loaded.data_dir).bus)
    await bus.open()
    yield bus
    await bus.close()


async def publish(bus: EmbeddedBus, count: int, topic: str = TOPIC) -> None:
    await bus.publish([Record(topic, "AAPL", b"{}", ts=n) for n in range(count)])


async def commit(bus: EmbeddedBus, group: str, offset: int) -> None:
    consumer = bus.consumer(group, [TOPIC])
    await consumer.commit({TopicPartition(TOPIC, 0): offset})
    await consumer.close()


def test_topics_of_others_are_not_ours() -> None:
    names = {"social_media_posts", "__consumer_offsets", TOPIC, "dead_letter", "news__5egspc"}
    assert ours(names) == {TOPIC, "dead_letter", "news__5egspc"}


async def test_lag_is_counted_from_each_groups_commit(bus: EmbeddedBus) -> None:
    await publish(bus, 5)
    await commit(bus, SINK_GROUP, 3)
    (found,) = await look(bus, [TOPIC, "news_aapl"])
    assert (found.topic, found.ticker, found.partition) == (TOPIC, "AAPL", 0)
    assert (found.begin, found.end, found.records) == (0, 5, 5)
    assert {g.group: (g.committed, g.lag) for g in found.groups} == {
        INDICATOR_GROUP: (None, 5),
        FORECAST_GROUP: (None, 5),
        SINK_GROUP: (3, 2),
    }
    assert {g.status for g in found.groups} == {None}


async def test_what_is_no_longer_retained_is_no_lag(tmp_path: Path) -> None:
    clock = FakeClock()
    bus = EmbeddedBus(tmp_path / "bus.sqlite", retention=timedelta(hours=1), clock=clock)
    await bus.open()
    try:
        await publish(bus, 3)
        clock.jump(7200)
        assert await bus.sweep() == 3
        await publish(bus, 2)
        (found,) = await look(bus, [TOPIC])
    finally:
        await bus.close()
    assert (found.begin, found.end, found.records) == (3, 5, 2)
    assert {group.lag for group in found.groups} == {2}


class Positions:
    """A bus that knows offsets and commits only."""

    def __init__(self, begin: int, end: int, committed: int | None) -> None:
        self._offsets = {TopicPartition(TOPIC, 0): (begin, end)}
        self._committed = {} if committed is None else {TopicPartition(TOPIC, 0): committed}

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        return self._committed

    async def offsets(self, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
        return self._offsets


@given(st.integers(0, 20), st.integers(0, 20), st.none() | st.integers(0, 50))
async def test_lag_is_never_negative_nor_more_than_there_is(begin: int, records: int, committed: int | None) -> None:
    end = begin + records
    (found,) = await look(Positions(begin, end, committed), [TOPIC])  # type: ignore[arg-type]
    unread = [offset for offset in range(begin, end) if committed is None or offset >= committed]
    assert {group.lag for group in found.groups} == {len(unread)}


class ActiveClock(FakeClock):
    """Something happens in every sleep."""

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        super().__init__(auto=True)
        self._act = act
        self.sleeps = 0

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self.sleeps += 1
        await self._act()


async def test_watching_tells_the_groups_that_work_from_those_that_do_not(bus: EmbeddedBus) -> None:
    async def act() -> None:
        await publish(bus, 2)
        await commit(bus, SINK_GROUP, clock.sleeps)

    clock = ActiveClock(act)
    await publish(bus, 1)
    (found,) = await watch(bus, [TOPIC], 18.0, clock)
    assert clock.monotonic() == pytest.approx(18.0)
    assert clock.sleeps == WINDOW - 1
    assert {g.group: g.status for g in found.groups} == {
        INDICATOR_GROUP: "STALL",
        FORECAST_GROUP: "STALL",
        SINK_GROUP: "WARN",
    }
    assert found.end == 1 + 2 * clock.sleeps


async def test_a_group_that_keeps_up_is_ok(bus: EmbeddedBus) -> None:
    offsets = iter(range(1, 100))

    async def act() -> None:
        await publish(bus, 1)
        await commit(bus, SINK_GROUP, next(offsets))

    await publish(bus, 3)
    (found,) = await watch(bus, [TOPIC], 9.0, FakeClock(auto=True))
    assert {group.status for group in found.groups} == {"STALL"}
    await commit(bus, SINK_GROUP, 3)
    (found,) = await watch(bus, [TOPIC], 9.0, ActiveClock(act))
    assert {g.group: g.status for g in found.groups}[SINK_GROUP] == "OK"


async def test_a_group_that_stalls_is_found_by_watching(loaded: Loaded, bus: EmbeddedBus) -> None:
    await publish(bus, 1)
    await commit(bus, INDICATOR_GROUP, 1)
    await commit(bus, FORECAST_GROUP, 1)
    assert not (await report(loaded, [])).has_stalled
    assert (await report(loaded, [], seconds=9.0, clock=FakeClock(auto=True))).has_stalled
    await commit(bus, SINK_GROUP, 1)
    assert not (await report(loaded, [], seconds=9.0, clock=FakeClock(auto=True))).has_stalled


async def test_the_table_has_a_row_a_partition(loaded: Loaded, bus: EmbeddedBus) -> None:
    await publish(bus, 12)
    await publish(bus, 1, "somebody_elses")
    await commit(bus, SINK_GROUP, 12)
    assert as_table(await report(loaded, [])) == (
        "topic            partition  begin  end  records  retention  lag\n"
        "stock_data_aapl          0      0   12       12         7d  "
        "indicator-processor 12  forecast-processor 12  sink 0\n"
    )


async def test_topics_that_are_missing_are_named(loaded: Loaded, bus: EmbeddedBus) -> None:
    await publish(bus, 1)
    text = as_table(await report(loaded, ["AAPL", "^GSPC"]))
    assert text.count("stock_data_aapl") == 1
    missing = sorted({*topics_of("AAPL"), *topics_of("^GSPC")} - {TOPIC})
    assert text.endswith(f"\nmissing: {', '.join(missing)}; --create creates them\n")


async def test_json_is_one_document(loaded: Loaded, bus: EmbeddedBus) -> None:
    await publish(bus, 2)
    document = json.loads(msgspec.json.encode(await report(loaded, ["AAPL"])))
    assert document["bus"] == "embedded"
    assert document["created"] == []
    assert document["missing"] == sorted(set(topics_of("AAPL")) - {TOPIC})
    (partition,) = document["partitions"]
    assert (partition["topic"], partition["begin"], partition["end"], partition["records"]) == (TOPIC, 0, 2, 2)
    assert partition["retention"] == {"ms": 7 * 86_400_000, "bytes": None, "compacted": False}
    assert partition["groups"][0] == {"group": INDICATOR_GROUP, "committed": None, "lag": 2, "status": None}


async def test_missing_topics_are_made_once_and_records_stay(loaded: Loaded) -> None:
    wanted = topics_for(["AAPL", "BRK.B"])
    assert await create(loaded, wanted) == sorted(wanted)
    bus = EmbeddedBus(DataDir(loaded.data_dir).bus)
    await bus.open()
    await publish(bus, 3)
    await bus.close()
    assert await create(loaded, [*wanted, *topics_of("MSFT")]) == sorted(topics_of("MSFT"))
    text = as_table(await report(loaded, [], make=True))
    assert "created" not in text
    ends = {cells[0]: cells[3] for cells in map(str.split, text.splitlines()[1:])}
    assert ends == dict.fromkeys([*wanted, *topics_of("MSFT")], "0") | {TOPIC: "3"}
    assert not DataDir(loaded.data_dir).is_owned


async def test_topics_are_made_for_the_watched_tickers_if_none_are_named(loaded: Loaded) -> None:
    DataDir(loaded.data_dir).remember_tickers(("TSLA",))
    assert watched_tickers(loaded) == ["TSLA"]
    assert "stock_data_tsla" in (await report(loaded, [], make=True)).created
    configured = Loaded(Settings(pipeline=PipelineSettings(tickers=["NVDA"])), None, loaded.data_dir, loaded.log_dir)
    assert watched_tickers(configured) == ["NVDA"]


async def test_a_running_pipeline_is_looked_at_but_not_interfered_with(loaded: Loaded, bus: EmbeddedBus) -> None:
    await publish(bus, 1)
    owner = DataDir(loaded.data_dir)
    owner.lock()
    try:
        assert [found.topic for found in (await report(loaded, ["AAPL"])).partitions] == [TOPIC]
        with pytest.raises(DataDirError, match=rf"cannot be made .* now: .*pid {os.getpid()}.*fintrends-tui stop"):
            await create(loaded, topics_of("MSFT"))
    finally:
        owner.unlock()
    assert await bus.topics() == {TOPIC}


async def test_without_a_bus_there_is_nothing_to_report(loaded: Loaded) -> None:
    with pytest.raises(BusError, match="a pipeline creates it"):
        await report(loaded, [])
