"""What can befall an engine while a pipeline runs on it."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from testkit.engines.process import ServerProcess

Told = Callable[[Callable[[], bool]], object]
"""Waits until the pipeline says of an engine that it misses it, and the given condition holds besides."""


class Fault(Protocol):
    def __call__(self, servers: Sequence[ServerProcess], told: Told) -> None:
        """Do it to the servers, wait until the pipeline has told the truth about it, and undo it."""


def killed(servers: Sequence[ServerProcess], told: Told) -> None:
    """`kill -9`, and a start on the same data and port."""
    for server in servers:
        server.kill()
    told(lambda: True)
    for server in servers:
        server.start()


def frozen(session: float) -> Fault:
    """Stopped with its connections open, longer than the `session` seconds that a group waits for a heartbeat."""

    def freeze(servers: Sequence[ServerProcess], told: Told) -> None:
        for server in servers:
            server.freeze()
        until = time.monotonic() + 1.2 * session
        try:
            told(lambda: time.monotonic() > until)
        finally:
            for server in servers:
                server.thaw()

    return freeze
