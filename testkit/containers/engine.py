"""Docker Engine and Compose as Debian packages them, in namespaces of their own.

Its network is its own too, with nobody else in it: containers reach each other and cannot reach out, ports that they
publish on localhost are published there (see `ContainerEngine.beside`), and no firewall rule of the machine changes.
When its first process ends, so does everything in it.
"""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from testkit.containers.roots import engine_root
from testkit.engines.maven import cache_folder
from testkit.engines.process import STOP_SECONDS, EngineUnavailableError, ServerProcess

CHECKOUT: Final = "/srv/checkout"
ENGINES: Final = "/srv/engines"
"""Where this project's checkout, and the jars of other engines, stand for this one."""
_ROOT: Final = Path(__file__).parents[2]
_ENTER: Final = Path(__file__).with_name("enter.sh")
_BUILDING: Final = ("--bridge=none", "--iptables=false", "--ip6tables=false")


class ContainerEngine(ServerProcess):
    """The engine. With `online` it is on the machine's network and can build images, but has no network for others."""

    def __init__(self, folder: Path, kept: Path, *, online: bool = False) -> None:
        """`folder` is for its log; `kept` is where its root and its images are.

        Raises:
            EngineUnavailableError: if its root cannot be made.
        """
        super().__init__(folder)
        self._root = engine_root(kept)
        self._online = online

    def command(self) -> Sequence[str]:
        namespaces = ["--mount", "--pid"] if self._online else ["--mount", "--pid", "--net"]
        options = _BUILDING if self._online else ()
        places = [str(path) for path in (_ENTER, self._root, _ROOT, cache_folder())]
        return ["unshare", *namespaces, "--fork", "--kill-child", "sh", *places, *options]

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            EngineUnavailableError: if it does not run here, be it for want of rights, network or cgroups.
        """
        try:
            super().start()
        except RuntimeError as error:
            raise EngineUnavailableError(f"a container engine does not run here: {error}") from error

    def is_ready(self) -> bool:
        return self._first_process() is not None and self.docker("info", check=False).returncode == 0

    def stop(self) -> None:
        """Ask it to stop, and wait until it and all containers have: `unshare` itself takes no such request."""
        first = self._first_process()
        if first is not None and self._process is not None:
            subprocess.run(["kill", f"-{signal.SIGTERM}", first], check=False)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def docker(
        self, *arguments: str, environment: Mapping[str, str] | None = None, check: bool = True, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run the client."""
        return self._run(self.client(*arguments, environment=environment), check, timeout)

    def client(self, *arguments: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """The command that runs the client, with nothing of this machine's environment."""
        settings = [f"{name}={value}" for name, value in (environment or {}).items()]
        words = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm-256color", *settings, "docker"]
        return [*self.entering("mount", "pid", "net"), *words, *arguments]

    def inside(self, *command: str) -> str:
        """What a command of its root prints, where it runs itself."""
        return self._run([*self.entering("mount", "pid", "net"), *command], True, 60).stdout

    def beside(self, *command: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command of this machine on the engine's network: its localhost is where ports are published."""
        return self._run([*self.entering("net"), *command], check, timeout)

    def entering(self, *namespaces: str) -> list[str]:
        """The words before a command that is to run in some of its namespaces."""
        first = self._first_process()
        assert first is not None, "it does not run"
        return ["nsenter", "--target", first, *(f"--{name}" for name in namespaces), "--"]

    def _first_process(self) -> str | None:
        if self._process is None:
            return None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            return children.read_text().split()[0]
        except (OSError, IndexError):
            return None

    def _run(self, command: Sequence[str], check: bool, timeout: float) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done


@contextmanager
def running(engine: ContainerEngine) -> Iterator[ContainerEngine]:
    """The engine, started, and stopped afterwards."""
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()
