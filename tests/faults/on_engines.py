"""Replays on real engines: begun so that their middle can be met, and held against the truth in the end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from subprocess import Popen
from typing import Final

from pipeline.messages import Bar
from pipeline.snapshot import Snapshot
from tests.e2e.run import Product
from tests.faults.ledger import Entry
from tests.faults.recording import Recording
from tests.faults.watching import audit, settled, watch

ENGINES: Final = "Kafka, SecantusDB"
"""What the table calls them."""
NOTHING: Final = "NONE"
"""A ticker without a bar."""
SPEED: Final = 2400
"""Times real time: a session takes ten seconds."""
PATIENCE: Final = 90.0
_numbers = count()
_LEAKS: Final = ("Traceback", "was never retrieved", "was destroyed but it is pending", "never awaited", "Unclosed")


def unused_tickers(number: int) -> list[str]:
    """Tickers that no other test uses, for topics outlive tests."""
    return [f"F{next(_numbers)}" for _ in range(number)]


@contextmanager
def replaying(product: Product, recording: Recording, speed: object = SPEED) -> Iterator[Popen[str]]:
    """A pipeline whose replay has just begun.

    It begins with the tickers and not before: a pipeline that still warms up is far behind its source.
    """
    (recording.directory / f"{NOTHING}_1min.csv").write_text("datetime,open,high,low,close,volume\n")
    with product.running(NOTHING, "--source", f"replay:{recording.directory}", "--speed", speed) as process:
        until(product, process, lambda s: s.services and all(service.state == "running" for service in s.services))
        assert product.run("add", *recording.tickers).returncode == 0
        yield process


def until(
    product: Product, process: Popen[str], condition: Callable[[Snapshot], object], patience: float = PATIENCE
) -> Snapshot:
    """The first snapshot that meets the condition, asked for at a pace that leaves the engines their share."""
    snapshot = watch(product, process, condition, patience, pause=0.05)
    assert snapshot is not None, "the pipeline has ended"
    return snapshot


def finish(product: Product, process: Popen[str], bars: Sequence[Bar]) -> tuple[Entry, Snapshot]:
    """Wait until all is done, stop in good order, and hold the store against the bars; also the last snapshot."""
    last = until(product, process, settled)
    assert product.run("stop").returncode == 0
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    for text in (errors, log_of(product)):
        assert not any(leak in text for leak in _LEAKS), text
    return audit(product, bars), last


def log_of(product: Product) -> str:
    return "".join(path.read_text() for path in sorted((product.data_dir / "logs").iterdir()))


def missed(snapshot: Snapshot, names: Sequence[str]) -> bool:
    """Whether a service backs off and says which of the engines it lacks."""
    return any(
        service.state == "backing off" and name in (service.error or "")
        for service in snapshot.services
        for name in names
    )
