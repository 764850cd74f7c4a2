"""The product as its users run it: by its command line, in processes of its own."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from cyclopts import App

from fintrends_tui.link.client import connect
from fintrends_tui.link.port import LinkError
from pipeline.config.cli_options import WHERE_DEFAULTS
from pipeline.config.settings import Loaded
from pipeline.config.where import Where
from pipeline.contract.protocol import Command, GetSnapshot, Stop
from pipeline.engines import open_store_to_read
from pipeline.ops import query as queries
from pipeline.storage.datadir import DataDir
from pipeline.store.base import Query

COMMAND = Path(sys.executable).with_name("fintrends-tui")
ROOT = Path(__file__).parents[1]
_PAUSE: Final = 0.05
"""Seconds between two looks, which leave the processes under test their share of the machine."""


def environment(**more: str) -> dict[str, str]:
    """The test's environment without what would change the product's settings. The source is the simulator, or that of
    the key among `more`, unless a test says otherwise: no provider can be reached from a test. Forecasts are off,
    which few tests are about."""
    changing = (
        "FINTRENDS_",
        "ALPHA_VANTAGE_",
        "FRED_",
        "FINNHUB_",
        "APCA_",
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
    kept = {name: value for name, value in os.environ.items() if not name.startswith(changing)}
    source = "alpha_vantage" if "ALPHA_VANTAGE_API_KEY" in more else "simulator"
    return kept | {"FINTRENDS_PIPELINE__SOURCE": source, "FINTRENDS_FORECASTS__ENABLED": "false"} | more


class Product:
    """`fintrends-tui` on one data directory."""

    def __init__(self, directory: Path, *flags: str, **variables: str) -> None:
        """`flags` go with every command, and `variables` are in its environment."""
        self.directory = directory
        self.data_dir = directory / "data"
        self._flags = flags
        self._variables = variables

    def set(self, **variables: str) -> None:
        """Have these in the environment of every command from now on."""
        self._variables |= variables

    def beside(self, directory: Path) -> Self:
        """Another one with the same flags and environment, on a data directory of its own."""
        directory.mkdir()
        return type(self)(directory, *self._flags, **self._variables)

    def option(self, name: str) -> str:
        """What follows the name among the flags."""
        return self._flags[self._flags.index(name) + 1]

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
        """Let a pipeline run until it has stored market data, and stop it gracefully."""
        with self.running(*arguments) as process:
            self.wait_for(lambda s: written(s, "stock_data"), process)
            self.stop()
            assert process.wait(60) == 0

    def ask(self, command: Command) -> Any:
        """What the running pipeline answers on its control socket.

        Tests of other things than the command line ask here: a command is a process, and takes a second to start.

        Raises:
            LinkError: see `ControlConnection.ask`. NotRunningError: if none runs.
        """

        async def ask() -> Any:
            async with connect(DataDir(self.data_dir).socket) as connection:
                return await connection.ask(command)

        return _elsewhere(ask())

    def stop(self, patience: float = 90) -> None:
        """Stop the running pipeline, as `stop` does: until it owns the data directory no more.

        Raises:
            NotRunningError: if none runs.
        """
        self.ask(Stop())
        deadline = time.monotonic() + patience
        while DataDir(self.data_dir).is_owned:
            assert time.monotonic() < deadline, f"it still runs after {patience} s"
            time.sleep(0.01)

    def status(self) -> dict[str, Any] | None:
        """The snapshot of the running pipeline as `status --json` prints it, None if none runs."""
        try:
            snapshot: dict[str, Any] = msgspec.to_builtins(self.ask(GetSnapshot()))
            return snapshot
        except LinkError:  # not up yet, or it ends while it is asked
            return None

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
            time.sleep(_PAUSE)
        raise AssertionError(f"not in {patience} s; the last status was {status}")

    def query(
        self, collection: str, ticker: str | None = None, *, interval: str | None = None, last: int | None = None
    ) -> list[dict[str, Any]]:
        """What `query COLLECTION TICKER --last 0 --format json` prints; read in this process.

        Raises:
            StoreError: if there is no store.
        """
        loaded = self._loaded()
        wanted = Query(collection, ticker=ticker, interval=interval, last=last)

        async def look() -> list[dict[str, Any]]:
            async with open_store_to_read(loaded) as store:
                return await queries.find(store, wanted, "json")

        printed = io.StringIO()
        queries.write(_elsewhere(look()), "json", loaded.settings.indicators.zone, printed)
        printed.seek(0)
        return [json.loads(line) for line in printed]

    def _loaded(self) -> Loaded:
        """The settings of a command."""
        where: Where = _where([*self._flags, "--data-dir", str(self.data_dir)])
        config = self.directory / "config.toml"
        if where.config is None and config.exists():
            where = replace(where, config=config)
        return where.load(environment(**self._variables))


_where = App(result_action="return_value")


@_where.default
def _flags(*, where: Where = WHERE_DEFAULTS) -> Where:
    return where


def _elsewhere[T](work: Coroutine[None, None, T]) -> T:
    """In an event loop and a thread of its own, for who asks may be running a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def written(status: dict[str, Any], collection: str = "") -> int:
    """How many documents this run has written, to one collection or to all."""
    return sum(view["total"] for view in status["collections"] if collection in ("", view["name"]))


def documents(status: dict[str, Any], collection: str) -> int:
    """How many documents the collection holds."""
    return next(view["documents"] or 0 for view in status["collections"] if view["name"] == collection)
