"""How often the cluster is asked what it consists of."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError

from pipeline.bus.kafka import cluster
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
