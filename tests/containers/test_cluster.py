"""`docker-compose.cluster.yml` with brokers from Kafka's jars, three workers, and one server in place of three."""

import json
import time
from collections.abc import Iterator

import pytest

from testkit.containers.engine import ContainerEngine
from testkit.containers.stack import ComposeStack

pytestmark = pytest.mark.daily
FILES = ["docker-compose.cluster.yml", "testkit/containers/stand-ins/one-mongodb.yml"]
BROKERS = ("kafka-1", "kafka-2", "kafka-3")
PIPELINE, WORKER, LOADER = "financial-streaming", "financial-worker", "financial-loader"
ENVIRONMENT = {"SOURCE": "simulator", "TICKERS": "AAPL,MSFT", "MONGO_PASSWORD": "s3cret", "MONGO_REPLICA_KEY": "a2V5cw"}
PATIENCE = 90.0


@pytest.fixture(scope="module")
def started(container_engine: ContainerEngine) -> Iterator[tuple[ComposeStack, float]]:
    """The stack, once up, and when it was told to come up."""
    stack = ComposeStack(container_engine, FILES, [*BROKERS, "mongodb-1", PIPELINE, WORKER], ENVIRONMENT)
    begun = time.time()
    stack.up()
    yield stack, begun
    stack.compose("down", "--volumes")


@pytest.fixture
def cluster(started: tuple[ComposeStack, float]) -> ComposeStack:
    """The running stack."""
    started[0].up()
    return started[0]


def told(stack: ComposeStack, *words: str) -> str:
    """What Kafka's own tool says of the topics."""
    tool = ("/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "localhost:29092")
    return stack.exec("kafka-2", *tool, *words).stdout


def read(stack: ComposeStack) -> int:
    """How many records the producer's process knows to be in Kafka."""
    status = json.loads(stack.exec(PIPELINE, "fintrends-tui", "status", "--json", check=False).stdout)
    return sum(topic["records"] for topic in status["topics"])


def test_pipelines_start_once_all_brokers_are_healthy(started: tuple[ComposeStack, float]) -> None:
    stack, begun = started
    events = stack.events(begun)
    healthy = [min(at for s, event, at in events if (s, event) == (b, "health_status: healthy")) for b in BROKERS]
    starts = [at for service, event, at in events if event == "start" and service in (PIPELINE, WORKER)]
    assert len(starts) == 4 and max(healthy) <= min(starts)
    assert not [service for service, event, _ in events if event == "die"]


def test_every_topic_is_on_all_brokers_and_nothing_is_published(cluster: ComposeStack) -> None:
    topics = [line for line in told(cluster, "--describe").splitlines() if "simulated-" in line and "TopicId" in line]
    assert len(topics) > 10 and all("ReplicationFactor: 3" in line for line in topics)
    assert cluster.engine.inside("ss", "--listening", "--tcp", "--numeric", "--no-header") == ""


def test_the_loader_ends_well(cluster: ComposeStack) -> None:
    cluster.compose("up", "--pull", "never", LOADER)
    assert cluster.container(LOADER)["State"]["ExitCode"] == 0


def test_the_workers_share_the_topics(cluster: ComposeStack) -> None:
    status = json.loads(cluster.exec(PIPELINE, "fintrends-tui", "status", "--json", check=False).stdout)
    members = {group["group"]: [member["host"] for member in group["members"]] for group in status["groups"]}
    workers = {
        network["IPAddress"]
        for worker in cluster.containers(WORKER)
        for network in worker["NetworkSettings"]["Networks"].values()
    }
    for group in ("sink", "indicator-processor"):
        assert {host.removeprefix("/") for host in members[group]} == workers


def test_a_broker_that_is_away_stops_nobody_and_comes_back(cluster: ComposeStack) -> None:
    cluster.compose("kill", "kafka-1")
    before, deadline = read(cluster), time.monotonic() + PATIENCE
    while read(cluster) <= before + 20:
        assert time.monotonic() < deadline
        time.sleep(1)
    cluster.up()
    while "Topic:" in told(cluster, "--describe", "--under-replicated-partitions"):
        assert time.monotonic() < deadline
        time.sleep(1)
    assert all(worker["State"]["Running"] and worker["RestartCount"] == 0 for worker in cluster.containers(WORKER))


def test_all_stop_in_time(cluster: ComposeStack) -> None:
    cluster.compose("stop")
    ended = {service: [c["State"]["ExitCode"] for c in cluster.containers(service)] for service in cluster.services}
    assert not any(137 in codes for codes in ended.values()), ended
