"""Serving until asked to stop: the pipeline, the server, and a dashboard process for each who looks."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from fintrends_tui.link.port import LinkError, LinkStatus
from fintrends_tui.link.process import PipelineLink
from fintrends_tui.web.admission import TOKEN, Admission
from fintrends_tui.web.server import WebServer
from fintrends_tui.web.terminal import PtyProcess, TerminalSize, environment
from pipeline.aio import first_of
from pipeline.contract.protocol import Add
from pipeline.contract.snapshot import Snapshot
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.storage.statefile import StateFile
from pipeline.system import streams

# -P keeps the working directory off the module path, as for the pipeline.
_VIEWER: Final = (sys.executable, "-P", "-m", "fintrends_tui.web.viewer")
_SHUTDOWN_SECONDS: Final = 10.0


@dataclass(frozen=True)
class WebOptions:
    """`origins` are the addresses that a proxy serves it under; `where` are the flags that say which pipeline it is
    about."""

    host: str
    port: int
    base_path: str
    origins: frozenset[str]
    may_write: bool
    where: Sequence[str]


def token_of(data_dir: DataDir, *, new: bool) -> str:
    """The token of the data directory, which stays the same so that an address goes on working; made if there is none.

    Raises:
        DataDirError: if it cannot be kept.
    """
    data_dir.create()
    file = StateFile(data_dir.web_token, str)
    known = None if new else file.load()
    if known is not None and TOKEN.fullmatch(known):
        return known
    made = secrets.token_urlsafe(32)
    try:
        file.write(made)
    except OSError as error:
        raise DataDirError(f"cannot write {data_dir.web_token}: {error.strerror}; choose another --data-dir") from error
    return made


async def serve(options: WebOptions, link: PipelineLink, token: str, tickers: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl+C; a pipeline that was started here ends with it. The exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)  # a second Ctrl+C leaves at once

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            loop.add_signal_handler(number, ask_to_stop)
    command = [*_VIEWER, *(["--write"] if options.may_write else []), *options.where]

    async def open_viewer(size: TerminalSize) -> PtyProcess:
        return await PtyProcess.start(command, size, environment(os.environ))

    name = f"fintrends-{options.port}"
    server = WebServer(Admission(token, options.origins), open_viewer, base_path=options.base_path, name=name)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, options.host, options.port).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            streams.complain(f"cannot listen on {options.host}, port {options.port}: {why}; choose another with --port")
            return 1
        pipeline = _Attended(link, tickers)
        print(f"{_address(runner, options)}/?token={token}", flush=True)
        await first_of(stop.wait(), pipeline.attend())
        return 1 if pipeline.failed else 0
    finally:
        await runner.cleanup()
        await _leave(link)


async def _leave(link: PipelineLink) -> None:
    """Stop the pipeline if its process is ours, also one that is still starting. The link is connected no more, so that
    it can stop no other."""
    try:
        await link.stop_pipeline()
    except LinkError as error:
        streams.complain(str(error))
    await link.close()


def _address(runner: web.AppRunner, options: WebOptions) -> str:
    """What to open: the proxy's address where there is one."""
    if options.origins:
        return f"{min(options.origins)}{options.base_path}"
    host, port = runner.addresses[0][:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{options.base_path}"


class _Attended:
    """The one pipeline that all dashboards attach to: found or started, and started again should it die."""

    def __init__(self, link: PipelineLink, tickers: Sequence[str]) -> None:
        self._link = link
        self._missing = list(tickers)
        self._adding: asyncio.Task[None] | None = None
        self._was_connected = False
        self._told = ""
        self._over = asyncio.Event()
        self.failed = False
        """Whether there is no pipeline, and never was one."""

    async def attend(self) -> None:
        """Until it is clear that there will be none."""
        await first_of(self._link.run(self._hear_of_link, self._hear), self._over.wait())

    def _hear_of_link(self, status: LinkStatus) -> None:
        if status.state == "connected":
            self._was_connected = True
        elif status.state == "failed" and not self._was_connected:
            self.failed = True
            self._over.set()
        for sentence in (status.note, status.warning):
            if sentence and sentence != self._told:
                self._told = sentence
                streams.remark(sentence)

    def _hear(self, snapshot: Snapshot) -> None:
        """What was asked for on the command line is added to a pipeline that runs without it."""
        if self._missing:
            there = {ticker.ticker for ticker in snapshot.tickers}
            missing, self._missing = [ticker for ticker in self._missing if ticker not in there], []
            if missing:
                self._adding = asyncio.create_task(self._add(missing))

    async def _add(self, tickers: list[str]) -> None:
        try:
            await self._link.ask(Add(tickers))
        except LinkError as error:
            streams.complain(str(error))
