"""What is done to topics, groups and documents by hand; runs on each of the engines."""

from collections.abc import Callable

import pytest

from pipeline.bus.base import Bus, BusError, Record, TopicPartition
from pipeline.store.base import Query, Store
from tests.contract.helpers import PATIENCE, consuming, document, keys, next_offsets, numbered, take, values

Name = Callable[[str], str]


def timed(topic: str, *times: int) -> list[Record]:
    return [Record(topic, "AAPL", str(ts).encode(), ts) for ts in times]


async def test_a_group_goes_on_from_where_it_was_reset(bus: Bus, name: Name) -> None:
    topic, group = name("topic"), name("group")
    await bus.publish(numbered(topic, 10))
    async with consuming(bus, group, [topic]) as consumer:
        await consumer.commit(next_offsets(await take(consumer, 10)))
    (where,) = await bus.offsets([topic])
    await bus.reset(group, {where: 7})
    assert await bus.committed(group, [topic]) == {where: 7}
    async with consuming(bus, group, [topic]) as consumer:
        assert values(await take(consumer, 3)) == ["7", "8", "9"]


async def test_a_group_that_never_was_can_be_given_a_start(bus: Bus, name: Name) -> None:
    topic, group = name("topic"), name("group")
    await bus.publish(numbered(topic, 3))
    await bus.reset(group, dict.fromkeys(await bus.offsets([topic]), 2))
    async with consuming(bus, group, [topic]) as consumer:
        assert values(await take(consumer, 1)) == ["2"]


async def test_a_group_with_a_member_is_not_reset(bus: Bus, name: Name) -> None:
    topic, group = name("topic"), name("group")
    await bus.publish(numbered(topic, 3))
    async with consuming(bus, group, [topic]) as consumer:
        await consumer.commit(next_offsets(await take(consumer, 3)))
        (where,) = await bus.offsets([topic])
        with pytest.raises(BusError, match=r"has (a member|members); its offsets can be reset while it has none"):
            await bus.reset(group, {where: 0})
        assert await bus.committed(group, [topic]) == {where: 3}


async def test_a_time_leads_to_the_first_record_as_late(bus: Bus, name: Name) -> None:
    topic, empty = name("topic"), name("empty")
    await bus.create_topics([empty])
    await bus.publish(timed(topic, 1000, 3000, 2000, 4000))
    (where,) = await bus.offsets([topic])

    async def found(ts: int) -> int:
        return (await bus.offsets_at([topic], ts))[where]

    assert [await found(ts) for ts in (-5, 0, 1000, 1001, 3500, 4000, 4001)] == [0, 0, 0, 1, 3, 3, 4]
    assert await bus.offsets_at([empty, name("nowhere")], 0) == {TopicPartition(empty, where.partition): 0}


async def test_a_deleted_topic_is_gone_and_begins_anew(bus: Bus, name: Name) -> None:
    topic, kept, group = name("topic"), name("kept"), name("group")
    await bus.publish([*numbered(topic, 5), *numbered(kept, 2)])
    async with consuming(bus, group, [topic, kept]) as consumer:
        await consumer.commit(next_offsets(await take(consumer, 7)))
    assert await bus.delete_topics([topic, name("nowhere")]) == {}
    assert await bus.topics() & {topic, kept} == {kept}
    assert {where.topic for where in await bus.offsets([topic, kept])} == {kept}
    await bus.publish(numbered(topic, 2))
    assert [end for _, end in (await bus.offsets([topic])).values()] == [2]
    async with consuming(bus, group, [topic]) as consumer:
        assert values(await consumer.poll(10, PATIENCE))[:1] == ["0"]


async def test_documents_are_deleted_by_key_and_counted(store: Store) -> None:
    await store.upsert("stock_data", [document(str(i), minute=i) for i in range(10)])
    await store.upsert("news", [document("0", collection="news")])
    assert await store.delete("stock_data", ["0", "4", "9", "absent"]) == 3
    assert keys(await store.find(Query("stock_data"))) == ["1", "2", "3", "5", "6", "7", "8"]
    counts = await store.counts()
    assert (counts["stock_data"], counts["news"]) == (7, 1)
    await store.upsert("stock_data", [document("4", minute=4), document("x", minute=11)])
    assert (await store.counts())["stock_data"] == 9
    assert await store.delete("stock_data", []) == 0
    assert await store.delete("stock_data", keys(await store.find(Query("stock_data")))) == 9
    assert (await store.counts())["stock_data"] == 0
