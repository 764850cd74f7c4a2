"""How far a command has come, on a terminal."""

import contextlib
import os
import sys
import time
from typing import Final, TextIO

from pipeline.system.streams import encoded

_PERIOD: Final = 0.1
"""Seconds from one look to the next."""


def is_terminal(stream: TextIO) -> bool:
    """Whether a line on it can be written anew."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def bar(done: int, total: int) -> str:
    """Such as ``[####......] 40 %``; `total` is above 0."""
    done = min(done, total)
    return f"[{'#' * (10 * done // total):.<10}] {100 * done // total} %"


class ProgressLine:
    """A line that shows how many of so many are done. What the stream does not take is not shown."""

    def __init__(self, total: int, what: str, stream: TextIO | None = None) -> None:
        self._total = total
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._shown = -_PERIOD

    def show(self, done: int) -> None:
        """Seldom enough to cost nothing."""
        now = time.monotonic()
        if self._total and now - self._shown >= _PERIOD:
            self._shown = now
            self._write(f"\r\x1b[K{bar(done, self._total)} of {self._total:,} {self._what}")

    def clear(self) -> None:
        """Take the line away again."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(encoded(text, self._stream).decode(self._stream.encoding or "ascii"))
            self._stream.flush()
