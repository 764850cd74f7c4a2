"""Where the recorded market data is, and the truth about it."""

import csv
import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.model.messages import Bar, Interval

RECORDED = Path(__file__).parents[2] / "shared" / "data"
BARS = RECORDED / "bars"
NEW_YORK = ZoneInfo("America/New_York")


def require(path: Path) -> Path:
    """The path, or a skipped test where the recordings are absent; in CI they must be there."""
    if not path.exists():
        reason = f"the recorded data {path.name} is not here"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def recorded_bars(ticker: str, interval: Interval = "1min") -> list[Bar]:
    """The bars of one recording, oldest first; read without the code under test."""
    with require(BARS / f"{ticker}_{interval}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    bars = [
        Bar(
            ticker=ticker,
            interval=interval,
            ts=datetime.fromisoformat(row["datetime"]).replace(tzinfo=NEW_YORK),
            source="replay",
            **{field: float(row[field]) for field in ("open", "high", "low", "close", "volume")},  # type: ignore[arg-type]
        )
        for row in rows
    ]
    return sorted(bars, key=lambda bar: bar.ts)
