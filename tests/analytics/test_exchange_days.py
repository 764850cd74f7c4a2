"""A day is that of the ticker's exchange, wherever days are counted."""

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.analytics.market_view import LiveView
from pipeline.model.messages import Bar
from pipeline.model.watchlist import Watchlist
from pipeline.ops.query import write
from pipeline.sources.replay.source import ReplaySource
from pipeline.sources.simulator.path import PricePath
from testkit.data import NEW_YORK

EVENING = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
"""Of the third in UTC, London and New York, of the fourth in Tokyo."""
HOUR = timedelta(hours=1)


# Three bars, an hour apart from the evening on, are of one day, or one and two.
@pytest.mark.parametrize(("ticker", "volume"), [("AAPL", 30), ("BTC-USD", 20), ("VOD.L", 20), ("7203.T", 30)])
def test_what_is_shown_of_today_is_of_the_day_there(ticker: str, volume: float) -> None:
    state = LiveView(NEW_YORK).of(ticker)
    for i, price in enumerate((10, 20, 40)):
        bar = Bar(
            ticker=ticker,
            ts=EVENING + i * HOUR,
            interval="60min",
            open=price,
            high=price,
            low=price,
            close=price,
            volume=10,
        )
        state.put(bar, 1.0)
    shown = state.view(EVENING + 3 * HOUR)
    assert shown.volume == volume
    assert shown.change == (30 if volume == 20 else None)


# Midnight of the fourth, in UTC.
MIDNIGHTS = {
    "AAPL": datetime(2026, 3, 4, 5, tzinfo=UTC),
    "VOD.L": datetime(2026, 3, 4, tzinfo=UTC),
    "7203.T": datetime(2026, 3, 3, 15, tzinfo=UTC),
    "WALMEX.MX": datetime(2026, 3, 4, 6, tzinfo=UTC),
    "BTC-USD": datetime(2026, 3, 4, tzinfo=UTC),
}


@pytest.mark.parametrize(("ticker", "midnight"), MIDNIGHTS.items())
def test_a_daily_bar_bears_the_day_there(ticker: str, midnight: datetime) -> None:
    out = io.StringIO()
    write([{"_id": "x", "ticker": ticker, "interval": "daily", "ts": midnight, "close": 1.0}], "table", NEW_YORK, out)
    assert out.getvalue().splitlines()[1].split()[0] == "2026-03-04"


@pytest.mark.parametrize(("ticker", "midnight"), MIDNIGHTS.items())
async def test_a_recording_without_offsets_is_in_the_time_there(
    ticker: str, midnight: datetime, tmp_path: Path
) -> None:
    header = "datetime,open,high,low,close,volume\n"
    (tmp_path / f"{ticker}_daily.csv").write_text(header + "2026-03-04,10,10,10,10,1\n")
    (tmp_path / f"{ticker}_1min.csv").write_text(header + "2026-03-04 10:00,10,10,10,10,1\n")
    replay = ReplaySource(tmp_path, speed=None, zone=NEW_YORK)
    [chunk] = [chunk async for chunk in replay.history(ticker)]
    assert [bar.ts for bar in chunk.messages] == [midnight]
    [feed] = replay.feeds()
    [batch] = [batch async for batch in feed.stream(Watchlist([ticker]))]
    assert [bar.ts for bar in batch] == [midnight + 10 * HOUR]


def test_a_simulated_day_is_that_of_the_exchange() -> None:
    moment = EVENING.timestamp()
    assert PricePath(7, "7203.T", NEW_YORK).date_of(int(moment)) == date(2026, 3, 4)
    assert PricePath(7, "AAPL", NEW_YORK).date_of(int(moment)) == date(2026, 3, 3)
