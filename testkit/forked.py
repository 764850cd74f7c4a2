"""Commands forked from a process that has their imports behind it: these are most of what a short run costs.

All else is as in `fintrends-tui`: a process with a working directory, environment, arguments and streams of its own,
that can be killed. How the product is started by its users is for tests with `testkit.product.Product` to say.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

from testkit.product import Product, environment

_context = multiprocessing.get_context("forkserver")
# The main module too, which multiprocessing would have each process import.
_context.set_forkserver_preload(["__main__", "testkit.preloaded"])


class Forked:
    """A process that runs the command line; as much of `subprocess.Popen` as tests use."""

    def __init__(self, arguments: Sequence[str], directory: Path, environ: Mapping[str, str]) -> None:
        self.args = arguments
        self._streams = [tempfile.NamedTemporaryFile("r", encoding="utf-8") for _ in range(2)]  # noqa: SIM115
        self._process: BaseProcess = _context.Process(
            target=_run, args=(arguments, directory, dict(environ), [s.name for s in self._streams]), daemon=True
        )
        self._process.start()
        self._said = ("", "")

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status.

        Raises:
            subprocess.TimeoutExpired
        """
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has said on stdout and stderr, once it has ended.

        Raises:
            subprocess.TimeoutExpired
        """
        self.wait(timeout)
        if not self._streams[0].closed:
            out, err = (stream.read() for stream in self._streams)
            self._said = out, err
            for stream in self._streams:
                stream.close()
        return self._said

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkedProduct(Product):
    """The product whose commands are forked."""

    def start(self, *arguments: object, **options: Any) -> Any:
        changed = [name for name in self._variables if name.startswith(("LANG", "LC_", "PYTHON"))]
        if options or changed:  # what is settled before Python runs takes a process that is started
            return super().start(*arguments, **options)
        words = [*map(str, arguments), "--data-dir", str(self.data_dir), *self._flags]
        return Forked(words, self.directory, environment(COLUMNS="100", **self._variables))


def _run(arguments: Sequence[str], directory: Path, environ: Mapping[str, str], streams: Sequence[str]) -> None:
    from fintrends_tui.__main__ import main

    for number, path in enumerate([os.devnull, *streams]):
        opened = os.open(path, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    os.execv = _go_on  # type: ignore[assignment]
    sys.argv = ["fintrends-tui", *arguments]
    main()


def _go_on(_: str, command: Sequence[str]) -> NoReturn:
    """Become the pipeline, as the command line does by `exec`, which would throw the imports away."""
    from fintrends_tui.link.process import PIPELINE
    from pipeline.__main__ import main

    assert tuple(command[: len(PIPELINE)]) == PIPELINE
    sys.argv = ["pipeline", *command[len(PIPELINE) :]]
    main()
    sys.exit()
