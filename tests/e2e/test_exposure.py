"""What a running pipeline shows to the machine it runs on: ports, files, metrics."""

import os
import socket
import stat
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.model.topics import STOCK_DATA, topic_for
from testkit.engines.process import free_port
from testkit.product import Product

TICKERS = [f"T{number:02d}" for number in range(50)]
"""Of more topics than a snapshot for the screen holds."""
_LISTENING = "0A"
_LAG = "fintrends_consumer_lag_records"

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def listeners(pid: int) -> Iterator[tuple[str, int]]:
    """Addresses and ports on which a process listens for TCP."""
    sockets = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(handle.readlink().name)
        except OSError:  # closed meanwhile
            continue
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTENING and f"socket:[{inode}]" in sockets:
                address, port = local.split(":")
                words = [bytes.fromhex(address)[at : at + 4][::-1] for at in range(0, len(address) // 2, 4)]
                yield socket.inet_ntop(family, b"".join(words)), int(port, 16)


@needs_proc
def test_it_listens_nowhere_unless_metrics_are_asked_for_and_then_on_loopback(product: Product) -> None:
    with product.running("AAPL", "--source", "simulator") as process:
        assert list(listeners(process.pid)) == []
        product.stop()
    port = free_port()
    with product.running("AAPL", "--source", "simulator", "--metrics-port", port) as process:
        assert list(listeners(process.pid)) == [("127.0.0.1", port)]


def test_what_it_keeps_is_the_users_alone(product: Product) -> None:
    """Whatever the umask. All is in a directory that nobody else can enter; what matters is closed besides."""
    before = os.umask(0)
    try:
        with product.running("AAPL", "--source", "simulator"):
            product.wait_for(lambda status: any(c["documents"] for c in status["collections"]))
            modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in product.data_dir.rglob("*")}
    finally:
        os.umask(before)
    for directory in (product.data_dir, product.data_dir / "simulated"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    closed = {name: mode for name, mode in modes.items() if name.startswith(("bus.", "store.", "control."))}
    assert set(closed.values()) == {0o600}
    assert {"control.sock", "bus.sqlite", "bus.sqlite-wal", "store.sqlite", "store.sqlite-wal"} <= closed.keys()


def test_metrics_tell_of_every_topic(product: Product) -> None:
    port = free_port()
    with product.running(*TICKERS, "--source", "simulator", "--metrics-port", port):
        product.wait_for(lambda status: status["topics_total"] >= 5 * len(TICKERS))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
            families = list(text_string_to_metric_families(reply.read().decode()))
    lagging = {(s.labels["topic"], s.labels["group"]) for f in families for s in f.samples if s.name == _LAG}
    assert {(topic_for(STOCK_DATA, ticker), "sink") for ticker in TICKERS} <= lagging
    assert len({topic for topic, _ in lagging}) >= 5 * len(TICKERS)
