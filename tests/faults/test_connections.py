"""The network between the pipeline and an engine fails, while the engine itself is well."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.contract.snapshot import Snapshot
from testkit.faults.ledger import Ledger
from testkit.faults.on_engines import (
    ENGINES,
    IMPATIENT,
    SESSION_SECONDS,
    faults_of_our_own,
    finish,
    missed,
    unused_tickers,
)
from testkit.faults.proxy import Proxy
from testkit.faults.recording import Recording, record
from testkit.faults.replays import replaying, until
from testkit.faults.watching import total
from testkit.forked import ForkedProduct
from testkit.product import Product

NAMES = pytest.mark.parametrize("name", ["Kafka", "MongoDB"])


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return record(tmp_path / "recording", unused_tickers(2), minutes=160)


@pytest.fixture
def product(tmp_path: Path, proxies: dict[str, Proxy]) -> Product:
    database = f"faults_{uuid4().hex[:12]}"
    kafka, mongodb = (f"127.0.0.1:{proxies[name].port}" for name in ("Kafka", "MongoDB"))
    uri = f"mongodb://{mongodb}/{database}?directConnection=true"
    return ForkedProduct(tmp_path, "--kafka", kafka, "--mongodb", uri, **IMPATIENT)


def written(recording: Recording, share: float) -> Callable[[Snapshot], bool]:
    """Whether that share of the rows of indicators is in the store."""
    return lambda snapshot: total(snapshot, "indicators") >= share * len(recording.live)


def seeded(what: str, seed: int = 1) -> random.Random:
    print(f"seed {seed} {what}")  # noqa: T201 - to be read when it fails
    return random.Random(f"{seed} {what}")


@NAMES
def test_connections_that_are_cut_over_and_over(
    product: Product, recording: Recording, proxies: dict[str, Proxy], ledger: Ledger, name: str
) -> None:
    rng = seeded(f"cut {name}")
    cut = 0
    with replaying(product, recording) as process:
        while not written(recording, 0.7)(until(product, process, lambda _: True)):
            time.sleep(rng.uniform(0, 1))  # a random point is what is wanted
            cut += proxies[name].cut(reset=rng.random() < 0.5)
        entry, _ = finish(product, process, recording.live)
    assert cut > 10
    ledger.enter(f"connections to {name} cut over and over", entry, ENGINES)


def test_slow_connections(product: Product, recording: Recording, proxies: dict[str, Proxy], ledger: Ledger) -> None:
    with replaying(product, recording) as process:
        until(product, process, written(recording, 0.1))
        with (
            proxies["Kafka"].slow(latency=0.05, bandwidth=100_000),
            proxies["MongoDB"].slow(latency=0.05, bandwidth=100_000),
        ):
            entry, _ = finish(product, process, recording.live)
    assert faults_of_our_own(product) == [], "slow is not broken"
    ledger.enter("slow connections to both", entry, ENGINES)


@NAMES
def test_connections_that_pass_nothing_on(
    product: Product, recording: Recording, proxies: dict[str, Proxy], ledger: Ledger, name: str
) -> None:
    """Longer than a group waits for a member's heartbeat; then what was held is passed on, or cut."""
    rng = seeded(f"half-open {name}")
    proxy = proxies[name]
    with replaying(product, recording) as process:
        until(product, process, written(recording, rng.uniform(0.1, 0.5)))
        proxy.hold()
        earliest = time.monotonic() + 1.2 * SESSION_SECONDS
        here = f"{name} at 127.0.0.1:{proxy.port}"
        until(product, process, lambda s: missed(s, [here]) and time.monotonic() > earliest)
        if name == "MongoDB":
            assert proxy.cut(reset=True)
        proxy.release()
        entry, last = finish(product, process, recording.live)
    assert any(service.restarts for service in last.services)
    ledger.enter(f"connections to {name} that pass nothing on", entry, ENGINES)
