"""Claims of several members on a real broker: sharing, leaving, dying, and what each may claim."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from pipeline.bus.base import BusError, Claims
from pipeline.bus.kafka.bus import KafkaBus
from testkit.engines.kafka import KafkaServer
from tests.integration.support import SESSION_SECONDS, opened, records, until


@pytest.fixture
def group() -> str:
    return f"group-{uuid4().hex}"


@pytest.fixture
def topics() -> list[str]:
    return [f"stock_data_{uuid4().hex}" for _ in range(4)]


class Holder:
    """A member that is polled in the background and notes what it holds; None before it knows."""

    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        self.held: frozenset[str] | None = None
        self.history: list[frozenset[str] | None] = []

    async def claim(self, topics: Collection[str]) -> None:
        await self.claims.claim(topics)
        self.held = None

    async def run(self) -> None:
        while True:
            self.held = await self.claims.poll(0.5)
            if not self.history or self.history[-1] != self.held:
                self.history.append(self.held)


@asynccontextmanager
async def holder(bus: KafkaBus, group: str, topics: Collection[str]) -> AsyncIterator[Holder]:
    holder = Holder(bus.claims(group))
    await holder.claim(topics)
    running = asyncio.create_task(holder.run())
    try:
        yield holder
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await holder.claims.close()


async def moment() -> None:
    await asyncio.sleep(0.02)


def shared(topics: Collection[str], *holders: Holder) -> bool:
    """Whether each topic is held by one, and nobody holds more than one more than another."""
    held = [topic for h in holders for topic in h.held or ()]
    sizes = [len(h.held or ()) for h in holders]
    return sorted(held) == sorted(topics) and max(sizes) - min(sizes) <= 1


async def test_two_share_and_who_stays_inherits(kafka_bootstrap: str, group: str, topics: list[str]) -> None:
    async with opened(kafka_bootstrap) as bus, holder(bus, group, topics) as first:
        await until(lambda: first.held == frozenset(topics), moment)
        async with holder(bus, group, topics) as second:
            await until(lambda: shared(topics, first, second), moment)
            members = await bus.members(group)
            assert members is not None
            assert {frozenset(where.topic for where in m.partitions) for m in members} == {first.held, second.held}
        await until(lambda: first.held == frozenset(topics), moment)


async def test_each_keeps_what_only_it_claims(kafka_bootstrap: str, group: str, topics: list[str]) -> None:
    mine, yours = topics[:2], topics[2:]
    async with (
        opened(kafka_bootstrap) as bus,
        holder(bus, group, mine) as first,
        holder(bus, group, yours) as second,
    ):
        await until(lambda: (first.held, second.held) == (frozenset(mine), frozenset(yours)), moment)
        await second.claim([*yours, mine[0]])  # to have it would leave the first with one and the second with three
        await until(lambda: second.held is not None, moment)
        assert (first.held, second.held) == (frozenset(mine), frozenset(yours))
        await second.claim([])
        await first.claim(topics)
        await until(lambda: first.held == frozenset(topics), moment)


async def test_a_standby_takes_over(kafka_bootstrap: str, group: str, topics: list[str]) -> None:
    (topic, *_) = topics
    async with opened(kafka_bootstrap) as bus, holder(bus, group, [topic]) as first:
        await until(lambda: first.held == frozenset([topic]), moment)
        async with holder(bus, group, [topic]) as second:
            await until(lambda: second.held == frozenset(), moment)
            assert first.held == frozenset([topic]), "who joins takes nothing away where there is nothing to share"
            await first.claim([])
            await until(lambda: second.held == frozenset([topic]), moment)


def _hold_until_killed(bootstrap: str, group: str, topics: list[str]) -> None:
    async def main() -> None:
        async with opened(bootstrap) as bus, holder(bus, group, topics):
            await asyncio.Event().wait()

    asyncio.run(main())


async def test_what_a_killed_process_held_is_taken_over(kafka_bootstrap: str, group: str, topics: list[str]) -> None:
    other = multiprocessing.get_context("spawn").Process(
        target=_hold_until_killed, args=(kafka_bootstrap, group, topics), daemon=True
    )
    async with opened(kafka_bootstrap) as bus, holder(bus, group, topics) as survivor:
        await until(lambda: survivor.held == frozenset(topics), moment)
        other.start()
        try:
            await until(lambda: survivor.held is not None and len(survivor.held) == 2, moment)
        finally:
            other.kill()
            other.join()
        killed_at = asyncio.get_running_loop().time()
        await until(lambda: survivor.held == frozenset(topics), moment)
        assert asyncio.get_running_loop().time() - killed_at < SESSION_SECONDS + 10


async def test_it_stays_a_member_and_downloads_nothing(
    kafka_bootstrap: str, group: str, topics: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a poll interval that would have thrown it out long ago if it were not kept up."""
    from aiokafka.consumer.fetcher import Fetcher

    fetched: list[object] = []
    fetch = Fetcher._proc_fetch_request

    async def spy(self: object, *arguments: object) -> object:
        fetched.append(arguments)
        return await fetch(self, *arguments)

    monkeypatch.setattr(Fetcher, "_proc_fetch_request", spy)
    monkeypatch.setattr(
        "pipeline.bus.kafka.options.KafkaOptions.claims_arguments",
        lambda self: {"heartbeat_interval_ms": 200, "max_poll_interval_ms": 1000},
    )
    async with opened(kafka_bootstrap) as bus:
        await bus.publish(records(topics[0], 50))
        async with holder(bus, group, topics) as member:
            await until(lambda: member.held == frozenset(topics), moment)
            joined = await bus.members(group)
            start = asyncio.get_running_loop().time()
            await until(lambda: asyncio.get_running_loop().time() - start > 3, moment)
            held = member.history.index(frozenset(topics))  # nothing before it, for as long as joining takes
            assert set(member.history[:held]) <= {None}
            assert member.history[held:] == [frozenset(topics)]
            assert await bus.members(group) == joined
            assert await bus.committed(group, topics) == {}
    assert fetched == []


async def test_a_broker_out_of_reach_is_told_and_then_claimed_from_again(
    kafka_server: KafkaServer, group: str, topics: list[str]
) -> None:
    async with opened(kafka_server.bootstrap, timeout=4.0) as bus:
        claims = bus.claims(group)
        try:
            await claims.claim(topics)
            assert await claims.poll(30) == frozenset(topics)
            kafka_server.kill()
            with pytest.raises(BusError):
                await claims.poll(30)
            kafka_server.start()

            async def held() -> bool:
                try:
                    return await claims.poll(1) == frozenset(topics)
                except BusError:
                    return False

            async with asyncio.timeout(60):
                while not await held():
                    pass
        finally:
            await claims.close()
