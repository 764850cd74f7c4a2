"""Topics and records that a real broker refuses: named, and harmless to all others."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.bus.base import BusError, Record, TopicPartition, TopicRefusedError
from pipeline.bus.kafka import bus as kafka
from pipeline.bus.kafka import consumer as kafka_consumer
from pipeline.bus.kafka import refusals as kafka_refusals
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.config.settings import KafkaSettings
from testkit.engines.access import deny
from testkit.engines.kafka import SASL_PASSWORD, SASL_USER, KafkaServer, KRaftKafka
from tests.integration.support import consuming, drain, numbers, opened, records, until

Topics = Callable[..., Awaitable[str]]


@pytest.fixture
def make(kafka_bootstrap: str) -> Topics:
    """Makes a topic with settings of its own."""

    async def make(**settings: str) -> str:
        topic = f"news_{uuid4().hex}"
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        await admin.start()
        configs = {name.replace("_", "."): value for name, value in settings.items()}
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=configs)])
        await admin.close()
        return topic

    return make


async def kept(bus: KafkaBus, topic: str) -> list[int]:
    """The numbers in a topic of one partition, in their order."""
    where = TopicPartition(topic, 0)
    begin, end = (await bus.offsets([topic]))[where]
    return [n async for batch in bus.read(where, begin, end) for n in numbers(batch)]


def large(topic: str, number: int) -> Record:
    """One of 2,500 bytes, which compression makes hardly less."""
    return Record(topic, "K", str(random.Random(number).randrange(10**2499, 10**2500)).encode(), 0)


async def test_what_is_too_large_for_its_topic_is_refused_and_all_else_is_taken_once(
    kafka_bootstrap: str, make: Topics
) -> None:
    narrow, wide = await make(max_message_bytes="1024"), await make()
    batch = [r for n in range(40) for r in (records(narrow, 1, start=n)[0], records(wide, 1, start=n)[0])]
    poison = [large(narrow, 100), large(narrow, 101), large(narrow, 102)]
    mixed = [*poison[:1], *batch[:31], *poison[1:2], *batch[31:], *poison[2:], large(wide, 200)]
    async with opened(kafka_bootstrap) as bus:
        producers = set()
        for _ in range(2):  # the second time on the same connection, whose numbering must be right
            refusals = await bus.publish(mixed)
            producers.add(bus._producer)
            assert {record.value for record, _ in refusals} == {record.value for record in poison}
            assert len(refusals) == len(poison)
            assert all("too large" in reason for _, reason in refusals)
        assert sorted(await kept(bus, narrow)) == sorted([*range(40)] * 2)
        assert sorted(await kept(bus, wide)) == sorted([*range(40), int(large(wide, 200).value)] * 2)
        assert len(producers) == 1, "no other publisher was cut off"


async def test_a_batch_too_large_together_is_taken_in_parts(kafka_bootstrap: str, make: Topics) -> None:
    narrow = await make(max_message_bytes="1024", compression_type="uncompressed")
    many = [Record(narrow, "K", f"{n:0300}".encode(), 0) for n in range(20)]
    async with opened(kafka_bootstrap) as bus:
        assert await bus.publish(many) == []
        assert sorted(await kept(bus, narrow)) == list(range(20))


async def test_a_time_that_a_topic_does_not_take_is_refused_record_by_record(
    kafka_bootstrap: str, make: Topics
) -> None:
    strict, other = await make(message_timestamp_before_max_ms="3600000"), await make()
    now = round(time.time() * 1000)
    old = [Record(strict, "K", str(n).encode(), now - 86_400_000 * n) for n in (3, 400)]
    new = [Record(topic, "K", b"7", now) for topic in (strict, other)]
    async with opened(kafka_bootstrap) as bus:
        refusals = await bus.publish([old[0], *new, old[1]])
        assert [record for record, _ in refusals] == old
        assert all("message.timestamp" in reason for _, reason in refusals)
        assert (await kept(bus, strict), await kept(bus, other)) == ([7], [7])


async def test_a_topic_that_cannot_be_made_is_named_and_the_others_are(kafka_bootstrap: str, make: Topics) -> None:
    fine = f"news_{uuid4().hex}"
    async with opened(kafka_bootstrap) as bus:
        refused = await bus.create_topics(["no topic", fine, "x" * 250])
        assert refused.keys() == {"no topic", "x" * 250}
        assert all("refuses the topic name" in reason for reason in refused.values())
        assert [r.record.topic for r in await bus.publish([*records("no topic", 3), *records(fine, 3)])] == [
            "no topic"
        ] * 3
        async with consuming(bus, f"group-{fine}", fine) as consumer:
            await consumer.subscribe([fine, "no topic"])
            assert numbers(await drain(consumer, 3)) == [0, 1, 2]
        claims = bus.claims(f"claims-{fine}")
        await claims.claim([fine, "no topic"])
        assert await claims.poll(30) == {fine}
        await claims.close()


async def test_where_no_topic_can_be_used_that_is_said(kafka_bootstrap: str) -> None:
    async with opened(kafka_bootstrap) as bus, consuming(bus, "group", "no topic") as consumer:
        with pytest.raises(BusError, match="none of its topics can be used; no topic: it refuses the topic name"):
            await consumer.poll(1, 0.1)


class TestDenied:
    """To one who logs in and may not do everything. Only KRaft brokers of ours have access control."""

    @pytest.fixture
    async def bus(self, kafka_kind: type[KafkaServer], kafka_server: KafkaServer) -> AsyncIterator[KafkaBus]:
        if kafka_kind is not KRaftKafka:
            pytest.skip("this broker denies nothing")
        bus = KafkaBus(
            KafkaSettings(
                bootstrap_servers=kafka_server.sasl_bootstrap,
                security_protocol="SASL_PLAINTEXT",
                sasl_username=SASL_USER,
                sasl_password=SASL_PASSWORD,
            ),
            timeout=5.0,
        )
        await bus.open()
        yield bus
        await bus.close()

    async def test_a_topic_that_may_not_be_written_is_put_off_until_it_may(
        self, bus: KafkaBus, kafka_server: KafkaServer, make: Topics, caplog: pytest.LogCaptureFixture
    ) -> None:
        denied, free = await make(), await make()
        await deny(kafka_server.bootstrap, denied, "write")
        for start in (0, 5):
            refusals = await bus.publish([*records(denied, 5, start=start), *records(free, 5, start=start)])
            assert {record.topic for record, _ in refusals} == {denied}
            assert all("may not use the topic" in reason and denied in reason for _, reason in refusals)
        assert await kept(bus, free) == list(range(10))
        assert caplog.text.count(f"{denied} cannot be written") == 1
        assert await bus.create_topics([denied]) == {}, "it can be read"

    async def test_a_topic_that_may_not_be_made_is_asked_for_again_later(
        self, bus: KafkaBus, kafka_server: KafkaServer, make: Topics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        denied, free = f"news_{uuid4().hex}", await make()
        await deny(kafka_server.bootstrap, denied, "create", "describe")
        assert len(await bus.publish([*records(denied, 2), *records(free, 2)])) == 2
        await make()
        async with opened(kafka_server.bootstrap) as other:
            await other.create_topics([denied])
        assert (await bus.create_topics([denied])).keys() == {denied}
        monkeypatch.setattr(kafka_refusals, "AGAIN_SECONDS", 0)
        assert (await bus.create_topics([denied, free])).keys() == {denied}

    async def test_a_topic_that_may_not_be_read_is_left_out_and_the_others_are_read(
        self,
        bus: KafkaBus,
        kafka_server: KafkaServer,
        make: Topics,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(kafka_consumer, "AGAIN_SECONDS", 2)
        denied, free = await make(), await make()
        await bus.publish([*records(denied, 5), *records(free, 5)])
        await deny(kafka_server.bootstrap, denied, "read")
        consumer = bus.consumer(f"group-{free}", [denied, free])
        assert numbers(await drain(consumer, 5)) == list(range(5))
        await until(lambda: caplog.text.count(f"cannot read {denied}") > 1, lambda: consumer.poll(1, 0.2))
        assert consumer.assigned == {TopicPartition(free, 0)}
        await bus.publish(records(free, 1, start=5))
        assert numbers(await drain(consumer, 1)) == [5]
        await consumer.close()
        with pytest.raises(TopicRefusedError, match=denied):
            await kept(bus, denied)

    async def test_a_reader_without_a_group_leaves_it_out_too(
        self, bus: KafkaBus, kafka_server: KafkaServer, make: Topics
    ) -> None:
        denied, free = await make(), await make()
        await deny(kafka_server.bootstrap, denied, "read")
        reader = bus.consumer(None, [denied, free])
        assert await reader.poll(1, 1) == []
        await bus.publish([*records(denied, 3), *records(free, 3)])
        assert numbers(await drain(reader, 3)) == [0, 1, 2]
        await reader.close()

    async def test_what_is_not_shown_to_us_does_not_hide_the_rest(
        self, bus: KafkaBus, kafka_server: KafkaServer, make: Topics
    ) -> None:
        hidden, shown = await make(), await make()
        await bus.publish([*records(hidden, 1), *records(shown, 1)])
        assert await bus.offsets([hidden, shown]) == {TopicPartition(t, 0): (0, 1) for t in (hidden, shown)}
        await deny(kafka_server.bootstrap, hidden, "describe")
        assert await bus.offsets([hidden, shown]) == {TopicPartition(shown, 0): (0, 1)}
        assert await bus.committed("group", [hidden, shown]) == {}


async def test_a_broker_that_is_elsewhere_is_named(kafka_server: KafkaServer) -> None:
    """Where it says that it is, and not where it was asked."""
    bus = KafkaBus(KafkaSettings(bootstrap_servers=f"127.0.0.1:{kafka_server.proxied_port}"), timeout=3.0)
    await bus.open()
    consumer, claims = bus.consumer("group", ["news_aapl"]), bus.claims("claims")
    await claims.claim(["news_aapl"])
    said = f"advertises the address 127.0.0.1:{kafka_server.proxy_port}, where there is no connection from here"
    calls: list[Callable[[], Awaitable[object]]] = [
        bus.topics,
        lambda: bus.offsets(["news_aapl"]),
        lambda: bus.publish(records("news_aapl", 1)),
        lambda: consumer.poll(1, 1),
        lambda: claims.poll(1),
    ]
    for call in calls:
        with pytest.raises(BusError, match=said):
            await call()
    await consumer.close()
    await claims.close()
    await bus.close()


class Metadata:
    """What brokers tell of topics, each its own."""

    def __init__(self, bus: KafkaBus, *answers: set[str]) -> None:
        self._answers = list(answers)
        bus._asked = self  # type: ignore[assignment]
        self.topics = lambda exclude_internal_topics: self._answers.pop(0)

    async def metadata(self, max_age: float = 0.0) -> "Metadata":
        return self


async def test_a_topic_is_deleted_when_brokers_deny_it_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kafka, "DELETED_SECONDS", 3600)
    bus = KafkaBus(KafkaSettings(bootstrap_servers="localhost:1"))
    bus._created = {"a", "b"}
    Metadata(bus, {"a", "b"}, {"a"}, set(), {"a", "b"}, {"a"}, {"a"}, {"a"}, {"a"})
    for _ in range(5):
        assert await bus.topics() == {"a", "b"}, "one broker that has not heard of it yet does not count"
    monkeypatch.setattr(kafka, "DELETED_SECONDS", 0)
    assert await bus.topics() == {"a"}
    assert await bus.topics() == {"a"}
    assert caplog.text.count("these topics were deleted: b") == 1


async def test_publishers_beside_one_that_is_refused_go_on(kafka_bootstrap: str, make: Topics) -> None:
    narrow, wide = await make(max_message_bytes="1024"), await make()
    async with opened(kafka_bootstrap) as bus:

        async def publish(topic: str, number: int) -> None:
            refusals = await bus.publish([large(topic, number)] if topic == narrow else records(topic, 1, start=number))
            assert len(refusals) == (topic == narrow)

        async with asyncio.timeout(4):  # less than any call may take
            await asyncio.gather(*(publish(topic, n) for n in range(30) for topic in (narrow, wide)))
        assert sorted(await kept(bus, wide)) == list(range(30))
