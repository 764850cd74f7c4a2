"""What is done to a pipeline process from outside: its files limited, its control socket misused."""

import contextlib
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

UNLIMITED = resource.RLIM_INFINITY
FULL = 4096
"""The size in bytes beyond which no file can grow: the databases are larger when it takes effect."""

HELLO = b'{"type":"hello","protocol":1,"client":"test","snapshots":true}\n'
GARBAGE = [b"\x00\xff\n", b"GET / HTTP/1.1\r\n\r\n", HELLO + b"{}\n"]
HALF = [HELLO[:20], HELLO + b'{"type":"requ']
TOO_LONG = [b"x" * 600_000, HELLO + b"[" * 600_000]


def limit_files(process: Popen[str], size: int) -> None:
    """No file of the process may grow beyond the size, as on a disk that is full; writing there fails."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, UNLIMITED))


@contextmanager
def clients(path: Path, *firsts: bytes) -> Iterator[None]:
    """A client for each of the texts, which says it, reads nothing and stays."""
    with contextlib.ExitStack() as opened:
        for first in firsts:
            client = opened.enter_context(socket.socket(socket.AF_UNIX))
            # Not `settimeout`: that refuses at once where many wait to be accepted.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 5, 0))
            client.connect(str(path))
            with contextlib.suppress(OSError):  # hung up on in the middle of it
                client.sendall(first)
        yield
