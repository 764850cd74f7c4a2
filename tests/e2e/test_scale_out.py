"""One producer and two workers on one Kafka and one MongoDB, each with a data directory of its own."""

import signal
from pathlib import Path
from uuid import uuid4

from testkit.engines.fixtures import bootstrap, mongodb_uri
from testkit.engines.kafka import KRaftKafka
from testkit.forked import ForkedProduct
from testkit.product import Product, documents, written
from testkit.recorded import MINUTES, TICKERS, check_store, last_minutes


def test_two_workers_give_what_one_gives_also_when_one_is_killed(tmp_path: Path) -> None:
    recording = last_minutes(tmp_path / "recording")
    flags = ("--kafka", bootstrap(KRaftKafka), "--mongodb", f"{mongodb_uri()}/scale_{uuid4().hex[:12]}")
    producer, first, second = (_product(tmp_path / name, *flags) for name in ("producer", "first", "second"))
    replay = ("--no-ui", "--source", f"replay:{recording}")  # also says that what the workers read is real
    worker = (*TICKERS, *replay, "--roles", "processor,sink")
    doomed, survivor = first.start(*worker), second.start(*worker)
    try:
        for product, process in ((first, doomed), (second, survivor)):
            product.wait_for(lambda s: _running(s, "indicators") and _running(s, "sink"), process)
        source = producer.start(*TICKERS, *replay, "--roles", "producer", "--speed", "max", "--until-idle")
        first.wait_for(lambda s: written(s) > 100, doomed)
        doomed.send_signal(signal.SIGKILL)
        _, error = source.communicate(timeout=300)
        assert source.returncode == 0, error
        all_of_them = MINUTES * len(TICKERS)
        second.wait_for(
            lambda s: {documents(s, name) for name in ("stock_data", "indicators")} == {all_of_them}, survivor
        )
        check_store(producer, MINUTES)
        second.stop()
        assert survivor.wait(60) == 0
    finally:
        for process in (doomed, survivor):
            process.kill()
            process.communicate()


def _product(directory: Path, *flags: str) -> Product:
    directory.mkdir()
    return ForkedProduct(directory, *flags)


def _running(status: dict, service: str) -> bool:
    return any(s["name"] == service and s["state"] == "running" for s in status["services"])
