"""Plans of resetting offsets: what would happen, and that it does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.admin.administration import carry_out, make_plan
from pipeline.admin.errors import AdminError
from pipeline.admin.offsets import changes_of
from pipeline.bus.base import Member, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import dead_letter
from pipeline.contract.plans import OffsetsPlan, Operation, Plan, Replay, ResetOffsets, described
from pipeline.model.topics import DEAD_LETTER, INDICATOR_GROUP, SINK_GROUP
from tests.admin.engines import NOW, bar, engines, partition, put

AAPL = "stock_data_aapl"


async def planned(bus: EmbeddedBus, operation: Operation) -> OffsetsPlan:
    plan: Plan = await make_plan(bus, None, operation, NOW)
    assert isinstance(plan, OffsetsPlan)
    return plan


@pytest.mark.parametrize(
    ("to", "after", "again", "skipped"),
    [
        ("beginning", 0, 6, 0),
        ("end", 10, 0, 4),
        ("2026-03-04T14:34", 3, 3, 0),
        ("52m", 8, 0, 2),
        ("7d", 0, 6, 0),
        ("2030-01-01", 10, 0, 4),
    ],
)
async def test_the_plan_is_what_is_done(tmp_path: Path, to: str, after: int, again: int, skipped: int) -> None:
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, *(bar(minute) for minute in range(10)))
        await bus.reset(SINK_GROUP, {partition(AAPL): 6})
        plan = await planned(bus, ResetOffsets(SINK_GROUP, to))
        assert await bus.committed(SINK_GROUP, [AAPL]) == {partition(AAPL): 6}, "a plan changes nothing"
        (change,) = plan.changes
        assert (change.before, change.after, change.again, change.skipped) == (6, after, again, skipped)
        await carry_out(bus, store, plan)
        assert await bus.committed(SINK_GROUP, [AAPL]) == {partition(AAPL): after}
        assert not (await planned(bus, ResetOffsets(SINK_GROUP, to))).does_anything


async def test_a_replay_leads_all_readers_back_and_none_forward(tmp_path: Path) -> None:
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, *(bar(minute) for minute in range(10)))
        await bus.reset(SINK_GROUP, {partition(AAPL): 10})
        await bus.reset(INDICATOR_GROUP, {partition(AAPL): 2})
        plan = await planned(bus, Replay(["AAPL"], "2026-03-04T14:36"))
        assert [(c.group, c.before, c.after) for c in plan.changes] == [(SINK_GROUP, 10, 5)]
        plan = await planned(bus, Replay([AAPL], "beginning"))
        assert {(c.group, c.after) for c in plan.changes} == {(SINK_GROUP, 0), (INDICATOR_GROUP, 0)}


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (
            ResetOffsets("sinks", "end"),
            "there is no group 'sinks'; the groups are indicator-processor, forecast-processor, sink",
        ),
        (ResetOffsets("producer", "end"), "producer reads nothing"),
        (ResetOffsets(SINK_GROUP, "yesterday"), "'yesterday' is not a time.*or beginning, end"),
        (ResetOffsets(SINK_GROUP, "end", ["stock_data_msft"]), "there is no topic 'stock_data_msft'"),
        (ResetOffsets("sentiment-processor", "end", [AAPL]), "sentiment-processor does not read stock_data_aapl"),
        (Replay(["MSFT"], "beginning"), "there is no topic of MSFT"),
        (Replay(["AAPL"], "end"), "a replay has a time to begin at"),
    ],
)
async def test_what_makes_no_sense_is_said(tmp_path: Path, operation: Operation, why: str) -> None:
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, bar(0))
        with pytest.raises(AdminError, match=why):
            await make_plan(bus, store, operation, NOW)


async def test_dead_letters_are_read_again_only_where_they_are_named(tmp_path: Path) -> None:
    """One that was retried has left the store, and is in its topic still."""
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, bar(0))
        (record,) = [r async for batch in bus.read(partition(AAPL), 0, 1) for r in batch]
        await put(bus, store, dead_letter(record, "why"))
        await bus.reset(SINK_GROUP, {partition(topic): 1 for topic in (AAPL, DEAD_LETTER)})
        plan = await planned(bus, ResetOffsets(SINK_GROUP, "beginning"))
        assert [change.topic for change in plan.changes] == [AAPL]
        plan = await planned(bus, ResetOffsets(SINK_GROUP, "beginning", [DEAD_LETTER]))
        assert [change.topic for change in plan.changes] == [DEAD_LETTER]


class Elsewhere(EmbeddedBus):
    """A bus on which another process is a member of every group."""

    async def members(self, group: str) -> list[Member]:
        return [Member(self.client, "here", frozenset()), Member("fintrends-other-7", "there", frozenset())]


async def test_members_elsewhere_are_an_obstacle(tmp_path: Path) -> None:
    async with engines(tmp_path) as (bus, store):
        await put(bus, store, bar(0))
        bus.__class__ = Elsewhere
        plan = await planned(bus, ResetOffsets(SINK_GROUP, "end"))
        assert "worked on by fintrends-other-7 at there; stop that first" in plan.obstacle
        assert described(plan)[-1].startswith("This cannot be done now: sink is worked on by")
        with pytest.raises(AdminError, match="no offset was reset: sink is worked on"):
            await carry_out(bus, store, plan)
        assert await bus.committed(SINK_GROUP, [AAPL]) == {}


OFFSET = st.integers(0, 50)


@given(begin=OFFSET, length=OFFSET, before=st.none() | OFFSET, target=st.integers(-10, 120))
def test_nobody_is_led_out_of_what_is_retained(begin: int, length: int, before: int | None, target: int) -> None:
    where = TopicPartition(AAPL, 0)
    committed = {} if before is None else {where: before}
    found = changes_of(SINK_GROUP, committed, {where: (begin, begin + length)}, {where: target})
    position = max(before or 0, begin)
    if not found:
        assert position == min(max(target, begin), begin + length)
        return
    (change,) = found
    assert begin <= change.after <= begin + length
    assert change.skipped - change.again == change.after - position != 0
    assert not (change.skipped and change.again)
