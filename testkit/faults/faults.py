"""What can befall an engine while a pipeline runs on it."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from pipeline.bus.kafka_options import SESSION_TIMEOUT_MS
from tests.engines.process import ServerProcess

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


def frozen(servers: Sequence[ServerProcess], told: Told) -> None:
    """Stopped with its connections open, longer than a group waits for the heartbeat of a member."""
    for server in servers:
        server.freeze()
    until = time.monotonic() + 1.2 * SESSION_TIMEOUT_MS / 1000
    try:
        told(lambda: time.monotonic() > until)
    finally:
        for server in servers:
            server.thaw()
