"""The container engine. All that needs one is `daily`: it takes minutes, and few changes have to do with it.

Where no engine can run, the tests are skipped and say why; under CI that fails, unless it is for want of root.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.containers.engine import ContainerEngine, running
from testkit.containers.images import build_project, build_stand_ins
from testkit.containers.roots import held
from testkit.engines.fixtures import unavailable
from testkit.engines.process import EngineUnavailableError


@pytest.fixture(scope="module")
def container_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerEngine]:
    """The running engine with all images."""
    if os.geteuid() != 0:
        pytest.skip("only root makes file systems of Debian and runs an engine in namespaces of its own")
    folder = tmp_path_factory.mktemp("engine")
    try:
        with held() as kept, running(_prepared(folder, kept)) as engine:
            engine.docker("image", "prune", "--force")  # what these builds have replaced
            engine.docker("builder", "prune", "--force", "--keep-storage", "4GB")
            yield engine
    except EngineUnavailableError as error:
        unavailable(str(error))


def _prepared(folder: Path, kept: Path) -> ContainerEngine:
    build_project(folder, kept)
    build_stand_ins(folder, kept)
    return ContainerEngine(folder, kept)
