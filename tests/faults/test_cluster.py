"""A cluster of three brokers in mid-replay: brokers killed, frozen and restarted, leaders moved, partitions added."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from uuid import uuid4

import pytest

from pipeline.bus.named import Names
from pipeline.contract.snapshot import Snapshot
from pipeline.engines import names_of
from pipeline.model.topics import INDICATOR_GROUP, SINK_GROUP, STOCK_DATA, topic_for
from pipeline.storage.datadir import DataDir
from testkit.engines.cluster import KafkaCluster, KafkaNode
from testkit.engines.fixtures import require
from testkit.engines.mongo import MongoServer
from testkit.engines.process import ServerProcess
from testkit.faults.ledger import Ledger
from testkit.faults.on_engines import IMPATIENT, finish, log_of, missed, unused_tickers
from testkit.faults.recording import Recording, record
from testkit.faults.replays import replaying, until
from testkit.faults.soaking import load
from testkit.faults.watching import audit, settled, total
from testkit.forked import ForkedProduct
from testkit.product import Product

pytestmark = pytest.mark.daily  # three brokers, and each fault takes as long as they need to agree about it
CLUSTER = "three brokers"
"""What the table calls them."""
MINUTES = 390
STALL_SECONDS = 25.0
"""A broker that says nothing is given up by the others after nine seconds and by us after ten; the rest is for a busy
machine."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    servers = require(lambda: KafkaCluster(tmp_path_factory.mktemp("cluster")))
    yield servers
    servers.stop()


@pytest.fixture
def product(tmp_path: Path, cluster: KafkaCluster) -> Product:
    """The product on the cluster, which is whole, and on an embedded store; without a namespace it would store what
    the tests before have published, too."""
    cluster.start()
    flags = ("--kafka", cluster.bootstrap, "--namespace", f"n{uuid4().hex[:12]}")
    return ForkedProduct(tmp_path, *flags, **IMPATIENT, FINTRENDS_KAFKA__REPLICATION="3")


@dataclass
class Under:
    """A replay under way, and what it runs on."""

    cluster: KafkaCluster
    product: Product
    process: Popen[str]
    recording: Recording

    @property
    def topics(self) -> list[str]:
        return [self._names.topic(topic_for(STOCK_DATA, ticker)) for ticker in self.recording.tickers]

    def coordinator(self, group: str) -> KafkaNode:
        """Of a group of this product's."""
        return self.cluster.coordinator(self._names.group(group))

    @property
    def _names(self) -> Names:
        namespace = self.product.option("--namespace")
        settings = load(self.product, self.cluster.bootstrap).settings
        return names_of(settings, DataDir(self.product.data_dir).within(namespace), read_only=True)

    def until(self, condition: Callable[[Snapshot], object]) -> Snapshot:
        return until(self.product, self.process, condition, patience=180)

    def go_on(self, share: float) -> float:
        """Wait until so many more rows of indicators are stored; the longest time without one, in seconds."""
        stored, since, longest = -1, time.monotonic(), 0.0
        due = 0.0

        def further(snapshot: Snapshot) -> bool:
            nonlocal stored, since, longest, due
            rows = total(snapshot, "indicators")
            due = due or rows + share * len(self.recording.live)
            if rows != stored:
                stored, since = rows, time.monotonic()
            longest = max(longest, time.monotonic() - since)
            return rows >= due

        self.until(further)
        return longest


def one_killed(run: Under, victim: ServerProcess) -> None:
    victim.kill()
    run.go_on(0.1)
    run.cluster.start()


def leader_killed(run: Under) -> None:
    one_killed(run, run.cluster.leader(run.topics[0]))


def coordinator_killed(run: Under) -> None:
    one_killed(run, run.coordinator(INDICATOR_GROUP))


def leaders_moved(run: Under) -> None:
    for _ in range(2):
        run.cluster.move_leader(run.topics)
        run.go_on(0.1)


def leader_frozen(run: Under) -> None:
    one_frozen(run, run.cluster.leader(run.topics[0]))


def coordinator_frozen(run: Under) -> None:
    one_frozen(run, run.coordinator(INDICATOR_GROUP))


def one_frozen(run: Under, victim: ServerProcess) -> None:
    victim.freeze()
    try:
        stall = run.go_on(0.1)
    finally:
        victim.thaw()
    print(f"it stood still for {stall:.1f} s")  # noqa: T201 - the figure is quoted in the docs
    assert stall < STALL_SECONDS


def two_killed(run: Under) -> None:
    victims = [run.cluster.leader(run.topics[0]), run.coordinator(SINK_GROUP)]
    victims = list(dict.fromkeys([*victims, *run.cluster.nodes.values()]))[:2]
    for victim in victims:
        victim.kill()
    since = time.monotonic()
    run.until(lambda s: missed(s, [f"Kafka at {run.cluster.bootstrap}"]) and time.monotonic() - since > 30)
    status = run.product.run("status")
    assert (status.returncode, "waiting    for kafka" in status.stdout) == (1, True), status.stdout
    run.cluster.start()


def restarted_one_by_one(run: Under) -> None:
    for node in run.cluster.nodes.values():
        node.stop()
        node.start()
        run.cluster.wait_until_whole()


def partitions_added(run: Under) -> None:
    for topic in run.topics:
        run.cluster.add_partitions(topic, 4)
    run.go_on(0.1)


@pytest.mark.parametrize(
    ("name", "fault", "tickers"),
    [
        pytest.param("a leader killed", leader_killed, 3, id="leader-killed"),
        pytest.param("a group's coordinator killed", coordinator_killed, 3, id="coordinator-killed"),
        pytest.param("leaders moved", leaders_moved, 3, id="leaders-moved"),
        # With one ticker no other hides how long it stands still.
        pytest.param("a leader frozen", leader_frozen, 1, id="leader-frozen"),
        pytest.param("a group's coordinator frozen", coordinator_frozen, 1, id="coordinator-frozen"),
        pytest.param("two of three brokers killed", two_killed, 3, id="two-killed"),
        pytest.param("all brokers restarted one by one", restarted_one_by_one, 3, id="rolling-restart"),
        pytest.param("partitions added", partitions_added, 3, id="partitions-added"),
    ],
)
def test_what_befalls_a_cluster_changes_nothing(
    product: Product, cluster: KafkaCluster, ledger: Ledger, name: str, fault: Callable[[Under], None], tickers: int
) -> None:
    recording = record(product.directory / "recording", unused_tickers(tickers), MINUTES)
    with replaying(product, recording, speed=600) as process:
        run = Under(cluster, product, process, recording)
        run.until(lambda snapshot: total(snapshot, "indicators") >= 0.1 * len(recording.live))
        fault(run)
        entry, _ = finish(product, process, recording.live)
    assert "created again" not in log_of(product), "a topic that moved is the same"
    ledger.enter(name, entry, CLUSTER)


def test_two_of_four_workers_killed_on_four_partitions_a_topic(
    tmp_path: Path, cluster: KafkaCluster, mongo: MongoServer, ledger: Ledger
) -> None:
    cluster.start()
    mongo.start()
    recording = record(tmp_path / "recording", unused_tickers(4), 100)
    flags = ("--kafka", cluster.bootstrap, "--mongodb", f"{mongo.uri}/faults_{uuid4().hex[:12]}")
    numbers = {"FINTRENDS_KAFKA__REPLICATION": "3", "FINTRENDS_KAFKA__PARTITIONS": "4"}
    product = ForkedProduct(tmp_path, *flags, **IMPATIENT, **numbers)
    workers = [product.beside(tmp_path / f"worker{number}") for number in range(4)]
    on = ("--source", f"replay:{recording.directory}")
    roles = ("--roles", "processor,sink")
    with ExitStack() as stack:
        processes = [stack.enter_context(worker.running(*recording.tickers, *on, *roles)) for worker in workers]
        source = stack.enter_context(product.running(*recording.tickers, *on, "--roles", "producer", "--speed", 600))
        until(product, source, lambda s: published(s) >= 0.3 * len(recording.live), patience=180)
        for process in processes[:2]:
            process.kill()
        until(workers[3], processes[3], lambda s: stored(s) == 2 * len(recording.live) and settled(s), patience=240)
        for worker in (product, *workers[2:]):
            worker.stop()
    ledger.enter(
        "two of four workers killed, four partitions a topic", audit(product, recording.live), f"{CLUSTER}, SecantusDB"
    )


def published(snapshot: Snapshot) -> int:
    """Bars on the bus."""
    return sum(view.records for view in snapshot.topics if view.topic.startswith(STOCK_DATA))


def stored(snapshot: Snapshot) -> int:
    """Bars and rows of indicators in the store."""
    return sum(view.documents or 0 for view in snapshot.collections if view.name in ("stock_data", "indicators"))
