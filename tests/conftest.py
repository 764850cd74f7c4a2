"""What holds for every test."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from testkit.engines.process import kill_all

# No example may fail for want of time: machines are shared, and slow on some days. Each run tries the same few;
# `--hypothesis-profile=searching`, as the daily run has it, looks for others, and for more.
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
settings.register_profile("repeatable", settings.get_profile("searching"), derandomize=True, max_examples=40)
settings.load_profile("repeatable")

# Without bytecode, as containers like to have it, each process compiles Textual, pandas and these tests anew: 15 s of
# CPU for each that collects them. The workers and what they start inherit this.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# At Python's own threshold the collector looks through thousands of tests and whole screens again and again: a quarter
# of the time of tests of screens.
gc.set_threshold(10_000)

pytest_plugins = ["tests.faults.report", "testkit.http_fixtures", "testkit.websocket_fixtures"]

_ON_ENGINES = ("e2e", "faults", "integration", "contract")
_SLOW_FIRST = (*_ON_ENGINES, "quality", "ui")
_TESTS = Path(__file__).parent


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Half as many processes again as there are cores, for tests of whole pipelines wait half of their time. What is
    named on the command line runs in this one: to start others takes longer than most of it."""
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        cores = os.cpu_count() or 1
        return cores + cores // 2
    config.option.dist = "no"
    return 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that no process is left alone with them at the end."""
    ranks = {name: rank for rank, name in enumerate(_SLOW_FIRST)}
    items.sort(key=lambda item: ranks.get(_folder(item.path), len(ranks)))
    for item in items:
        if _folder(item.path) in _ON_ENGINES:
            item.add_marker(pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"))


def pytest_collection_finish() -> None:
    """What is there by now stays: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _nothing_for_later_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """A client of an engine that is killed, or given up while it connects, may leave a socket to the garbage collector.
    That is reported where it happens, as a warning, and does not fail a later test that knows nothing of it.

    Nor do engines run on beside tests that need none: an idle broker takes two hundredths of a core, and each process
    of a run has several."""
    if _folder(request.path) not in _ON_ENGINES:
        kill_all()
    yield
    if _folder(request.path) in _ON_ENGINES:
        gc.collect()


def _folder(path: Path) -> str:
    return path.parts[len(_TESTS.parts)]
