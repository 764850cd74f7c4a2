"""History for charts, from the store as the screen asks for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.commands import Commands
from pipeline.control import CommandError
from pipeline.documents import document_of
from pipeline.messages import Bar, IndicatorRow
from pipeline.protocol import GetHistory, History
from pipeline.snapshot import Snapshot
from pipeline.store.embedded import EmbeddedStore
from tests.ui import samples

TS = datetime(2019, 2, 11, 14, 31, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def commands(tmp_path: Path) -> AsyncIterator[Commands]:
    """On a store with ten bars, and indicators of the last five."""
    store = EmbeddedStore(tmp_path / "store.sqlite")
    await store.open()
    for i in range(10):
        bar = Bar(ticker="AAPL", ts=TS + i * MINUTE, interval="1min", open=1, high=9, low=1, close=1 + i / 10, volume=i)
        await store.upsert("stock_data", [document_of(bar)])
        if i >= 5:
            lineage = f"{i:08x}-{i:032x}"
            row = IndicatorRow(
                ticker="AAPL", ts=bar.ts, interval="1min", lineage=lineage, close=bar.close, sma_20=bar.close
            )
            await store.upsert("indicators", [document_of(row)])
    others = ("bus", "watchlist", "supervisor", "loader", "alerts", "tail", "snapshot", "topics", "stop")
    yield Commands(store=store, **dict.fromkeys(others))  # type: ignore[arg-type] # history needs none of them
    await store.close()


async def test_before_the_engines_are_there_what_they_wait_for_is_said(tmp_path: Path) -> None:
    view = samples.pipeline(state="starting", note="waiting for kafka nowhere:9092: cannot connect")
    others = ("bus", "watchlist", "supervisor", "loader", "alerts", "tail", "topics", "stop")
    snapshot = Snapshot(seq=1, at=0, pipeline=view)
    commands = Commands(
        store=EmbeddedStore(tmp_path / "store.sqlite"), snapshot=lambda: snapshot, **dict.fromkeys(others)
    )
    with pytest.raises(CommandError, match="not ready yet: waiting for kafka nowhere:9092"):
        await history(commands)


async def history(commands: Commands, **wanted: object) -> History:
    result: History = await commands.execute(GetHistory("aapl", **wanted))  # type: ignore[arg-type]
    return result


async def test_the_newest_bars_come_with_the_indicators_asked_for(commands: Commands) -> None:
    found = await history(commands, last=6, indicators=["sma_20", "rsi_14", "_id"])
    assert [bar.volume for bar in found.bars] == [4, 5, 6, 7, 8, 9]
    assert found.indicators == {"sma_20": [None, 1.5, 1.6, 1.7, 1.8, 1.9], "rsi_14": [None] * 6}


async def test_until_is_exclusive(commands: Commands) -> None:
    found = await history(commands, last=3, until=(TS + 7 * MINUTE).timestamp(), indicators=["sma_20"])
    assert [bar.volume for bar in found.bars] == [4, 5, 6]
    assert found.indicators == {"sma_20": [None, 1.5, 1.6]}


async def test_an_interval_that_is_not_stored_has_no_bars(commands: Commands) -> None:
    found = await history(commands, interval="daily")
    assert (found.bars, found.intervals) == ([], ["1min"])
