"""What the claims of every bus must do; runs on each of the engines. Several members: tests/integration."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from pipeline.bus.base import Bus, BusError, Claims, TopicPartition
from tests.contract.engines import BusEngine
from tests.contract.helpers import PATIENCE, record

Name = Callable[[str], str]


@asynccontextmanager
async def claiming(bus: Bus, group: str, *topics: str) -> AsyncIterator[Claims]:
    claims = bus.claims(group)
    try:
        await claims.claim(topics)
        yield claims
    finally:
        await claims.close()


async def holding(claims: Claims, *topics: str) -> None:
    """Wait until just these are held."""
    async with asyncio.timeout(PATIENCE):
        while await claims.poll(1.0) != frozenset(topics):
            pass


async def test_who_is_alone_holds_what_it_claims(bus: Bus, name: Name) -> None:
    async with claiming(bus, name("group"), name("one"), name("two")) as claims:
        await holding(claims, name("one"), name("two"))


async def test_it_follows_what_is_claimed(bus: Bus, name: Name) -> None:
    one, two = name("one"), name("two")
    async with claiming(bus, name("group"), one) as claims:
        await holding(claims, one)
        await claims.claim([one, two])
        await holding(claims, one, two)
        await claims.claim([two])
        await holding(claims, two)
        await claims.claim([])
        await holding(claims)
        await claims.claim([one])
        await holding(claims, one)


async def test_a_change_is_told_at_once_and_no_change_in_time(bus: Bus, name: Name) -> None:
    async with claiming(bus, name("group"), name("one")) as claims, asyncio.timeout(PATIENCE):
        assert await claims.poll(100 * PATIENCE) == {name("one")}
        assert await claims.poll(0.05) == {name("one")}
        waiting = asyncio.create_task(claims.poll(100 * PATIENCE))
        await claims.claim([name("two")])
        assert await waiting == {name("two")}


async def test_a_cancelled_poll_loses_nothing(bus: Bus, bus_engine: BusEngine, name: Name) -> None:
    async with claiming(bus, name("group"), name("one")) as claims:
        waiting = asyncio.create_task(claims.poll(PATIENCE))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await holding(claims, name("one"))


async def test_what_is_left_can_be_claimed_again(bus: Bus, name: Name) -> None:
    for _ in range(2):
        async with claiming(bus, name("group"), name("one")) as claims:
            await holding(claims, name("one"))
    with pytest.raises(BusError):
        await claims.poll(0)


async def test_it_reads_nothing_and_commits_nothing(bus: Bus, name: Name) -> None:
    await bus.publish([record(name("one"), "unread")])
    async with claiming(bus, name("group"), name("one")) as claims:
        await holding(claims, name("one"))
        assert await bus.committed(name("group"), [name("one")]) == {}


async def test_members_say_who_works_on_what(bus: Bus, name: Name) -> None:
    assert await bus.members(name("nobody")) == []
    async with claiming(bus, name("group"), name("one"), name("two")) as claims:
        await holding(claims, name("one"), name("two"))
        members = await bus.members(name("group"))
        assert members is not None
        assert [(member.client, member.partitions) for member in members] == [
            (bus.client, {TopicPartition(name("one"), 0), TopicPartition(name("two"), 0)})
        ]
        assert members[0].host
    assert await bus.members(name("group")) == []


async def test_members_of_a_group_of_consumers_are_told_too(bus: Bus, name: Name) -> None:
    await bus.publish([record(name("topic"), "1")])
    consumer = bus.consumer(name("group"), [name("topic")])
    try:
        assert consumer.assigned is None, "not settled before the first poll"
        assert await consumer.poll(1, PATIENCE)
        members = await bus.members(name("group"))
        assert members is not None
        (member,) = members
        assert member.client == bus.client
        assert member.partitions == consumer.assigned
        assert {where.topic for where in member.partitions} == {name("topic")}
    finally:
        await consumer.close()
