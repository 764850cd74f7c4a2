"""The product as its users run it: by its command line, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("fintrends-tui")
ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """The test's environment without what would change the product's settings."""
    changing = (
        "FINTRENDS_",
        "ALPHA_VANTAGE_",
        "KAFKA_",
        "MONGODB_",
        "REDDIT_",
        "COLUMNS",
        "LINES",
        "XDG_",
        "NO_COLOR",
        "LC_",
        "LANG",
        "PYTHONUTF8",
        "PYTHONDONTWRITEBYTECODE",  # users have it cached
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(changing)} | more


class Product:
    """`fintrends-tui` on one data directory."""

    def __init__(self, directory: Path, *flags: str, **variables: str) -> None:
        """`flags` go with every command, and `variables` are in its environment."""
        self.directory = directory
        self.data_dir = directory / "data"
        self._flags = flags
        self._variables = variables

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *map(str, arguments), "--data-dir", str(self.data_dir), *self._flags],
            cwd=self.directory,
            env=environment(COLUMNS="100", **self._variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @contextmanager
    def started(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """A headless pipeline from its very beginning; killed in the end, unless it has ended."""
        process = self.start(*arguments, "--no-ui")
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()

    @contextmanager
    def running(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """A headless pipeline that answers on its control socket."""
        with self.started(*arguments) as process:
            self.wait_for(lambda status: status["pipeline"]["state"] == "running", process)
            yield process

    def fill(self, *arguments: object) -> None:
        """Let a pipeline run until it has stored market data, and stop it in good order."""
        with self.running(*arguments) as process:
            self.wait_for(lambda s: written(s, "stock_data"), process)
            assert self.run("stop").returncode == 0
            assert process.wait(60) == 0

    def status(self) -> dict[str, Any] | None:
        """The snapshot of the running pipeline, None if none runs."""
        result = self.run("status", "--json")
        if result.returncode not in (0, 1) or not result.stdout:  # it may end while it is asked
            return None
        status: dict[str, Any] = json.loads(result.stdout)
        return status

    def wait_for(
        self, condition: Any, process: subprocess.Popen[str] | None = None, patience: float = 60
    ) -> dict[str, Any]:
        """The first snapshot that meets the condition."""
        deadline = time.monotonic() + patience
        status = None
        while time.monotonic() < deadline:
            assert process is None or process.poll() is None, "the pipeline has ended"
            status = self.status()
            if status is not None and condition(status):
                return status
        raise AssertionError(f"not in {patience} s; the last status was {status}")

    def query(self, *arguments: object) -> list[dict[str, Any]]:
        result = self.run("query", *arguments, "--format", "json")
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]


def written(status: dict[str, Any], collection: str = "") -> int:
    """How many documents this run has written, to one collection or to all."""
    return sum(view["total"] for view in status["collections"] if collection in ("", view["name"]))


def documents(status: dict[str, Any], collection: str) -> int:
    """How many documents the collection holds."""
    return next(view["documents"] or 0 for view in status["collections"] if view["name"] == collection)
