"""A disk that is full or cannot be written: said in one sentence, and nothing is lost."""

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.contract.snapshot import Snapshot
from testkit.faults.ledger import Ledger
from testkit.faults.outside import FULL, UNLIMITED, limit_files
from testkit.faults.recording import Recording, record
from testkit.faults.replays import replaying
from testkit.faults.watching import STOP_SECONDS, audit, settled, total, watch
from testkit.forked import ForkedProduct
from testkit.product import Product

SPEED = 3600
"""Times real time: 60 bars a second and ticker, so that the limit comes in the middle."""

limits_others = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of a running process")


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return ForkedProduct(tmp_path)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=600)


@limits_others
@pytest.mark.parametrize("ending", ["space is made", "it is killed and started again"])
def test_full_in_the_middle(product: Product, recording: Recording, ledger: Ledger, ending: str) -> None:
    source = ("--source", f"replay:{recording.directory}", "--speed")
    with replaying(product, recording, SPEED) as process:
        assert watch(product, process, lambda snapshot: total(snapshot, "indicators") > 100)
        limit_files(process, FULL)
        assert watch(product, process, lambda snapshot: _sorry(snapshot, "market"))
        told = product.run("status").stdout
        assert "disk" in told and "space" in told, told
        if ending == "space is made":
            limit_files(process, UNLIMITED)
            assert watch(product, process, settled, patience=90)
            product.stop()
            _, errors = process.communicate(timeout=STOP_SECONDS)
            assert process.returncode == 0, errors
            assert "Traceback" not in errors
    if ending != "space is made":
        result = product.run(*recording.tickers, "--no-ui", *source, "max", "--until-idle")
        assert result.returncode == 0, result.stderr
    assert "Traceback" not in "".join(path.read_text() for path in (product.data_dir / "logs").iterdir())
    ledger.enter("disk full", audit(product, recording.live))


def _sorry(snapshot: Snapshot, name: str) -> bool:
    return any(s.name == name and s.state == "backing off" and "disk" in (s.error or "") for s in snapshot.services)


def test_full_from_the_start(product: Product, recording: Recording) -> None:
    result = _start(product, recording, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (FULL, UNLIMITED)))
    assert_one_sentence(result, "disk", "space")


def _start(
    product: Product, recording: Recording, before: Callable[[], None], *more: object
) -> subprocess.CompletedProcess[str]:
    process = product.start(
        *recording.tickers, "--no-ui", "--until-idle", "--source", f"replay:{recording.directory}", *more,
        preexec_fn=before,
    )  # fmt: skip
    try:
        _, errors = process.communicate(timeout=STOP_SECONDS)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, "", errors)


def assert_one_sentence(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended with status 1 and one line that has the words."""
    assert result.returncode == 1
    said = [line for line in result.stderr.splitlines() if line.startswith("fintrends-tui: ")]
    assert len(said) == 1 and all(word in said[0] for word in words), result.stderr
    assert "Traceback" not in result.stderr


def obey_permissions() -> None:
    """Take from root the right to write where permissions forbid it (`capabilities(7)`); others never had it."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            assert libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


@limits_others
@pytest.mark.parametrize("files", ["none", "bus.sqlite", "store.sqlite"])
def test_a_data_directory_that_cannot_be_written(product: Product, recording: Recording, files: str) -> None:
    product.data_dir.mkdir()
    if files == "none":
        product.data_dir.chmod(0o500)
    else:
        (product.data_dir / files).touch(mode=0o400)
    try:
        assert_one_sentence(_start(product, recording, obey_permissions), str(product.data_dir))
    finally:
        product.data_dir.chmod(0o700)


@limits_others
def test_a_log_directory_that_cannot_be_written(product: Product, recording: Recording) -> None:
    product.data_dir.mkdir(mode=0o700)
    logs = product.data_dir / "logs"
    logs.mkdir(mode=0o500)
    assert_one_sentence(_start(product, recording, obey_permissions), str(logs), "logging.dir")
