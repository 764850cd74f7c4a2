"""Engines are away for longer than any number of tries would last: everything goes on by itself when they are back.

The embedded ones are away when their files are. The clock of the pipeline goes 120 times as fast as the machine's.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from fintrends_tui.link.client import connect
from fintrends_tui.state.troubles import troubles
from fintrends_tui.state.view import View
from fintrends_tui.status import describe, is_healthy
from pipeline.config.settings import SupervisorSettings
from pipeline.contract.protocol import Add, GetHistory, GetMessages, Load
from pipeline.contract.snapshot import Snapshot
from pipeline.runtime import RunOptions
from testkit.engines.kafka import KafkaServer
from testkit.engines.mongo import MongoServer
from testkit.engines.process import free_port
from testkit.faults.inside import FastClock, Inside, running
from testkit.faults.ledger import Ledger
from testkit.faults.on_engines import ENGINES, IMPATIENT, finish, log_of, missed
from testkit.faults.recording import Recording, record
from testkit.faults.replays import replaying, until
from testkit.faults.watching import settled, total
from testkit.forked import ForkedProduct
from testkit.product import Product
from tests.ui.fake_link import CONNECTED

TEN_MINUTES: Final = 600.0
TRIES: Final = SupervisorSettings().max_restarts
FILES: Final = {"bus": "bus.sqlite", "store": "store.sqlite"}
BUS, STORE = pytest.param(["bus"], id="bus"), pytest.param(["store"], id="store")


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=400, days=40)


@asynccontextmanager
async def away(inside: Inside, clock: FastClock, who: Collection[str]) -> AsyncIterator[Snapshot]:
    """For ten minutes of the clock, and for more tries than faults are allowed; yields what is shown then."""
    began, before = clock.monotonic(), _restarts(inside.pipeline.snapshot())
    for name in who:
        (inside.data_dir.path / FILES[name]).rename(inside.data_dir.path / f"{name}-away")

    def is_over(snapshot: Snapshot) -> bool:
        assert not [s.name for s in snapshot.services if s.state == "failed"]
        tried = max(count - before.get(name, 0) for name, count in _restarts(snapshot).items())
        return clock.monotonic() - began > TEN_MINUTES and tried > TRIES and bool(snapshot.outages)

    yield await inside.wait_for(is_over)
    for name in who:
        (inside.data_dir.path / f"{name}-away").rename(inside.data_dir.path / FILES[name])


def _restarts(snapshot: Snapshot) -> dict[str, int]:
    return {service.name: service.restarts for service in snapshot.services}


@pytest.mark.parametrize("who", [BUS, STORE, pytest.param(["bus", "store"], id="both")])
async def test_ten_minutes_change_nothing(
    who: Sequence[str], tmp_path: Path, recording: Recording, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FastClock()
    caplog.set_level(logging.INFO, "pipeline")
    async with running(tmp_path, recording, speed=6000, clock=clock) as inside:
        await inside.wait_for(lambda snapshot: 0 < total(snapshot, "indicators") < 600)
        async with away(inside, clock, who) as snapshot:
            assert not is_healthy(snapshot)
            assert {outage.kind for outage in snapshot.outages} <= {"bus", "store"}
            assert all(
                f"waiting    for the embedded {outage.kind} since " in describe(snapshot) for outage in snapshot.outages
            )
            lines = [trouble.what for trouble in troubles(View(CONNECTED, snapshot, now=int(snapshot.at)))]
            assert any(line.startswith("waiting for the embedded") and "the file was deleted" in line for line in lines)
        last = await inside.wait_for(lambda s: settled(s) and is_healthy(s))
        assert not last.outages
        entry = await inside.audit(recording)
    ledger.enter(f"{'both engines' if len(who) > 1 else who[0]} away for ten minutes", entry)
    assert any("goes on; it had waited since" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("who", [BUS, STORE, pytest.param(["bus", "store"], id="both", marks=pytest.mark.daily)])
async def test_a_run_until_idle_waits_and_ends_well(
    who: Sequence[str], tmp_path: Path, recording: Recording, ledger: Ledger
) -> None:
    clock = FastClock()
    options = RunOptions(initial_load=True, until_idle=True)
    async with running(tmp_path, recording, speed=6000, clock=clock, options=options) as inside:
        await inside.wait_for(lambda snapshot: 0 < total(snapshot, "stock_data") < 700)
        async with away(inside, clock, who):
            assert not inside.run.done()
        async with asyncio.timeout(60):
            assert await inside.run == 0


async def test_commands_are_answered_and_a_load_goes_on(
    tmp_path: Path, recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FastClock()
    caplog.set_level(logging.INFO, "pipeline")
    async with running(tmp_path, recording, speed=6000, clock=clock) as inside, connect(inside.socket) as connection:
        await inside.wait_for(lambda snapshot: total(snapshot, "indicators"))
        async with away(inside, clock, ["bus"]):
            assert (await connection.ask(Load(["AAPL"]))).tickers == ["AAPL"]
            assert (await connection.ask(Add(["MSFT"]))).tickers == ["MSFT"]
            await inside.wait_for(lambda s: any("the file was deleted" in load.note for load in s.loads))
            assert (await connection.ask(GetHistory("AAPL"))).bars
            await connection.ask(GetMessages("stock_data_aapl"))  # what is there can still be read
        # That it is done is shown for a quarter of a second only, on this clock: less than a look may take.
        loaded = "the history of AAPL is loaded: 40 messages"
        await inside.wait_for(lambda _: any(record.getMessage() == loaded for record in caplog.records))
        # A pipeline that is stopped while some still wait has left something behind, and says so by its status.
        await inside.wait_for(settled)


def test_a_start_waits_for_both_engines_and_says_so(tmp_path: Path) -> None:
    kafka, mongodb = f"127.0.0.1:{free_port()}", f"mongodb://127.0.0.1:{free_port()}"
    product = ForkedProduct(tmp_path, "--kafka", kafka, "--mongodb", mongodb, **IMPATIENT)
    with product.started("AAPL", "--source", "simulator") as process:
        product.wait_for(lambda status: {o["kind"] for o in status["outages"]} == {"bus", "store"}, process)
        status = product.run("status")
        assert status.returncode == 1
        for engine in (f"kafka {kafka}", mongodb.replace("://", " ")):
            assert f"waiting    for {engine} since " in status.stdout
        assert product.ask(Load(["AAPL"])).tickers == ["AAPL"]
        assert product.ask(Add(["MSFT"])).tickers == ["MSFT"]
        product.stop()


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(["broker"], id="broker"),
        pytest.param(["mongo"], id="mongo"),
        pytest.param(["broker", "mongo"], id="both", marks=pytest.mark.daily),
    ],
)
def test_more_tries_than_faults_are_allowed(
    who: Sequence[str], tmp_path: Path, broker: KafkaServer, mongo: MongoServer, product: Product, ledger: Ledger
) -> None:
    few = {"MAX_RESTARTS": "2", "RESTART_WINDOW": "100000", "BACKOFF_INITIAL": "0.1", "BACKOFF_MAX": "0.2"}
    product.set(**{f"FINTRENDS_SUPERVISOR__{name}": value for name, value in few.items()})
    engines = {
        "broker": (broker, f"Kafka at {broker.bootstrap}", "Kafka", "KAFKA"),
        "mongo": (mongo, mongo.uri.replace("mongodb://", "MongoDB at "), "MongoDB server", "MONGODB"),
    }
    servers, names, short, sections = zip(*(engines[name] for name in who), strict=True)
    # How long an engine that is gone is looked for, each time; one that is only slow is not to be taken for gone.
    product.set(**{f"FINTRENDS_{section}__REQUEST_TIMEOUT": "2" for section in sections})
    recording = record(tmp_path / "recording", ["LONGA", "LONGB"], minutes=100)
    with replaying(product, recording) as process:
        until(product, process, lambda s: 0 < total(s, "indicators") < 190)
        for server in servers:
            server.kill()
        before = _restarts(until(product, process, lambda s: missed(s, names)))

        def given_up_by_now(snapshot: Snapshot) -> bool:
            assert not [s.name for s in snapshot.services if s.state == "failed"]
            return any(count > before[name] + 3 for name, count in _restarts(snapshot).items())

        shown = until(product, process, given_up_by_now, patience=180)
        assert {outage.kind for outage in shown.outages} == {"broker": {"bus"}, "mongo": {"store"}}.get(
            who[0] if len(who) == 1 else "", {outage.kind for outage in shown.outages}
        )
        status = product.run("status")
        assert status.returncode == 1
        assert "waiting    for " in status.stdout
        for server in servers:
            server.start()
        entry, _ = finish(product, process, recording.live)
    name = "both engines" if len(who) > 1 else short[0]
    ledger.enter(f"{name} away for more tries than faults are allowed", entry, ENGINES)
    waits = [line for line in log_of(product).splitlines() if " waits, and is tried again " in line]
    assert 0 < len(waits) < 40
