"""A short soak; `bench/soak.py` does a day and more, which is what it takes to see a slow leak."""

import random
import sys
from pathlib import Path

import pytest

from testkit.faults.ledger import Ledger
from testkit.faults.recording import record_sessions
from testkit.faults.soak_faults import DISK, PASSING, schedule
from testkit.faults.soak_report import report_on
from testkit.faults.soaking import Soak, load
from testkit.product import Product

TICKERS = [f"T{number:02d}" for number in range(50)]
DAYS, BARS = 24, 60
"""More than are replayed, however slow the machine."""
SPEED = 360
"""Times real time: ten seconds a day, 300 bars a second."""
FLAT = 0.05
"""Of the memory, between medians. All that the bars of a third take, kept for ever, would be a tenth."""
SEED = 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_soak(tmp_path: Path, ledger: Ledger) -> None:
    """Killed, stopped, frozen, without disk and pestered under load: nothing lost, no lag left, memory flat."""
    disturbed, calm = (Product(tmp_path / name) for name in ("disturbed", "calm"))
    for product in (disturbed, calm):
        product.directory.mkdir()
    rng = random.Random(SEED)
    recording = record_sessions(tmp_path / "recording", TICKERS, DAYS, BARS)
    soak = Soak(disturbed, recording, SPEED, load(disturbed), rng)
    try:
        await soak.run(schedule(rng, [*PASSING, DISK], rounds=1, endings=1, until=0.04, last=0.15), to_the_end=False)
    finally:
        soak.close()
    report = await report_on(soak, load(disturbed), calm)
    print("\n".join(report.lines()))  # noqa: T201 - to be read when it fails
    assert report.entry.messages > 9_000  # the last fault comes no sooner
    assert report.differing == 0
    assert report.unforeseen == []
    assert report.memory.growth < FLAT
    handles = [sample.handles for sample in report.last_life]
    assert handles[-1] <= handles[0] + 4
    ledger.enter("soak: 50 tickers, all of it under load", report.entry)
