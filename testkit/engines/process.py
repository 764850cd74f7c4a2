"""A server in a process of its own: started, stopped, killed, frozen and started again by tests."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

READY_SECONDS = 120.0
STOP_SECONDS = 30.0


class EngineUnavailableError(Exception):
    """The engine cannot run here; the message says what is missing."""


_WORKERS = 8
_PORTS = range(20_000, 32_000)
"""Below those that systems give to connections: while a server is down, nobody takes its port."""
_anyhow = random.SystemRandom()
_given: set[int] = set()
_launched: "set[ServerProcess]" = set()


def free_port() -> int:
    """A loopback port that nothing listens on, and that is given out once, by this worker of a test run only."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = _anyhow.choice(_PORTS[worker % _WORKERS :: _WORKERS])
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def listens(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kill_all() -> None:
    """End every server that runs. Who needs one again starts it again."""
    for server in list(_launched):
        server.kill()


class ServerProcess(ABC):
    """One server process with a folder of its own; it keeps its port and its data from one start to the next."""

    stop_seconds = STOP_SECONDS
    """How long it may take to stop before it is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What to run."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers."""

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers."""
        if not self.running:
            self.launch()
            self.wait_until_ready()

    def launch(self) -> None:
        """Start its process."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        _launched.add(self)

    def wait_until_ready(self) -> None:
        """Wait until it answers, or else end it."""
        try:
            self.wait_for(self.is_ready, READY_SECONDS)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None
        _launched.discard(self)

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            _launched.discard(self)

    def freeze(self) -> None:
        """Stop it from running while its sockets stay open.

        A process is told to stop and goes on until its threads have seen it, on a busy machine long enough to answer.
        """
        process = self._signal(signal.SIGSTOP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "it ended instead"

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> subprocess.Popen[bytes]:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until the condition holds; fails if the process ends before."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.running:
                raise RuntimeError(f"{type(self).__name__} ended while starting:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{type(self).__name__} was not ready within {seconds:g} s:\n{self._tail()}")
            time.sleep(0.02)  # a server is polled: it has no way to tell us

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
