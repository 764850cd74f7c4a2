"""Forecasts through the whole pipeline: those of a computation over all bars at once, whatever happens."""

import signal
from pathlib import Path

import pytest

from pipeline.analytics.forecasts.series import ForecastSeries
from pipeline.model.documents import document_of
from pipeline.model.messages import Forecast
from testkit.data import NEW_YORK, recorded_bars
from testkit.forked import ForkedProduct
from testkit.product import written
from testkit.recorded import last_minutes, replay

MINUTES = 250


def test_killed_in_the_middle_all_are_stored_as_if_made_at_once(tmp_path: Path) -> None:
    product = ForkedProduct(tmp_path, FINTRENDS_FORECASTS__ENABLED="true")
    recording = last_minutes(tmp_path / "recording", MINUTES)
    process = product.start("AAPL", "--no-ui", "--source", f"replay:{recording}", "--speed", "3000")
    product.wait_for(lambda status: written(status, "forecasts"), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert replay(product, recording).returncode == 0

    truth = recorded_bars("AAPL")[-MINUTES:]
    rows = ForecastSeries("AAPL", "1min", NEW_YORK, "replay").merge(truth)
    stored = {document["_id"]: document for document in product.query("forecasts", "AAPL", interval="1min")}
    assert stored.keys() == {document_of(row).id for row in rows} and len(stored) == 3 * MINUTES
    numbers = [
        name for name in Forecast.__struct_fields__ if name.startswith(("low_", "high_", "held_", "score", "up"))
    ]
    for row in rows:
        for name in (*numbers, "came", "count"):
            value, wanted = stored[document_of(row).id].get(name), getattr(row, name)
            assert value == (pytest.approx(wanted, rel=1e-9) if isinstance(wanted, float) else wanted), (row.ts, name)
