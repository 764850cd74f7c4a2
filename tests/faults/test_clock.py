"""The time of day jumps: what is measured does not.

Only what asks the injected `Clock` can be tested so. The entry of records (`ingested`, their delay) and the meters of
the sink ask the machine; delays that come out negative are left out, and the meters use a clock that never jumps.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fintrends_tui.link.port import LinkStatus
from fintrends_tui.state import format as fmt
from fintrends_tui.state.troubles import troubles
from fintrends_tui.state.view import View
from fintrends_tui.status import describe
from pipeline.config.settings import SupervisorSettings
from pipeline.contract.snapshot import ServiceView, Snapshot
from pipeline.model.documents import Document
from pipeline.store.base import StoreError, UpsertResult
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.supervision.supervisor import STEADY, Context, Service, Supervisor
from testkit.fakes import FakeClock
from testkit.faults.inside import TurnedClock, running
from testkit.faults.ledger import Ledger
from testkit.faults.recording import record
from testkit.faults.watching import settled, total

HOUR = timedelta(hours=1)
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])


class FailingStore(EmbeddedStore):
    """Refuses to write once it has been given so many documents, until it is `mended`."""

    capacity = 100
    mended = False

    async def upsert(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        self.capacity -= len(documents)
        if self.capacity < 0 and not self.mended:
            raise StoreError("the store is out of order")
        return await super().upsert(collection, documents)


@JUMPS
async def test_a_pipeline_goes_on(tmp_path: Path, ledger: Ledger, jump: timedelta) -> None:
    recording = record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=400)
    clock = TurnedClock()
    async with running(tmp_path, recording, speed=6000, clock=clock, store=FailingStore) as inside:
        assert isinstance(inside.store, FailingStore)
        await inside.wait_for(lambda snapshot: total(snapshot, "stock_data") or _sink(snapshot).error)
        clock.turned = jump
        snapshot = await inside.wait_for(lambda s: sane(s) and _sink(s).state == "backing off")
        assert 0 <= (_sink(snapshot).retry_in or 0) <= 30
        assert any("out of order" in trouble.what for trouble in troubles(_view(snapshot)))
        inside.store.mended = True
        clock.turned = -jump
        await inside.wait_for(lambda s: sane(s) and settled(s))
        ledger.enter("clock turned by an hour, twice", await inside.audit(recording))


def _sink(snapshot: Snapshot) -> ServiceView:
    return next(service for service in snapshot.services if service.name == "sink")


def _view(snapshot: Snapshot) -> View:
    return View(LinkStatus("connected", ""), snapshot, now=int(snapshot.at))


def sane(snapshot: Snapshot) -> bool:
    """True; fails when anything that is measured, or shown of it, is negative."""
    measured = [service.rate for service in snapshot.services]
    measured += [service.retry_in or 0 for service in snapshot.services]
    measured += [collection.per_second for collection in snapshot.collections]
    measured += [delay for c in snapshot.collections for delay in (c.delay_p50_ms, c.delay_p99_ms) if delay is not None]
    measured += [topic.rate for topic in snapshot.topics]
    measured += [group.lag for topic in snapshot.topics for group in topic.groups]
    assert min(measured) >= 0
    shown = [trouble.what for trouble in troubles(_view(snapshot))]
    shown += [fmt.age(service.since, snapshot.at) for service in snapshot.services]
    shown += [fmt.age(ticker.updated_at, snapshot.at) for ticker in snapshot.tickers]
    shown += [line for line in describe(snapshot).splitlines() if not line.startswith("source")]
    assert not [text for text in shown if re.search(r"(^|\s)-\d", text)]
    return True


class TurnedFake(FakeClock):
    """Stands still as well; `turned` moves the time of day alone."""

    turned = timedelta()

    def now(self) -> datetime:
        return super().now() + self.turned


class Failing:
    """A service that fails when told to."""

    def __init__(self) -> None:
        self.failures = 0

    async def run(self, context: Context) -> None:
        context.ready()
        if self.failures:
            self.failures -= 1
            raise StoreError("out of order")
        await context.stopping.wait()


@JUMPS
async def test_what_is_well_again_is_told_by_time_passed(jump: timedelta) -> None:
    clock, work = TurnedFake(), Failing()
    supervisor = Supervisor(SupervisorSettings(backoff_initial=1, backoff_max=1), clock)
    work.failures = 1
    supervisor.add("it", "sink", work.run)
    service: Service = supervisor.services[0]
    await clock.advance(2)
    assert service.state == "running"
    assert service.view().failing_since is not None
    clock.turned = jump
    assert service.view().failing_since is not None  # it runs for two seconds, whatever the time of day
    await clock.advance(STEADY)
    assert service.view().failing_since is None
    assert await supervisor.stop(5)
