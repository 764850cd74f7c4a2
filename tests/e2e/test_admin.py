"""Resetting offsets, replaying and purging, on a pipeline that runs and on one that does not."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.contract.plans import Purge, Replay
from pipeline.contract.protocol import CarryOut, Done, MakePlan, Planned
from pipeline.model.topics import SINK_GROUP
from testkit.engines.fixtures import bootstrap, mongodb_uri
from testkit.engines.kafka import KRaftKafka
from testkit.forked import ForkedProduct
from testkit.product import Product, written


def contents(product: Product) -> dict[str, list[dict[str, object]]]:
    return {name: product.query(name) for name in ("stock_data", "indicators", "sentiment", "news", "social")}


def embedded(directory: Path) -> Product:
    return ForkedProduct(directory)


def servers(directory: Path) -> Product:
    name = f"admin-{uuid4().hex[:8]}"
    flags = ("--kafka", bootstrap(KRaftKafka), "--mongodb", f"{mongodb_uri()}/{name}", "--namespace", name)
    return ForkedProduct(directory, *flags)


@pytest.mark.parametrize("engines", [embedded, pytest.param(servers, marks=pytest.mark.daily)])
def test_a_replay_changes_nothing_and_a_purge_leaves_nothing(
    tmp_path: Path, engines: Callable[[Path], Product]
) -> None:
    product = engines(tmp_path)
    with product.running("AAPL", "MSFT", "--source", "simulator", "--speed", 60) as process:
        product.wait_for(lambda s: written(s, "indicators") and written(s, "sentiment"), process)
        replay: Planned = product.ask(MakePlan(Replay(["AAPL"], "beginning")))
        assert {change.group for change in replay.plan.changes} >= {SINK_GROUP, "indicator-processor"}
        done: Done = product.ask(CarryOut(replay.number))
        assert done.note.startswith("reset ")
        purge: Planned = product.ask(MakePlan(Purge("MSFT")))
        assert purge.plan.watched and purge.plan.topics["stock_data_msft"] > 0
        product.ask(CarryOut(purge.number))
        product.wait_for(
            lambda s: (
                all(v["state"] == "running" for v in s["services"] if v["role"] in ("sink", "processor"))
                and [t["ticker"] for t in s["tickers"]] == ["AAPL"]
            ),
            process,
        )
        product.stop()
        assert process.wait(60) == 0
    stored = contents(product)
    assert {document["ticker"] for documents in stored.values() for document in documents} == {"AAPL"}

    dry = product.run("offsets", SINK_GROUP, "--to", "beginning", "--dry-run")
    assert dry.returncode == 0 and "would be processed again" in dry.stdout, dry.stderr
    unasked = product.run("offsets", SINK_GROUP, "--to", "beginning")
    assert unasked.returncode == 1 and "--yes does it without asking" in unasked.stderr
    reset = product.run("offsets", SINK_GROUP, "--to", "beginning", "--yes")
    assert reset.returncode == 0 and "reset sink" in reset.stdout, reset.stderr
    with product.running("AAPL", "--source", "simulator", "--roles", "sink") as process:
        product.wait_for(lambda s: written(s) and total_lag_of(s) == 0, process)
    assert contents(product) == stored, "what is stored is as it was before"


def total_lag_of(status: dict) -> int:
    return sum(group["lag"] for topic in status["topics"] for group in topic["groups"])


def test_what_is_asked_for_in_vain_is_said(tmp_path: Path) -> None:
    product = ForkedProduct(tmp_path)
    nothing = product.run("purge", "AAPL", "--dry-run")
    assert nothing.returncode == 1 and "a pipeline creates it" in nothing.stderr
    assert not (tmp_path / "data").exists(), "a dry run makes nothing"
