"""Logins, certificates and rights on a broker that insists on them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from pipeline.bus.base import BusError, TopicPartition
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.config.settings import KafkaSettings
from testkit.engines import access, shared
from testkit.engines.certificates import Authority
from testkit.engines.fixtures import require
from testkit.engines.secure import SecureKafka
from tests.integration.support import drain, numbers, records

Login = Callable[[SecureKafka], KafkaSettings]


@pytest.fixture
def broker() -> SecureKafka:
    server = require(lambda: shared.kafka(SecureKafka))
    assert isinstance(server, SecureKafka)
    return server


@pytest.fixture
def prefix() -> str:
    """Of names that no other test uses."""
    return f"n{uuid4().hex[:12]}-"


@asynccontextmanager
async def connected(settings: KafkaSettings) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus(settings, timeout=5.0)
    try:
        await bus.open()
        yield bus
    finally:
        await bus.close()


async def allow(broker: SecureKafka, user: str, prefix: str, *, without: access.Operation | None = None) -> None:
    rights: dict[access.Resource, tuple[access.Operation, ...]]
    rights = {"topic": access.TOPIC_RIGHTS, "group": access.GROUP_RIGHTS}
    for resource, operations in rights.items():
        wanted = [operation for operation in operations if operation != without]
        await access.allow(broker.bootstrap, user, resource, prefix, *wanted)


@pytest.mark.parametrize(
    "login",
    [
        pytest.param(lambda broker: broker.login("SCRAM-SHA-512"), id="SCRAM-SHA-512"),
        pytest.param(lambda broker: broker.login("SCRAM-SHA-256"), id="SCRAM-SHA-256"),
        pytest.param(lambda broker: broker.login("PLAIN"), id="PLAIN"),
        pytest.param(lambda broker: broker.mutual(), id="certificates"),
    ],
)
async def test_whoever_logs_in_over_tls_publishes_and_consumes(broker: SecureKafka, prefix: str, login: Login) -> None:
    settings = login(broker)
    topic = f"{prefix}news_aapl"
    await allow(broker, "analyst", prefix)
    async with connected(settings) as bus:
        assert await bus.publish(records(topic, 20)) == []
        consumer = bus.consumer(f"{prefix}sink", [topic])
        assert numbers(await drain(consumer, 20)) == [*range(20)]
        await consumer.close()
        assert await bus.committed(f"{prefix}sink", [topic]) == {TopicPartition(topic, 0): 20}


WRONG = {"sasl_password": "wrong-horse"}
STRANGER = "it refuses our certificate, or misses one; check ssl_certfile"
HUNG_UP = "closes it at once; it is starting or stopping, or security_protocol is not that of this port"


@pytest.mark.parametrize(
    ("login", "permanent", "says"),
    [
        pytest.param(lambda b: b.login(**WRONG), True, "refuses the user name or password", id="password"),
        pytest.param(lambda b: b.login("PLAIN", sasl_username="me"), True, "refuses the user name", id="user"),
        pytest.param(lambda b: b.login(ssl_cafile=""), True, "signed by an authority that is not trusted", id="no CA"),
        pytest.param(
            lambda b: b.login(ssl_cafile=str(stranger(b).ca)), True, "not trusted here; name that in ssl_cafile",
            id="wrong CA",
        ),
        pytest.param(lambda b: b.login(listener="EXPIRED"), True, "its certificate has expired", id="expired"),
        pytest.param(lambda b: b.login(listener="ELSEWHERE"), True, "is for another host; connect by", id="host"),
        pytest.param(lambda b: b.mutual(ssl_certfile="", ssl_keyfile=""), True, STRANGER, id="none of ours"),
        pytest.param(lambda b: foreign(b, stranger(b)), True, STRANGER, id="ours of a stranger"),
        pytest.param(lambda b: foreign(b, b.authority, expired=True), True, STRANGER, id="ours expired"),
        pytest.param(lambda b: b.login(security_protocol="PLAINTEXT"), False, HUNG_UP, id="no TLS, no login"),
        pytest.param(lambda b: b.login(security_protocol="SASL_PLAINTEXT"), False, HUNG_UP, id="no TLS"),
        pytest.param(lambda b: b.login(security_protocol="SSL"), False, HUNG_UP, id="no login"),
        pytest.param(lambda b: b.login(bootstrap_servers=b.bootstrap), False, HUNG_UP, id="TLS where there is none"),
        pytest.param(
            lambda b: b.login(bootstrap_servers=b.mutual().bootstrap_servers, **files(b)), True,
            "expects another kind of login", id="a login where certificates do",
        ),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_in_words(broker: SecureKafka, login: Login, permanent: bool, says: str) -> None:
    settings = login(broker)
    bus = KafkaBus(settings, timeout=5.0)
    with pytest.raises(BusError) as caught:
        await bus.open()
    await bus.close()
    assert says in str(caught.value)
    assert caught.value.permanent is permanent
    assert len(str(caught.value)) < 400
    assert "-horse" not in str(caught.value), "that is a password"
    assert len(asyncio.all_tasks()) == 1


def stranger(broker: SecureKafka) -> Authority:
    return Authority(broker.folder / f"stranger-{uuid4().hex}")


def foreign(broker: SecureKafka, authority: Authority, *, expired: bool = False) -> KafkaSettings:
    mine = authority.issue(user="analyst", expired=expired)
    return broker.mutual(ssl_certfile=str(mine.cert), ssl_keyfile=str(mine.key))


def files(broker: SecureKafka) -> dict[str, str]:
    mine = broker.mutual()
    return {"ssl_certfile": mine.ssl_certfile, "ssl_keyfile": mine.ssl_keyfile}


class TestRights:
    """Of a user who may use topics and groups of one prefix only, as far as the docs say that it takes."""

    async def test_those_in_the_docs_are_enough_and_others_topics_stay_out_of_reach(
        self, broker: SecureKafka, prefix: str
    ) -> None:
        user = f"user-of-{prefix}x"
        await allow(broker, user, prefix)
        async with connected(broker.mutual(user)) as bus, connected(broker.mutual("nobody")) as nobody:
            topic, elsewhere = f"{prefix}news_aapl", "others_news_aapl"
            refusals = await bus.publish([*records(topic, 3), *records(elsewhere, 2)])
            assert {refusal.record.topic for refusal in refusals} == {elsewhere}
            claims, consumer = bus.claims(f"{prefix}producer"), bus.consumer(f"{prefix}sink", [topic])
            await claims.claim([topic])
            assert await claims.poll(20) == {topic}
            assert numbers(await drain(consumer, 3)) == [0, 1, 2]
            assert {m.client for m in await bus.members(f"{prefix}sink") or ()} == {bus.client}
            assert (await bus.retention([topic]))[topic].ms is None
            assert await bus.topics() == {topic}
            assert await nobody.topics() == set()
            await consumer.close()
            await claims.close()
            with pytest.raises(BusError, match=rf"grant it DELETE \({topic}\)"):
                await bus.delete_before({TopicPartition(topic, 0): 1})

    @pytest.mark.parametrize(
        ("missing", "says"),
        [
            ("read", "grant it READ on the"),
            ("write", "may not publish anything; grant it WRITE on its topics"),
            ("create", "grant it CREATE ("),
        ],
    )
    async def test_one_that_is_missing_is_named(
        self,
        broker: SecureKafka,
        prefix: str,
        missing: access.Operation,
        says: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """READ is missing on the group too."""
        user, topic = f"user-of-{prefix}x", f"{prefix}news_aapl"
        await allow(broker, user, prefix, without=missing)
        said = []
        async with connected(broker.mutual(user)) as bus:
            try:
                said += [refusal.reason for refusal in await bus.publish(records(topic, 1))]
                consumer = bus.consumer(f"{prefix}sink", [topic])
                await consumer.poll(1, 5)
            except BusError as error:
                said.append(str(error))
        assert any(says in words and (prefix in words or missing == "write") for words in said)
