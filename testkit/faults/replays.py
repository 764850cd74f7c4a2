"""Replays begun so that their middle can be met."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import Popen
from typing import Final

from pipeline.contract.protocol import Add, Remove
from pipeline.contract.snapshot import Snapshot
from testkit.faults.recording import Recording
from testkit.faults.watching import watch
from testkit.product import Product

NOTHING: Final = "NONE"
"""A ticker without a bar."""
SPEED: Final = 2400
"""Times real time: a session takes ten seconds."""
PATIENCE: Final = 90.0


@contextmanager
def replaying(product: Product, recording: Recording, speed: object = SPEED) -> Iterator[Popen[str]]:
    """A pipeline whose replay has just begun.

    It begins with the tickers and not before: a pipeline that still warms up is far behind its source.
    """
    (recording.directory / f"{NOTHING}_1min.csv").write_text("datetime,open,high,low,close,volume\n")
    with product.running(NOTHING, "--source", f"replay:{recording.directory}", "--speed", speed) as process:
        until(product, process, lambda s: s.services and all(service.state == "running" for service in s.services))
        product.ask(Add(recording.tickers))
        product.ask(Remove([NOTHING]))  # a ticker without a bar would be a failure at the end
        yield process


def until(
    product: Product, process: Popen[str], condition: Callable[[Snapshot], object], patience: float = PATIENCE
) -> Snapshot:
    """The first snapshot that meets the condition, asked for at a pace that leaves the engines their share."""
    snapshot = watch(product, process, condition, patience, pause=0.05)
    assert snapshot is not None, "the pipeline has ended"
    return snapshot
