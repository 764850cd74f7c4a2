"""A terminal for the product under test: a pty whose screen can be read, typed at, resized and taken away."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyte

from testkit.product import COMMAND, environment

_CLEANUP = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l")
"""What a screen must send before it leaves: main buffer, cursor shown, mouse off."""


class Terminal:
    """The dashboard in a pty of its own."""

    def __init__(
        self,
        directory: Path,
        *arguments: object,
        columns: int = 140,
        lines: int = 45,
        command: Sequence[object] = (COMMAND,),
        **variables: str,
    ) -> None:
        """`variables` are of the environment, beside those of a terminal that can show everything."""
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._lines: list[str] = []
        self.output = bytearray()
        self.master, slave = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            [*map(str, command), *map(str, arguments)],
            cwd=directory,
            env=environment(**{"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | variables),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    @property
    def text(self) -> str:
        """The screen's lines. Only those that have changed are read anew: all of them take as long as a frame."""
        screen = self.screen
        if len(self._lines) != screen.lines:
            self._lines = [""] * screen.lines
            screen.dirty.update(range(screen.lines))
        for y in screen.dirty:
            if y < screen.lines:
                row = screen.buffer[y]
                self._lines[y] = "".join(row[x].data for x in range(screen.columns))
        screen.dirty.clear()
        return "\n".join(self._lines)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)
        self._lines = []

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, seconds: float = 0.05, *, again: float = 0) -> None:
        """Take in what the program writes; see `chunks`."""
        for data in self.chunks(seconds, again=again):
            self.show(data)

    def chunks(self, seconds: float, *, again: float = 0) -> Iterator[bytes]:
        """What the program writes, as it comes; ends where nothing comes within the time, or no more `again`."""
        while select.select([self.master], [], [], seconds)[0]:
            try:
                yield os.read(self.master, 65536)
            except OSError:
                return
            seconds = again

    def show(self, data: bytes) -> None:
        """Draw what the program has written."""
        self.output += data
        self._stream.feed(data)

    def wait_for(self, condition: Callable[[str], object], patience: float = 30) -> str:
        """The screen's text once it meets the condition."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self.read()
            if condition(text := self.text):
                return text
        raise AssertionError(f"not in {patience} s; the screen is\n{self.text}")

    def wait_for_end(self, patience: float = 60) -> int:
        """The exit status once the program has ended."""
        deadline = time.monotonic() + patience
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"still running; the screen is\n{self.text}")
            self.read()
        self.read(0.2, again=0.1)
        return self.process.returncode

    def check_restored(self) -> None:
        """The terminal is as it was before the program ran."""
        assert termios.tcgetattr(self._slave)[:4] == self.before[:4]
        tail = self.output.decode("utf-8", "replace")
        for sequence in _CLEANUP:
            assert sequence in tail, repr(sequence)
        assert "Traceback" not in tail

    def hang_up(self) -> None:
        """Take the terminal away, as a dropped ssh connection does."""
        os.close(self._slave)
        os.close(self.master)
        self.master = self._slave = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for descriptor in (self.master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
