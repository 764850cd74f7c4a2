"""Processes under test: watched closely, and what they stored held against the truth."""

import asyncio
import time
from collections.abc import Callable, Iterable
from subprocess import Popen

from fintrends_tui.link.client import connect
from fintrends_tui.link.port import LinkError
from pipeline.contract.protocol import GetSnapshot
from pipeline.contract.snapshot import Snapshot
from pipeline.model.messages import Bar
from pipeline.storage.datadir import DataDir
from testkit.faults.ledger import Entry, compare
from testkit.product import Product

STOP_SECONDS = 40.0
"""More than `stop_timeout`, on a slow machine."""


def audit(product: Product, bars: Iterable[Bar]) -> Entry:
    """What is stored, held against all the bars that came in; with nothing in `dead_letter`."""
    stored, rows = (product.query(name) for name in ("stock_data", "indicators"))
    assert product.query("dead_letter") == []
    return compare(bars, stored, rows)


def watch(
    product: Product,
    process: Popen[str],
    condition: Callable[[Snapshot], object],
    patience: float = 60.0,
    pause: float = 0.0,
) -> Snapshot | None:
    """The first snapshot that meets the condition, asked for over and over, `pause` seconds apart; None if the pipeline
    ends before."""

    async def look() -> Snapshot | None:
        latest = None
        deadline = time.monotonic() + patience
        while process.poll() is None:
            assert time.monotonic() < deadline, f"not in {patience} s; the last snapshot was {latest}"
            try:
                async with connect(DataDir(product.data_dir).socket) as connection:
                    while True:
                        latest = await connection.ask(GetSnapshot())
                        if condition(latest):
                            return latest
                        assert time.monotonic() < deadline, f"not in {patience} s; the last snapshot was {latest}"
                        await asyncio.sleep(pause)
            except LinkError:
                await asyncio.sleep(0.01)  # not up yet, or gone
        return None

    return asyncio.run(look())


def total(snapshot: Snapshot, collection: str) -> int:
    """Documents written to a collection in this run."""
    return next(view.total for view in snapshot.collections if view.name == collection)


def settled(snapshot: Snapshot) -> bool:
    """Whether everything is done and every service is well."""
    return snapshot.pipeline.idle and all(service.state in ("running", "finished") for service in snapshot.services)
