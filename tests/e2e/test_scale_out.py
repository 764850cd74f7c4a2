"""One producer and two workers on one Kafka and one MongoDB, each with a data directory of its own."""

import signal
from pathlib import Path
from uuid import uuid4

from tests.data import BARS, require
from tests.e2e.recorded import TICKERS, check_store
from tests.e2e.run import Product, written
from tests.engines.fixtures import bootstrap, mongodb_uri
from tests.engines.kafka import KRaftKafka

WORKER = ("--roles", "processor,sink", "--no-ui")


def test_two_workers_give_what_one_gives_also_when_one_is_killed(tmp_path: Path) -> None:
    require(BARS)
    flags = ("--kafka", bootstrap(KRaftKafka), "--mongodb", f"{mongodb_uri()}/scale_{uuid4().hex[:12]}")
    producer, first, second = (_product(tmp_path / name, *flags) for name in ("producer", "first", "second"))
    doomed = first.start(*TICKERS, *WORKER)
    survivor = second.start(*TICKERS, *WORKER)
    try:
        for worker, process in ((first, doomed), (second, survivor)):
            worker.wait_for(lambda s: _running(s, "indicators") and _running(s, "sink"), process)
        source = producer.start(
            *TICKERS, "--roles", "producer", "--no-ui", "--source", f"replay:{BARS}", "--speed", "max", "--until-idle"
        )
        first.wait_for(lambda s: written(s) > 100, doomed)
        doomed.send_signal(signal.SIGKILL)
        _, error = source.communicate(timeout=300)
        assert source.returncode == 0, error
        check_store(producer)
        assert second.run("stop").returncode == 0
        assert survivor.wait(60) == 0
    finally:
        for process in (doomed, survivor):
            process.kill()
            process.communicate()


def _product(directory: Path, *flags: str) -> Product:
    directory.mkdir()
    return Product(directory, *flags)


def _running(status: dict, service: str) -> bool:
    return any(s["name"] == service and s["state"] == "running" for s in status["services"])
