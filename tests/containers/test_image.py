"""The project's image, built by its Dockerfile, alone and shut in."""

import time
from collections.abc import Iterator

import pytest

from testkit.containers.engine import ContainerEngine
from testkit.containers.images import IMAGE

pytestmark = pytest.mark.daily
SHUT_IN = ["--init", "--read-only", "--tmpfs", "/tmp", "--network", "none", "--cap-drop", "ALL"]  # noqa: S108
STOP_SECONDS = 30
NAME = "alone"


@pytest.fixture
def alone(container_engine: ContainerEngine) -> Iterator[ContainerEngine]:
    """A pipeline in a container that reaches nobody."""
    flags = ["--no-ui", "--source", "simulator"]
    container_engine.docker("run", "--detach", "--name", NAME, *SHUT_IN, IMAGE, *flags, "AAPL", "VOD.L")
    yield container_engine
    container_engine.docker("rm", "--force", "--volumes", NAME)


def test_a_pipeline_runs_as_an_ordinary_user_writes_to_its_volumes_only_and_stops(alone: ContainerEngine) -> None:
    def inside(*command: str) -> str:
        return alone.docker("exec", NAME, *command).stdout

    deadline = time.monotonic() + 60
    while (status := alone.docker("exec", NAME, "fintrends-tui", "status", check=False)).returncode != 0:
        assert time.monotonic() < deadline, status.stdout + status.stderr
        time.sleep(0.5)
    assert "AAPL VOD.L" in status.stdout

    assert inside("id", "--user", "--name").strip() == "app"
    assert int(inside("sh", "-c", "ls /data | wc -l")) > 0 and int(inside("sh", "-c", "ls /logs | wc -l")) > 0
    changed = {line.split()[1] for line in alone.docker("diff", NAME).stdout.splitlines()}
    assert changed <= {"/usr", "/usr/sbin", "/usr/sbin/docker-init"}  # which --init mounts

    begun = time.monotonic()
    alone.docker("stop", "--time", str(STOP_SECONDS), NAME)
    assert time.monotonic() - begun < STOP_SECONDS
    assert alone.docker("inspect", "--format", "{{.State.ExitCode}}", NAME).stdout.strip() == "0"


def test_it_has_no_more_than_it_needs(container_engine: ContainerEngine) -> None:
    def run(*command: str) -> str:
        return container_engine.docker("run", "--rm", "--entrypoint", command[0], IMAGE, *command[1:]).stdout

    assert container_engine.docker("run", "--rm", IMAGE, "--version").stdout.strip()
    packages = run(
        "python", "-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    ).split()
    assert "fintrends-tui" in packages
    assert not {"pytest", "uv", "secantusdb", "hatchling"} & set(packages)
    assert run("sh", "-c", "find /opt/fintrends-tui ! -user root | wc -l").strip() == "0"
