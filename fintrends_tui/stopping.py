"""Stopping a pipeline from a command line, and saying meanwhile what is waited for."""

import asyncio
import contextlib
import sys
import time
from typing import Final, TextIO

from fintrends_tui.link.client import connect
from fintrends_tui.link.port import LinkError
from fintrends_tui.state.stopping import StopProgress
from pipeline.contract.protocol import Stop
from pipeline.contract.snapshot import Snapshot
from pipeline.model.text import drawn
from pipeline.ops.progress import is_terminal
from pipeline.storage.datadir import DataDir
from pipeline.system.streams import encoded

_LOOK_SECONDS: Final = 0.05
_LINE_SECONDS: Final = 5.0
"""Between two lines where they cannot be written anew."""


async def stop_and_wait(data_dir: DataDir, patience: float = 60.0, stream: TextIO | None = None) -> int:
    """Stop the pipeline that runs there, and wait for the end of its process; its number. What it waits for is written
    to the stream, by default the standard error.

    Raises:
        NotRunningError: if none runs. LinkError: if it has not ended after `patience` seconds.
    """
    line = _Line(sys.stderr if stream is None else stream)
    async with connect(data_dir.socket, line.hear) as connection:
        await connection.ask(Stop())
        deadline = time.monotonic() + patience
        try:
            while data_dir.is_owned:
                if time.monotonic() > deadline:
                    raise LinkError(
                        f"the pipeline (pid {connection.pid}) still runs after {patience:g} seconds; its log says why"
                    )
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            line.clear()
        return connection.pid


class _Line:
    """What is waited for: one line of a terminal, elsewhere a line now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = is_terminal(stream)
        self._progress = StopProgress()
        self._written_at = time.monotonic()

    def hear(self, snapshot: Snapshot) -> None:
        if snapshot.pipeline.state != "stopping":
            return
        sentence = drawn(self._progress.told(snapshot))
        if self._is_terminal:
            self._write(f"\r\x1b[K{sentence[:200]}")
        elif time.monotonic() - self._written_at >= _LINE_SECONDS:
            self._written_at = time.monotonic()
            self._write(f"{sentence}\n")

    def clear(self) -> None:
        if self._is_terminal:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(encoded(text, self._stream).decode(self._stream.encoding or "ascii"))
            self._stream.flush()
