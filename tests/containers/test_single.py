"""`docker-compose.yml` as it is, with stand-ins for Kafka, ZooKeeper and MongoDB and without the web interfaces."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from testkit.containers.engine import ContainerEngine
from testkit.containers.stack import ComposeStack
from testkit.product import COMMAND
from testkit.terminal import Terminal

pytestmark = pytest.mark.daily
FILE = "docker-compose.yml"
SERVICES = YAML(typ="safe").load((Path(__file__).parents[2] / FILE).read_text("utf-8"))["services"]
ENGINES = ("zookeeper", "kafka", "mongodb")
PIPELINE, LOADER = "financial-streaming", "financial-loader"
USER, PASSWORD = "fintrends", "s3cret-1"
ENVIRONMENT = {
    "SOURCE": "simulator",
    "TICKERS": "AAPL,VOD.L",
    "MONGO_PASSWORD": PASSWORD,
    "MONGO_EXPRESS_PASSWORD": "s3cret-2",
}
LOADED = 3000
"""So many bars of each ticker at least are its history."""
LINE = '{"ts":"2026-11-20T15:00:00Z","open":1,"high":2,"low":1,"close":2,"volume":3}'
SETTLED = 60.0
NOT_BEHIND = 100
"""Records, which are worked off while it stops."""
STOPPED_BY_SIGNAL = 143
"""How Java ends when it has been asked to; killed for want of time, it would be 137."""


@pytest.fixture(scope="module")
def started(container_engine: ContainerEngine) -> Iterator[tuple[ComposeStack, float]]:
    """The stack, once up, and when it was told to come up."""
    stack = ComposeStack(container_engine, [FILE], [*ENGINES, PIPELINE], ENVIRONMENT)
    begun = time.time()
    stack.up()
    yield stack, begun
    stack.compose("down", "--volumes")


@pytest.fixture
def stack(started: tuple[ComposeStack, float]) -> ComposeStack:
    """The running stack."""
    started[0].up()
    return started[0]


def outside(stack: ComposeStack, *words: str, folder: Path, namespace: str = "simulated") -> str:
    """What the program says on the machine whose localhost the ports are published on."""
    uri = f"mongodb://{USER}:{PASSWORD}@localhost:27017/fintrends?authSource=admin"
    where = ["--kafka", "localhost:9092", "--namespace", namespace, "--data-dir", str(folder)]
    return stack.engine.beside("env", f"MONGODB_URI={uri}", str(COMMAND), *words, *where).stdout


def records(table: str, prefix: str = "simulated-") -> dict[str, int]:
    """How many records each topic has, of what `topics` prints."""
    rows = [line.split() for line in table.splitlines()[1:] if line.startswith(prefix)]
    return {row[0].removeprefix(prefix): int(row[4].replace(",", "")) for row in rows}


def unread(stack: ComposeStack) -> int:
    """How many records the pipeline's groups have still to read."""
    status = json.loads(stack.exec(PIPELINE, "fintrends-tui", "status", "--json", check=False).stdout)
    return sum(group["lag"] for topic in status["topics"] for group in topic["groups"])


def bars(stack: ComposeStack) -> int:
    """How many of one ticker are stored."""
    words = ["query", "stock_data", "AAPL", "--last", "0", "--format", "json"]
    return len(stack.exec(PIPELINE, "fintrends-tui", *words).stdout.splitlines())


def test_each_starts_once_those_are_healthy_that_it_needs(started: tuple[ComposeStack, float]) -> None:
    stack, begun = started
    first: dict[tuple[str, str], float] = {}
    for service, event, at in stack.events(begun):
        first.setdefault((service, event), at)
    for service in stack.services:
        for needed in SERVICES[service].get("depends_on", ()):
            assert first[needed, "health_status: healthy"] <= first[service, "start"]
    for service in stack.services:
        assert (service, "die") not in first


def test_the_loader_ends_well_when_the_history_is_in_kafka(stack: ComposeStack) -> None:
    stack.compose("up", "--pull", "never", LOADER)
    assert stack.container(LOADER)["State"]["ExitCode"] == 0
    topics = records(stack.exec(PIPELINE, "fintrends-tui", "topics").stdout)
    assert all(topics[f"stock_data_{ticker}"] > LOADED for ticker in ("aapl", "vod_2el"))


def test_kafka_and_mongodb_are_there_for_containers_and_for_this_machine_alone(
    stack: ComposeStack, tmp_path: Path
) -> None:
    inside = records(stack.exec(PIPELINE, "fintrends-tui", "topics").stdout)
    assert records(outside(stack, "topics", folder=tmp_path)).keys() == inside.keys() != set()
    assert "AAPL" in outside(stack, "query", "stock_data", "AAPL", folder=tmp_path)
    listening = stack.engine.inside("ss", "--listening", "--tcp", "--numeric", "--no-header")
    ports = {line.split()[3] for line in listening.splitlines()}
    assert ports == {"127.0.0.1:2181", "127.0.0.1:9092", "127.0.0.1:27017"}


def test_the_dashboard_is_shown_in_the_container(stack: ComposeStack, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, command=stack.command("exec", PIPELINE, "fintrends-tui"))
    try:
        terminal.wait_for(lambda text: "AAPL" in text and "VOD.L" in text and "SIMULATED" in text)
        terminal.press("d")
        assert terminal.wait_for_end() == 0
    finally:
        terminal.close()
    assert "pipeline   running" in stack.exec(PIPELINE, "fintrends-tui", "status", check=False).stdout


def test_who_cannot_write_anywhere_else_has_no_rights_either(stack: ComposeStack) -> None:
    state = stack.exec(PIPELINE, "cat", "/proc/1/status").stdout
    assert "CapBnd:\t0000000000000000" in state and "NoNewPrivs:\t1" in state and "Uid:\t1000" in state
    assert stack.exec(PIPELINE, "touch", "/app/x", check=False).returncode != 0


@pytest.mark.parametrize("service", [PIPELINE, "kafka", "mongodb"])
def test_what_is_killed_comes_again(stack: ComposeStack, service: str) -> None:
    before = stack.container(service)
    stack.kill(service)
    stack.wait_until_healthy(service, before["State"]["StartedAt"])
    stack.wait_until_healthy(PIPELINE, "")
    # More than once where ZooKeeper takes the killed broker for alive until its session is over.
    assert stack.container(service)["RestartCount"] > before["RestartCount"]


def test_what_is_stored_outlives_the_containers(stack: ComposeStack) -> None:
    kept = bars(stack), records(stack.exec(PIPELINE, "fintrends-tui", "topics").stdout)
    old = stack.container("kafka")["Id"]
    stack.compose("down")
    stack.up()
    assert stack.container("kafka")["Id"] != old
    assert bars(stack) >= kept[0] > 0
    after = records(stack.exec(PIPELINE, "fintrends-tui", "topics").stdout)
    assert all(after[topic] >= count for topic, count in kept[1].items())


def test_the_profile_connect_publishes_what_is_appended_to_its_file(stack: ComposeStack, tmp_path: Path) -> None:
    create = ["--create", "--topic", "stock_data_aapl"]
    stack.exec("kafka", "kafka-topics", "--bootstrap-server", "localhost:29092", *create)
    stack.compose("--profile", "connect", "up", "--detach", "--pull", "never", "--wait", "connect")
    stack.exec("connect", "sh", "-c", f"echo '{LINE}' >>/var/lib/kafka/data/aapl.jsonl")
    deadline = time.monotonic() + SETTLED
    while records(outside(stack, "topics", namespace="", folder=tmp_path), "").get("stock_data_aapl") != 1:
        assert time.monotonic() < deadline, stack.compose("logs", "--tail", "20", "connect").stdout
        time.sleep(1)


def test_all_stop_in_time_and_the_pipeline_with_success_if_it_is_not_behind(stack: ComposeStack) -> None:
    """Without what the loader has left, which takes the stand-in for MongoDB minutes."""
    stack.compose("down", "--volumes")
    stack.up()
    deadline = time.monotonic() + SETTLED
    while (left := unread(stack)) > NOT_BEHIND:
        assert time.monotonic() < deadline, left
        time.sleep(1)
    stack.compose("stop")
    ended = {service: stack.container(service)["State"]["ExitCode"] for service in stack.services}
    assert ended == {PIPELINE: 0, "mongodb": 0, **dict.fromkeys(("kafka", "zookeeper"), STOPPED_BY_SIGNAL)}
