"""Starting a pipeline as a process of its own, and the link that keeps a screen connected to it."""

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from fintrends_tui.link.client import ControlConnection, NotRunningError, connect
from fintrends_tui.link.port import LinkError, LinkStatus
from pipeline.contract.protocol import Command, Stop
from pipeline.contract.snapshot import Snapshot
from pipeline.model.text import clean
from pipeline.storage.datadir import DataDir, DataDirError

# -P keeps the working directory off the module path: a `pipeline` folder of the user's must not run instead of ours.
PIPELINE: Final = (sys.executable, "-P", "-m", "pipeline")

_ERRORS_NAME: Final = "pipeline.err"
_STOP_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 0.1
_POLL_SECONDS: Final = 0.05
_RESTART_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)


def become_pipeline(arguments: Sequence[str]) -> NoReturn:
    """Hand over to the package that knows the engines; this one never imports them."""
    sys.stdout.flush()
    os.execv(PIPELINE[0], [*PIPELINE, *arguments])  # noqa: S606


class PipelineLink:
    """Finds the pipeline of a data directory or starts one, and stays connected to it.

    `arguments`, `settings` and `tickers` are for a pipeline that it starts; a warning says that a running one ignores
    the `settings`. A pipeline that dies is started again; one that cannot start at all, or that was stopped, is not.
    A link that `starts` none waits until there is one.
    """

    def __init__(
        self,
        data_dir: DataDir,
        arguments: Sequence[str],
        tickers: Sequence[str],
        settings: Sequence[str] = (),
        *,
        starts: bool = True,
    ) -> None:
        self.started_here = False
        self._data_dir = data_dir
        self._arguments = [*arguments, *settings]
        self._unheeded = shlex.join(settings)
        self._tickers = list(tickers)
        # Not asyncio's: that one kills the child when the event loop ends, and a detached pipeline has to live on.
        self._starts = starts
        self._child: subprocess.Popen[bytes] | None = None
        self._connection: ControlConnection | None = None
        self._closed = asyncio.Event()
        self._attached = False
        self._stopping = False
        self._deaths = 0
        self._words = ""

    async def run(self, on_status: Callable[[LinkStatus], None], on_snapshot: Callable[[Snapshot], None]) -> None:
        def hear(snapshot: Snapshot) -> None:
            # For one that is started again: the configuration's tickers would go before the remembered ones.
            self._tickers = [ticker.ticker for ticker in snapshot.tickers]
            on_snapshot(snapshot)

        on_status(LinkStatus("connecting", "looking for a running pipeline…"))
        while not self._closed.is_set():
            try:
                async with connect(self._data_dir.socket, hear) as connection:
                    await self._stay(connection, on_status)
            except NotRunningError:
                try:
                    await self._ensure_process(on_status)
                except (OSError, DataDirError) as error:
                    on_status(LinkStatus("failed", f"cannot start the pipeline: {error}"))
                    await self._closed.wait()
            except LinkError as error:
                on_status(LinkStatus("failed", str(error)))
                await self._pause(5.0)

    async def ask(self, command: Command) -> Any:
        if self._connection is None:
            raise LinkError("not connected to the pipeline yet")
        return await self._connection.ask(command)

    async def stop_pipeline(self) -> None:
        self._stopping = True
        if self._connection is not None:
            await self._connection.ask(Stop())
        elif self._child is not None and self._child.poll() is None:
            self._child.terminate()  # not listening yet
        if self._child is not None:
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    while self._child.poll() is None:  # noqa: ASYNC110 - a process sets no event
                        await asyncio.sleep(_POLL_SECONDS)
            except TimeoutError:
                raise LinkError(f"the pipeline (pid {self._child.pid}) is still running after a minute") from None
        await self.close()

    def end_process(self, patience: float) -> None:
        """End the process that this link has started, if it still runs, by force after `patience` seconds. Blocks: it
        is for when the event loop is no more."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(patience)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    async def close(self) -> None:
        self._closed.set()

    async def _stay(self, connection: ControlConnection, on_status: Callable[[LinkStatus], None]) -> None:
        self._connection = connection
        self._attached = True
        self._deaths = 0
        self.started_here = self._child is not None and self._child.pid == connection.pid
        try:
            how = "started" if self.started_here else "attached to"
            warning = ""
            if self._unheeded and not self.started_here:
                warning = f"The pipeline runs already, as it was started: {self._unheeded} changes nothing."
            self._unheeded = ""
            on_status(LinkStatus("connected", f"{how} the pipeline (pid {connection.pid})", warning))
            waiters = [asyncio.create_task(event.wait()) for event in (connection.closed, self._closed)]
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            for waiter in waiters:
                waiter.cancel()
        finally:
            self._connection = None
        if not (self._closed.is_set() or self._stopping):
            on_status(LinkStatus("lost", "the connection to the pipeline is lost; trying again…"))

    async def _ensure_process(self, on_status: Callable[[LinkStatus], None]) -> None:
        """Start a process where there is none and never was one, or where ours died; otherwise wait a little."""
        child = self._child
        if self._stopping:
            await self._pause(_RETRY_SECONDS)
        elif not self._starts:
            if not self._attached:
                on_status(LinkStatus("connecting", "no pipeline runs here yet; waiting for one…"))
            await self._pause(_RETRY_SECONDS * 10)
        elif child is None and not self._attached:
            self._start(on_status)
        elif child is not None and (status := child.poll()) is not None:
            await self._after_exit(child.pid, status, on_status)
        else:
            await self._pause(_RETRY_SECONDS if child else 1.0)

    async def _after_exit(self, pid: int, status: int, on_status: Callable[[LinkStatus], None]) -> None:
        if status == 0:
            on_status(LinkStatus("lost", "the pipeline was stopped; press q to leave, or start it again"))
            await self._pause(1.0)
        elif not self.started_here:
            self._words = self._words or self._last_words() or f"the pipeline ended at once, with status {status}"
            self._data_dir.discard_unused()
            on_status(LinkStatus("failed", self._words))
            await self._pause(1.0)
        else:
            delay = _RESTART_SECONDS[min(self._deaths, len(_RESTART_SECONDS) - 1)]
            self._deaths += 1
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            on_status(LinkStatus("lost", f"the pipeline (pid {pid}) {how}; starting it again in {delay:g} s"))
            await self._pause(delay)
            if not self._closed.is_set():
                self._start(on_status)

    def _start(self, on_status: Callable[[LinkStatus], None]) -> None:
        self._data_dir.create()
        descriptor = os.open(self._errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._child = subprocess.Popen(  # noqa: S603
                [*PIPELINE, *self._tickers, *self._arguments, "--quiet"],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,  # a lost terminal is not the pipeline's business
            )
        finally:
            os.close(descriptor)
        on_status(LinkStatus("starting", f"starting the pipeline (pid {self._child.pid})…"))

    @property
    def _errors(self) -> Path:
        return self._data_dir.path / _ERRORS_NAME

    def _last_words(self) -> str:
        """The last line that the process wrote before it ended."""
        try:
            lines = self._errors.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return clean(lines[-1], 500).removeprefix("fintrends-tui: ") if lines else ""

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            pass
