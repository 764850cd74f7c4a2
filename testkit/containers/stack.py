"""The services of a compose file of this project, as `docker compose` runs them."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from testkit.containers.engine import CHECKOUT, ContainerEngine

_PATIENCE: Final = 150.0


class ComposeStack:
    """Some services of the file; `environment` is what its `.env` would say."""

    def __init__(
        self, engine: ContainerEngine, files: Sequence[str], services: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.engine = engine
        self.services = services
        self._files = [word for file in files for word in ("--file", f"{CHECKOUT}/{file}")]
        self._environment = dict(environment)

    def command(self, *arguments: str) -> list[str]:
        """The words that run `docker compose` with the arguments."""
        return self.engine.client("compose", *self._files, *arguments, environment=self._environment)

    def compose(
        self, *arguments: str, check: bool = True, timeout: float = _PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose`."""
        words = ["compose", "--progress", "plain", *self._files, *arguments]
        return self.engine.docker(*words, environment=self._environment, check=check, timeout=timeout)

    def up(self) -> None:
        """Start what does not run, and wait until all are healthy."""
        done = self.compose("up", "--detach", "--pull", "never", "--wait", *self.services, check=False)
        if done.returncode != 0:
            raise RuntimeError(
                f"{done.stderr[-2000:]}\n{self.compose('logs', '--tail', '30', check=False).stdout[-8000:]}"
            )

    def exec(self, service: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the container of the service."""
        return self.compose("exec", "--no-TTY", service, *command, check=check)

    def kill(self, service: str) -> None:
        """End its container as a crash would; `docker kill` is an administrator's wish, after which it stays away."""
        self.engine.inside("sh", "-c", f"kill -9 {self.container(service)['State']['Pid']}")

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What the engine says of each, stopped ones too."""
        names = self.compose("ps", "--all", "--quiet", service).stdout.split()
        found: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", *names).stdout)
        return found

    def container(self, service: str) -> dict[str, Any]:
        """What the engine says of the only one."""
        (only,) = self.containers(service)
        return only

    def wait_until_healthy(self, service: str, since: str) -> None:
        """Wait until its container has been started after the time `since` (as the engine tells it) and is healthy."""
        deadline = time.monotonic() + _PATIENCE
        while (state := self.container(service)["State"])["StartedAt"] <= since or state["Health"][
            "Status"
        ] != "healthy":
            assert time.monotonic() < deadline, state
            time.sleep(0.5)  # the engine's events begin only when asked for, which may be too late

    def events(self, since: float) -> list[tuple[str, str, float]]:
        """What happened to containers until now: service, event, and when (s since the epoch)."""
        form = '{{index .Actor.Attributes "com.docker.compose.service"}}\t{{.Action}}\t{{.TimeNano}}'
        bounds = ["--since", f"{since:.6f}", "--until", f"{time.time():.6f}"]
        told = self.engine.docker("events", *bounds, "--filter", "type=container", "--format", form).stdout
        lines = [line.split("\t") for line in told.splitlines()]
        return [(service, action, int(nanoseconds) / 1e9) for service, action, nanoseconds in lines]
