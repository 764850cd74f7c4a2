"""What goes wrong with a real broker, and that it goes on afterwards."""

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.bus.base import BusError, Record, TopicPartition
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.config.settings import KafkaSettings
from testkit.engines.kafka import SASL_PASSWORD, SASL_USER, KafkaServer
from testkit.engines.process import free_port
from tests.integration.support import PATIENCE, consuming, drain, following, numbers, opened, records


@pytest.fixture
def topic() -> str:
    return f"stock_data_{uuid4().hex}"


async def test_a_broker_killed_in_the_middle_loses_nothing(kafka_server: KafkaServer, topic: str) -> None:
    total = 400
    acknowledged: set[int] = set()
    consumed: set[int] = set()
    failed: set[str] = set()
    under_way, down, both_failed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def after_failure(stage: str) -> None:
        failed.add(stage)
        if failed == {"publisher", "consumer"}:
            both_failed.set()
        await asyncio.sleep(0.1)  # the backoff of a stage

    async def publish(bus: KafkaBus) -> None:
        for start in range(0, total, 20):
            if start == total // 2:
                under_way.set()
                await down.wait()
            while start not in acknowledged:
                try:
                    await bus.publish(records(topic, 20, start=start))
                    acknowledged.update(range(start, start + 20))
                except BusError:
                    await after_failure("publisher")

    async def consume(bus: KafkaBus) -> None:
        async with consuming(bus, f"group-{topic}", topic) as consumer:
            while len(consumed) < total:
                try:
                    batch = await consumer.poll(7, 0.2)
                    consumed.update(numbers(batch))  # before the commit, which may be made although its answer is lost
                    await consumer.commit(following(batch))
                except BusError:
                    await after_failure("consumer")

    async def crash() -> None:
        await under_way.wait()
        await asyncio.to_thread(kafka_server.kill)
        down.set()
        await both_failed.wait()
        await asyncio.to_thread(kafka_server.start)

    async with opened(kafka_server.bootstrap, partitions=2, timeout=4) as bus:
        async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as tasks:
            tasks.create_task(publish(bus))
            tasks.create_task(consume(bus))
            tasks.create_task(crash())
        found: list[int] = []
        for partition, (begin, end) in (await bus.offsets([topic])).items():
            found += [n async for batch in bus.read(partition, begin, end) for n in numbers(batch)]
    assert consumed == acknowledged == set(range(total)) == set(found)


async def test_what_could_not_be_committed_is_read_again(kafka_server: KafkaServer, topic: str) -> None:
    async with (
        opened(kafka_server.bootstrap, timeout=4) as bus,
        consuming(bus, f"group-{topic}", topic) as consumer,
    ):
        await bus.publish(records(topic, 5))
        batch = await consumer.poll(2, 10)
        await consumer.commit(following(batch))
        batch = await consumer.poll(2, 10)
        await asyncio.to_thread(kafka_server.kill)
        with pytest.raises(BusError, match="cannot commit to Kafka"):
            await consumer.commit(following(batch))
        await asyncio.to_thread(kafka_server.start)
        found: list[int] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < 3:
                try:
                    found += numbers(await consumer.poll(10, 0.5))
                except BusError:
                    continue  # the broker is still waking up
        assert found == [2, 3, 4]


async def test_a_broker_that_is_down_is_told_at_once() -> None:
    bus = KafkaBus(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}"))
    started = time.monotonic()
    with pytest.raises(BusError, match=r"cannot connect to Kafka at 127.0.0.1:\d+: .*is it running"):
        await bus.open()
    assert time.monotonic() - started < 9  # the timeout is 10
    assert len(asyncio.all_tasks()) == 1
    await bus.close()


@asynccontextmanager
async def silent(*, accepts: bool) -> AsyncIterator[str]:
    """HOST:PORT of a server that says nothing; one that does not accept either leaves connections in the air."""
    with contextlib.ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(64 if accepts else 0)
        for _ in range(0 if accepts else 4):  # so many that the system drops whoever comes next
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listening.getsockname())
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("accepts", [True, False], ids=["accepts and says nothing", "drops what comes"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
async def test_a_silent_server_uses_up_nobody_elses_time(
    kafka_bootstrap: str, topic: str, accepts: bool, first: bool
) -> None:
    async with silent(accepts=accepts) as dumb:
        servers = [dumb, kafka_bootstrap] if first else [kafka_bootstrap, dumb]
        async with opened(",".join(servers)) as bus, consuming(bus, f"group {topic}", topic) as consumer:
            await bus.publish(records(topic, 3))
            assert numbers(await drain(consumer, 3)) == [0, 1, 2]
            assert bus.description == f"kafka {','.join(servers)}"


async def test_servers_that_are_all_out_of_reach_are_told_in_time() -> None:
    async with silent(accepts=True) as dumb:
        bus = KafkaBus(KafkaSettings(bootstrap_servers=f"{dumb},127.0.0.1:{free_port()}"), timeout=1)
        with pytest.raises(BusError, match="is it running") as caught:
            await bus.open()
    assert not caught.value.permanent
    assert len(asyncio.all_tasks()) == 1
    await bus.close()


async def test_every_call_fails_in_time_while_the_broker_hangs_and_works_again_after(
    kafka_server: KafkaServer, topic: str
) -> None:
    async with opened(kafka_server.bootstrap, timeout=2) as bus, consuming(bus, f"group-{topic}", topic) as consumer:
        await bus.publish(records(topic, 1))
        await drain(consumer, 1)
        kafka_server.freeze()
        try:
            where = TopicPartition(topic, 0)
            calls = {
                "publish": lambda: bus.publish(records(topic, 1, start=1)),
                "offsets": lambda: bus.offsets([topic]),
                "committed": lambda: bus.committed(f"group-{topic}", [topic]),
                "commit": lambda: consumer.commit({where: 1}),
                "poll": lambda: consumer.poll(10, 1.5),
            }
            for name, call in calls.items():
                started = time.monotonic()
                with pytest.raises(BusError, match=r"did not answer|no connection"):
                    await call()
                assert time.monotonic() - started < 30, name
        finally:
            kafka_server.thaw()
        await _publish_until_acknowledged(bus, records(topic, 1, start=2))
        found: list[int] = []
        async with asyncio.timeout(PATIENCE):
            while 2 not in found:
                try:
                    found += numbers(await consumer.poll(10, 0.5))
                except BusError:
                    continue  # the broker is still waking up


async def test_a_commit_given_up_leaves_nothing_behind(
    kafka_server: KafkaServer, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(kafka_server.bootstrap, timeout=2) as bus, consuming(bus, f"group-{topic}", topic) as consumer:
        await bus.publish(records(topic, 1))
        await drain(consumer, 1)
        gc.collect()
        caplog.clear()  # of what others have left
        kafka_server.freeze()
        try:
            with pytest.raises(BusError, match="cannot commit"):
                await consumer.commit({TopicPartition(topic, 0): 1})
        finally:
            kafka_server.thaw()
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_wrong_password_is_named_but_not_repeated(kafka_server: KafkaServer, topic: str) -> None:
    def options(password: str) -> KafkaSettings:
        return KafkaSettings(
            bootstrap_servers=kafka_server.sasl_bootstrap,
            security_protocol="SASL_PLAINTEXT",
            sasl_username=SASL_USER,
            sasl_password=password,
        )

    with pytest.raises(BusError, match="refuses the user name or password") as caught:
        await KafkaBus(options("hunter2")).open()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(options("hunter2"))
    bus = KafkaBus(options(SASL_PASSWORD))
    await bus.open()
    await bus.publish(records(topic, 1))
    assert await bus.offsets([topic]) == {TopicPartition(topic, 0): (0, 1)}
    await bus.close()


async def test_a_record_too_large_is_named_and_harms_nobody_else(kafka_bootstrap: str, topic: str) -> None:
    async with opened(kafka_bootstrap) as bus:
        ((refused, reason),) = await bus.publish([Record(topic, "K", bytes(2_000_000), 0), *records(topic, 1)])
        assert len(refused.value) == 2_000_000
        assert "too large" in reason
        assert await bus.offsets([topic]) == {TopicPartition(topic, 0): (0, 1)}


async def test_more_replicas_than_brokers_is_named(kafka_bootstrap: str, topic: str) -> None:
    bus = KafkaBus(KafkaSettings(bootstrap_servers=kafka_bootstrap, replication=3))
    await bus.open()
    with pytest.raises(BusError, match="lower the replication factor"):
        await bus.publish(records(topic, 1))
    await bus.close()


async def test_records_of_any_time_are_kept_and_in_one_segment(kafka_server: KafkaServer, topic: str) -> None:
    async with opened(kafka_server.bootstrap) as bus:
        day = 86_400_000
        now = round(time.time() * 1000)
        for ts in range(now - 9000 * day, now + 300 * day, 300 * day):
            await bus.publish([Record(topic, "AAPL", b"1", ts)])
        ((partition, (begin, end)),) = (await bus.offsets([topic])).items()
        assert (begin, end) == (0, 31)
        found = [record.ts async for batch in bus.read(partition, 0, end) for record in batch]
        assert found == list(range(now - 9000 * day, now + 300 * day, 300 * day))
        assert _segments(kafka_server.folder, partition) == 1


async def test_a_consumer_makes_its_topics_before_the_broker_does(kafka_bootstrap: str, topic: str) -> None:
    async with opened(kafka_bootstrap, partitions=3) as bus:
        consumer = bus.consumer(f"group-{topic}", [topic])
        assert await consumer.poll(1, 0.5) == []
        assert len(await bus.offsets([topic])) == 3
        await consumer.close()


async def test_a_read_that_is_left_early_closes_its_connection(kafka_bootstrap: str, topic: str) -> None:
    async with opened(kafka_bootstrap) as bus:
        await bus.publish(records(topic, 3000))
        batches = bus.read(TopicPartition(topic, 0), 10, 2990)
        first = await anext(batches)
        assert first[0].offset == 10
        await batches.aclose()  # type: ignore[attr-defined]
        whole = [r.offset async for batch in bus.read(TopicPartition(topic, 0), 10, 2990) for r in batch]
        assert whole == list(range(10, 2990))


async def _publish_until_acknowledged(bus: KafkaBus, batch: list[Record]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                assert await bus.publish(batch) == []
                return
            except BusError:
                continue


def _segments(folder: Path, partition: TopicPartition) -> int:
    return len(list((folder / "data" / f"{partition.topic}-{partition.partition}").glob("*.log")))
