"""Simulated data where real ones are wanted: in the same topics, and in a data directory from before namespaces."""

import random
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from pipeline.analytics.series import Series
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.records import records_of
from pipeline.model.messages import Bar, IndicatorRow
from pipeline.model.namespace import SIMULATED
from pipeline.model.topics import INDICATOR_GROUP, SINK_GROUP
from pipeline.storage.datadir import DataDir
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.upgrade.migration import migrate
from testkit.data import NEW_YORK
from testkit.faults.inside import audit_store, running
from testkit.faults.ledger import Ledger
from testkit.faults.recording import Recording, record
from testkit.faults.watching import settled, total
from tests.upgrade.test_migration import published_before, stored_before

FAULT = "origins mixed"


def made_up(bars: Iterable[Bar], seed: int = 1) -> list[Bar]:
    """Bars of a simulator at the times of these."""
    rng = random.Random(seed)
    made = []
    for bar in bars:
        close = rng.uniform(1, 1000)
        values = {"open": close, "high": close, "low": close, "close": close}
        made.append(replace(bar, simulated=True, source="simulator", **values))
    return made


async def test_simulated_records_among_real_ones_are_set_aside(tmp_path: Path, ledger: Ledger) -> None:
    recording = record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=300)
    # Of the same source too: it is not the source that keeps them apart.
    others = [*made_up(recording.live), *(replace(bar, source="replay") for bar in made_up(recording.live, seed=2))]
    async with running(tmp_path, recording, speed=6000) as inside:
        await inside.wait_for(lambda snapshot: total(snapshot, "stock_data") > 50)
        await inside.bus.publish(records_of(others))
        snapshot = await inside.wait_for(lambda s: total(s, "stock_data") >= len(recording.live) and settled(s))
        assert snapshot.pipeline.set_aside == len(others)
        assert snapshot.pipeline.dead_letters == 0
        assert not any(ticker.simulated for ticker in snapshot.tickers)
        ledger.enter(FAULT, await inside.audit(recording))


async def test_a_directory_in_which_both_were_mixed_gives_what_is_right(tmp_path: Path, ledger: Ledger) -> None:
    recording = record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=300)
    data_dir = DataDir(tmp_path / "data")
    data_dir.create()
    before = [bar for bar in recording.live if bar in _first(recording, 120)]
    simulated = made_up(_first(recording, 200))
    # As version 0.1.0 did: of one time there was one bar, and rows were computed over all of them.
    stored = {(bar.ticker, bar.ts): bar for bar in (*simulated, *before)}
    stored_before(data_dir.store, list(stored.values()))
    bars = [*simulated, *before]
    published_before(
        data_dir.bus,
        [*records_of(bars), *records_of(_rows_over_both(bars))],
        {
            SINK_GROUP: {"stock_data_aapl": 250, "stock_data_tsla": 310},
            INDICATOR_GROUP: {"stock_data_aapl": 320, "stock_data_tsla": 260},
        },
    )
    await migrate(data_dir)
    async with running(tmp_path, recording) as inside:
        await inside.wait_for(lambda s: total(s, "stock_data") >= len(recording.live) and settled(s))
        assert inside.pipeline.snapshot().pipeline.set_aside == 0
        ledger.enter(FAULT, await inside.audit(recording))
    # What is simulated is whole as well: no bar of the other origin is in it, and none of its own is lost.
    beside = data_dir.within(SIMULATED)
    store, bus = EmbeddedStore(beside.store), EmbeddedBus(beside.bus)
    await store.open()
    await bus.open()
    left = [bar for bar in stored.values() if bar.simulated]
    kept = await store.find(Query("stock_data"))
    assert len(kept) == len(left) and all(document["simulated"] for document in kept)
    offsets = await bus.offsets(["stock_data_aapl"])
    assert list(offsets.values()) == [(0, len(bars) // 2)]
    await bus.close()
    await store.close()


async def test_a_run_beside_simulated_data_is_as_one_without(tmp_path: Path, ledger: Ledger) -> None:
    recording = record(tmp_path / "recording", ["AAPL", "TSLA"], minutes=300)
    data_dir = DataDir(tmp_path / "data", SIMULATED)
    data_dir.create()
    await migrate(data_dir)
    store, bus = EmbeddedStore(data_dir.store), EmbeddedBus(data_dir.bus)
    await bus.open()
    await bus.publish(records_of(made_up(recording.live)))
    await bus.close()
    async with running(tmp_path, recording) as inside:
        await inside.wait_for(lambda s: total(s, "stock_data") >= len(recording.live) and settled(s))
        ledger.enter(FAULT, await inside.audit(recording))
    await store.open()
    assert (await audit_store(store, recording)).lost == 2 * len(recording.live), "nothing real is there"
    await store.close()


def _first(recording: Recording, count: int) -> list[Bar]:
    """So many bars of each ticker."""
    return [bar for t in recording.tickers for bar in [b for b in recording.live if b.ticker == t][:count]]


def _rows_over_both(bars: list[Bar]) -> list[IndicatorRow]:
    """What a processor of version 0.1.0 published: it did not look at where a bar came from."""
    rows = []
    for ticker in dict.fromkeys(bar.ticker for bar in bars):
        alike = [replace(bar, source="unknown") for bar in bars if bar.ticker == ticker]
        rows += Series(ticker, "1min", NEW_YORK).merge(alike)
    return [replace(row, simulated=False) for row in rows]
