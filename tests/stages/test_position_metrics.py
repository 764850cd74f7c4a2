"""What is held, for alerts without a screen."""

import logging
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.contract.snapshot import SplitView, TickerView
from pipeline.stages.position_metrics import PositionMetrics
from pipeline.storage.positions_file import PositionsFile
from testkit.http_server import HttpServer
from testkit.live_pipeline import in_good_order, live_pipeline

NEW_YORK = ZoneInfo("America/New_York")
# 00:00 in New York on 2026-11-20, and an hour before it ends there.
MIDNIGHT = 1_795_150_800.0
EVENING = MIDNIGHT + 82_800
LOT = """[[lot]]
ticker = "AAPL"
quantity = 10
price = 100
date = 2026-11-19
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "positions.toml"


def metrics(path: Path | None, currency: str = "USD") -> PositionMetrics:
    return PositionMetrics(PositionsFile(path) if path is not None else None, currency, NEW_YORK)


def apple(**more: object) -> TickerView:
    fields = {"price": 150.0, "change": 2.0, "as_of": EVENING, **more}
    return TickerView(ticker="AAPL", **fields)  # type: ignore[arg-type]


def write(path: Path, text: str = LOT) -> None:
    path.write_text(text)
    path.chmod(0o600)


def test_of_each_ticker_that_is_held_its_metrics(path: Path) -> None:
    write(path)
    found = metrics(path).of([apple(), TickerView(ticker="MSFT", price=1.0)])
    assert found == {"AAPL": {"value": 1500, "gain": 500, "gain%": 50, "day_gain": 20}}


def test_the_day_is_that_of_the_exchange(path: Path) -> None:
    """In UTC it is the next one already."""
    write(path, LOT.replace("11-19", "11-20"))
    assert metrics(path).of([apple()])["AAPL"]["day_gain"] == 500
    assert metrics(path).of([apple(as_of=EVENING + 86_400)])["AAPL"]["day_gain"] == 20


@pytest.mark.parametrize(("day", "quantity"), [("2026-11-19", 40), ("2026-11-20", 10)])
def test_splits_are_counted_by_the_day_of_the_exchange(path: Path, day: str, quantity: int) -> None:
    write(path, LOT.replace("2026-11-19", day))
    split = SplitView(ts=MIDNIGHT, numerator=4, denominator=1)
    assert metrics(path).of([apple(splits=[split])])["AAPL"]["value"] == 150 * quantity


def test_without_a_rate_nothing_is_known(path: Path) -> None:
    write(path)
    found = metrics(path, "EUR")
    assert set(found.of([apple()])["AAPL"].values()) == {None}
    assert found.of([apple(), TickerView(ticker="EURUSD=X", price=1.25)])["AAPL"]["value"] == 1200


def test_the_file_may_come_later_and_its_mistakes_are_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = metrics(path)
    assert found.of([apple()]) == {}
    write(path, LOT + LOT.replace("quantity = 10", "quantity = ten"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert found.of([apple()])["AAPL"]["value"] == 1500
    assert caplog.text.count(f"positions: {path}, line 8: Invalid value; this lot is left out") == 1


def test_without_a_file_there_is_nothing() -> None:
    assert metrics(None).of([apple()]) == {}


async def test_an_alert_comes_without_a_screen(
    server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a whole pipeline, which gets 10.5 for AAPL and finds the file where it looks for it."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    server.on(in_good_order)
    async with live_pipeline(server, tmp_path, "K3Y", plan="premium") as live:
        place = live.pipeline._position_metrics._file
        assert place is not None
        assert tmp_path in place.path.parents
        place.path.parent.mkdir(parents=True, exist_ok=True)
        live.pipeline._alerts.add("gain > 4")
        write(place.path, LOT.replace("price = 100", "price = 10"))
        snapshot = await live.until(lambda snapshot: snapshot.alerts)
        (alert,) = snapshot.alerts
        assert (alert.ticker, alert.metric, alert.value) == ("AAPL", "gain", pytest.approx(5))
        assert "AAPL meets the rule gain > 4" in live.log
