"""A dashboard process in a terminal of its own, whose other end is here."""

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Self

_CHUNK: Final = 64 * 1024
_GONE_SECONDS: Final = 6.0
"""What a dashboard has to end in once its terminal has gone; it gives itself less."""
_KEPT_OUT: Final = ("COLORFGBG", "COLUMNS", "LINES", "LC_ALL", "LC_CTYPE", "NO_COLOR", "TERM_PROGRAM", "TEXTUAL_DRIVER")
"""What describes the terminal that the server was started in."""


class TerminalSize(NamedTuple):
    columns: int
    lines: int

    @classmethod
    def within_reason(cls, columns: int, lines: int) -> Self:
        """What the browser says, so that no size costs a process its memory."""
        return cls(min(max(columns, 20), 500), min(max(lines, 5), 300))


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """That of the server, and of a terminal as the browser's is: in UTF-8 and all colours."""
    kept = {name: value for name, value in environ.items() if name not in _KEPT_OUT}
    return kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}


class PtyProcess:
    """A process whose terminal is read and written here. When it is closed, the process is hung up."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self._process = process
        self._master = master
        self._reader: asyncio.StreamReader
        self._output: asyncio.BaseTransport
        self._input: asyncio.StreamWriter

    @classmethod
    async def start(cls, command: Sequence[str], size: TerminalSize, environ: Mapping[str, str]) -> Self:
        """Start the command, which has to make its standard input its controlling terminal.

        Raises:
            OSError: if it cannot be started.
        """
        master, slave = pty.openpty()
        try:
            _set_size(master, size)
            process = await asyncio.create_subprocess_exec(
                *command, stdin=slave, stdout=slave, stderr=slave, env=dict(environ), start_new_session=True
            )
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        started = cls(process, master)
        await started._open()
        return started

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(limit=_CHUNK)
        self._output, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), os.fdopen(self._master, "rb", buffering=0)
        )
        writing = os.fdopen(os.dup(self._master), "wb", buffering=0)
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, writing)
        self._input = asyncio.StreamWriter(transport, protocol, None, loop)

    async def read(self) -> bytes:
        """What it has drawn; b"" once it has ended. Not to be read is what holds it up."""
        try:
            return await self._reader.read(_CHUNK)
        except OSError:  # EIO: nobody has the other end any more
            return b""

    async def write(self, data: bytes) -> None:
        """Type."""
        with contextlib.suppress(OSError):
            self._input.write(data)
            await self._input.drain()

    def resize(self, size: TerminalSize) -> None:
        with contextlib.suppress(OSError):
            _set_size(self._master, size)

    async def close(self, patience: float = _GONE_SECONDS) -> int:
        """Hang up, and wait until the process has ended, which is killed after `patience` seconds; its exit status."""
        self._input.close()
        self._output.close()
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        return self._process.returncode or 0


def _set_size(descriptor: int, size: TerminalSize) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", size.lines, size.columns, 0, 0))
