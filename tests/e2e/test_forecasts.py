"""Forecasts through the whole pipeline: those of a computation over all bars at once, whatever happens."""

import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.analytics.forecasts.series import ForecastSeries
from pipeline.model.documents import document_of, message_in
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
    assert stored.keys() == {document_of(row).id for row in rows} and len(stored) == MINUTES
    for row in rows:
        found = message_in(stored[document_of(row).id], Forecast)
        assert found.lineage == row.lineage
        assert_near(msgspec.to_builtins(found), msgspec.to_builtins(row))


def assert_near(found: Any, wanted: Any) -> None:
    """Equal, but for the last digits of numbers."""
    match wanted:
        case dict():
            assert found.keys() == wanted.keys()
            for name, value in wanted.items():
                assert_near(found[name], value)
        case list() | tuple():
            for one, other in zip(found, wanted, strict=True):
                assert_near(one, other)
        case float():
            assert found == pytest.approx(wanted, rel=1e-9)
        case _:
            assert found == wanted
