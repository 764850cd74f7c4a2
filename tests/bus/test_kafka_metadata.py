"""How often the cluster is asked what it consists of."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError

from pipeline.bus.base import BusError
from pipeline.bus.kafka import cluster
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.bus.kafka.cluster import RECENT_SECONDS, Cluster
from pipeline.bus.kafka.options import KafkaOptions
from pipeline.config.settings import KafkaSettings

SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:9")


class Client:
    """Answers with the topics that there are, and counts the questions."""

    def __init__(self) -> None:
        self.topics = {"a"}
        self.asked = 0
        self.fails = False

    async def fetch_all_metadata(self) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise KafkaError("no broker answers")
        topics = frozenset(self.topics)
        return SimpleNamespace(topics=lambda: topics, partitions_for_topic=lambda _: None)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    time = [100.0]
    monkeypatch.setattr(cluster, "time", SimpleNamespace(monotonic=lambda: time[0]))
    return time


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def asked(client: Client) -> Cluster:
    return Cluster(client, SETTINGS, KafkaOptions(SETTINGS, 1.0))  # type: ignore[arg-type]


async def test_one_answer_serves_all_who_ask_within_a_second(now: list[float], client: Client, asked: Cluster) -> None:
    await asyncio.gather(
        *(asked.metadata(RECENT_SECONDS) for _ in range(5)), asked.offsets([]), asked.committed("g", [])
    )
    now[0] += RECENT_SECONDS
    await asked.metadata(RECENT_SECONDS)
    assert client.asked == 1
    now[0] += 0.01
    await asked.metadata(RECENT_SECONDS)
    assert client.asked == 2


async def test_who_must_know_it_now_asks(now: list[float], client: Client, asked: Cluster) -> None:
    await asked.metadata()
    now[0] += 0.01
    client.topics.add("b")
    assert (await asked.metadata()).topics() == {"a", "b"}
    assert (await asked.metadata(RECENT_SECONDS)).topics() == {"a", "b"}
    assert client.asked == 2


async def test_a_topic_that_is_not_known_yet_is_asked_for(now: list[float], client: Client, asked: Cluster) -> None:
    await asked.offsets(["a"])
    client.topics.add("b")
    now[0] += 0.01
    await asked.offsets(["a", "b"])
    await asked.committed("g", ["b"])
    assert client.asked == 2


async def test_what_may_have_changed_is_forgotten(now: list[float], client: Client, asked: Cluster) -> None:
    await asked.metadata(RECENT_SECONDS)
    asked.forget()
    await asked.metadata(RECENT_SECONDS)
    assert client.asked == 2


async def test_an_error_is_not_kept(now: list[float], client: Client, asked: Cluster) -> None:
    client.fails = True
    with pytest.raises(KafkaConnectionError, match="no broker answers"):
        await asked.metadata(RECENT_SECONDS)
    client.fails = False
    assert (await asked.metadata(RECENT_SECONDS)).topics() == {"a"}


class TestManyTopics:
    """At the start every consumer wants thousands made, and a broker takes its time."""

    @pytest.fixture
    def bus(self, monkeypatch: pytest.MonkeyPatch) -> KafkaBus:
        bus = KafkaBus(SETTINGS)

        async def topics() -> set[str]:
            return set()

        async def create(topics: Collection[str]) -> dict[str, str]:
            bus._created.update(topics)
            return {}

        monkeypatch.setattr(bus, "topics", topics)
        monkeypatch.setattr(bus, "_create", create)
        return bus

    @pytest.mark.parametrize(("progress", "tries"), [(True, 4), (False, 1)])
    async def test_a_turn_is_waited_for_as_long_as_others_get_on(
        self, bus: KafkaBus, monkeypatch: pytest.MonkeyPatch, progress: bool, tries: int
    ) -> None:
        tried = 0

        @asynccontextmanager
        async def bounded(_: str) -> AsyncIterator[None]:
            nonlocal tried
            tried += 1
            if tried < 4:
                bus._created |= {f"another{tried}"} if progress else set()
                raise BusError("it did not answer in time")
            yield

        monkeypatch.setattr(bus, "bounded", bounded)
        with nullcontext() if progress else pytest.raises(BusError, match="in time"):
            assert await bus.create_topics(["a", "b"]) == {}
        assert tried == tries
        assert ("a" in bus._created) is progress
