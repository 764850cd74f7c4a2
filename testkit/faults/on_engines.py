"""Replays on real engines, held against the truth in the end."""

from collections.abc import Sequence
from itertools import count
from subprocess import Popen
from typing import Final

from pipeline.contract.snapshot import Snapshot
from pipeline.model.messages import Bar
from testkit.faults.ledger import Entry
from testkit.faults.replays import PATIENCE, until
from testkit.faults.watching import audit, settled
from testkit.product import Product

ENGINES: Final = "Kafka, SecantusDB"
"""What the table calls them."""
SESSION_SECONDS: Final = 4.0
IMPATIENT: Final = {
    "FINTRENDS_SUPERVISOR__BACKOFF_INITIAL": "0.1",
    "FINTRENDS_SUPERVISOR__BACKOFF_MAX": "0.5",
    "FINTRENDS_KAFKA__SESSION_TIMEOUT": str(SESSION_SECONDS),
    "FINTRENDS_KAFKA__REQUEST_TIMEOUT": str(SESSION_SECONDS),
    "FINTRENDS_MONGODB__REQUEST_TIMEOUT": str(SESSION_SECONDS),
}
"""Environment of a pipeline that soon tells of an outage, and soon looks again whether it is over."""
_numbers = count()
_LEAKS: Final = ("Traceback", "was never retrieved", "was destroyed but it is pending", "never awaited", "Unclosed")


def unused_tickers(number: int) -> list[str]:
    """Tickers that no other test uses, for topics outlive tests."""
    return [f"F{next(_numbers)}" for _ in range(number)]


def finish(product: Product, process: Popen[str], bars: Sequence[Bar]) -> tuple[Entry, Snapshot]:
    """Wait until all is done, stop gracefully, and hold the store against the bars; also the last snapshot."""
    last = until(product, process, settled)
    product.stop()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    for text in (errors, log_of(product)):
        assert not any(leak in text for leak in _LEAKS), text
    return audit(product, bars), last


def log_of(product: Product) -> str:
    return "".join(path.read_text() for path in sorted((product.data_dir / "logs").iterdir()))


def faults_of_our_own(product: Product) -> list[str]:
    """What the log says of services that failed on something else than the world outside; an engine on a machine that
    has no time for it may be away for a moment."""
    own = (" failed, next try in ", " raised an unexpected error", " has failed and is not tried again ")
    return [line for line in log_of(product).splitlines() if any(words in line for words in own)]


def missed(snapshot: Snapshot, names: Sequence[str]) -> bool:
    """Whether a service backs off and says which of the engines it lacks."""
    return any(
        service.state == "backing off" and name in (service.error or "")
        for service in snapshot.services
        for name in names
    )
