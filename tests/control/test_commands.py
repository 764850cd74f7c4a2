"""History for charts, from the store as the screen asks for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.contract.protocol import GetHistory, GetSeries, History, SetReplay, ValueSeries
from pipeline.contract.snapshot import ReplayView, Snapshot
from pipeline.control.commands import Commands
from pipeline.control.server import CommandError
from pipeline.model.documents import document_of
from pipeline.model.messages import Bar, EconomicPoint, IndicatorRow, ScoredItem
from pipeline.sources.replay.source import ReplaySource
from pipeline.store.embedded.store import EmbeddedStore
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
    yield Commands(store=store, zone=ZoneInfo("Asia/Tokyo"), **dict.fromkeys(others))  # type: ignore[arg-type] # history needs none of them
    await store.close()


async def test_before_the_engines_are_there_what_they_wait_for_is_said(tmp_path: Path) -> None:
    view = samples.pipeline(state="starting", note="waiting for kafka nowhere:9092: cannot connect")
    others = ("bus", "watchlist", "supervisor", "loader", "alerts", "tail", "topics", "stop")
    snapshot = Snapshot(seq=1, at=0, pipeline=view)
    commands = Commands(
        store=EmbeddedStore(tmp_path / "store.sqlite"),
        snapshot=lambda: snapshot,
        zone=ZoneInfo("UTC"),
        **dict.fromkeys(others),
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


async def _store_another(store: EmbeddedStore) -> None:
    """Newer minutes and daily bars, of another source."""
    for i in range(3):
        common = {"ticker": "AAPL", "open": 1, "high": 9, "low": 1, "close": 5, "volume": 100 + i, "source": "other"}
        minute = Bar(ts=TS + (20 + i) * MINUTE, interval="1min", **common)  # type: ignore[arg-type]
        day = Bar(ts=TS + timedelta(days=i), interval="daily", **common)  # type: ignore[arg-type]
        await store.upsert("stock_data", [document_of(minute), document_of(day)])


@pytest.mark.parametrize(
    ("shown", "source", "interval", "volumes"),
    [
        (("unknown", "1min"), "unknown", "1min", [7, 8, 9]),
        (("other", "1min"), "other", "1min", [100, 101, 102]),
        (("other", "daily"), "other", "daily", [100, 101, 102]),
        (("unknown", "daily"), "unknown", "1min", [7, 8, 9]),  # what is not stored gives way
        (None, "other", "daily", [100, 101, 102]),  # nobody watches it: the newest
    ],
)
async def test_a_chart_is_of_the_source_that_the_row_shows(
    tmp_path: Path,
    commands: Commands,
    shown: tuple[str, str] | None,
    source: str,
    interval: str,
    volumes: list[float],
) -> None:
    store = EmbeddedStore(tmp_path / "store.sqlite")
    await store.open()
    await _store_another(store)
    others = ("bus", "watchlist", "supervisor", "loader", "alerts", "tail", "snapshot", "topics", "stop")
    commands = Commands(store=store, shown=lambda _: shown, zone=ZoneInfo("UTC"), **dict.fromkeys(others))  # type: ignore[arg-type]
    found = await history(commands, last=3, indicators=["sma_20"])
    assert (found.source, found.interval, [bar.volume for bar in found.bars]) == (source, interval, volumes)
    assert found.indicators["sma_20"] == ([1.7, 1.8, 1.9] if source == "unknown" else [None] * 3)
    await store.close()


@pytest.mark.parametrize("until", [1e300, -1e300, 1e18, float("nan")])
async def test_a_time_that_no_calendar_has_is_refused(commands: Commands, until: float) -> None:
    with pytest.raises(CommandError, match="is not a time"):
        await history(commands, until=until)


async def test_an_interval_that_is_not_stored_has_no_bars(commands: Commands) -> None:
    found = await history(commands, interval="daily")
    assert (found.bars, found.intervals) == ([], ["1min"])


async def test_a_history_names_the_zone_that_its_days_are_of(commands: Commands) -> None:
    assert {(await history(commands, interval=interval)).zone for interval in ("1min", "daily")} == {"Asia/Tokyo"}
    assert (await commands.execute(GetHistory("VOD.L"))).zone == "Europe/London"


@pytest.mark.parametrize("wanted", [True, False])
async def test_bars_outside_regular_hours_are_marked_or_left_out(tmp_path: Path, wanted: bool) -> None:
    """At half past each hour of a Monday in New York; and of a share that trades in its session only."""
    store = EmbeddedStore(tmp_path / "store.sqlite")
    await store.open()
    new_york = ZoneInfo("America/New_York")
    for ticker in ("AAPL", "VOD.L"):
        for hour in range(4, 20):
            ts = datetime(2019, 2, 11, hour, 30, tzinfo=new_york)
            bar = Bar(ticker=ticker, ts=ts, interval="1min", open=1, high=1, low=1, close=1, volume=hour)
            await store.upsert("stock_data", [document_of(bar)])
    others = ("bus", "watchlist", "supervisor", "loader", "alerts", "tail", "snapshot", "topics", "stop")
    live = Commands(store=store, zone=new_york, **dict.fromkeys(others))  # type: ignore[arg-type]
    found = await history(live, extended=wanted)
    marked = [bar.volume for bar in found.bars if bar.extended]
    assert marked == ([4, 5, 6, 7, 8, 16, 17, 18, 19] if wanted else [])
    assert [bar.volume for bar in found.bars if not bar.extended] == list(range(9, 16))
    assert [bar.volume for bar in (await history(live, extended=False, last=2)).bars] == [14, 15]
    assert found.has_hours
    london: History = await live.execute(GetHistory("VOD.L", extended=wanted))
    assert len(london.bars) == 16 and not any(bar.extended for bar in london.bars) and not london.has_hours
    recorded = Commands(store=store, zone=new_york, session_on=None, **dict.fromkeys(others))  # type: ignore[arg-type]
    whole = await history(recorded, extended=wanted)
    assert not any(bar.extended for bar in whole.bars) and not whole.has_hours
    await store.close()


OTHERS = ("bus", "watchlist", "supervisor", "loader", "alerts", "tail", "snapshot", "topics", "stop")


async def filled(path: Path, *messages: object, **options: object) -> Commands:
    store = EmbeddedStore(path / "filled.sqlite")
    await store.open()
    for message in messages:
        document = document_of(message)
        await store.upsert(document.collection, [document])
    return Commands(store=store, zone=ZoneInfo("UTC"), session_on=None, **options, **dict.fromkeys(OTHERS))


def bar(ts: datetime, interval: str = "1min", close: float = 5.0) -> Bar:
    return Bar(ticker="AAPL", ts=ts, interval=interval, open=1, high=9, low=1, close=close, volume=1, source="yahoo")


async def test_what_the_sink_has_not_stored_yet_comes_from_what_was_heard(tmp_path: Path) -> None:
    """The screen asks when the view has a bar, and the store may have an older state of it, or none."""
    forming, closed, newest = bar(TS, close=2.0), bar(TS, close=3.0), bar(TS + MINUTE, close=4.0)
    row = IndicatorRow(
        ticker="AAPL", ts=newest.ts, interval="1min", source="yahoo", lineage=f"{0:08x}-{0:032x}", close=4.0, sma_20=3.5
    )
    heard = lambda *of: [closed, newest, row] if of == ("AAPL", "yahoo", "1min") else []  # noqa: E731
    commands = await filled(tmp_path, forming, shown=lambda _: ("yahoo", "1min"), ahead=heard)
    found = await history(commands, indicators=["sma_20"])
    assert [bar.close for bar in found.bars] == [3.0, 4.0]
    assert found.indicators == {"sma_20": [None, 3.5]}
    past = await history(commands, until=newest.ts.timestamp())
    assert [bar.close for bar in past.bars] == [3.0], "what is past stays so"


@pytest.mark.parametrize(
    ("longest", "interval"),
    [(60, "1min"), (300, "1min"), (900, "15min"), (3600, "15min"), (86_400, "daily"), (30, "1min")],
)
async def test_the_longest_bars_are_chosen_that_are_short_enough_and_of_the_latest_day(
    tmp_path: Path, longest: int, interval: str
) -> None:
    stored = [bar(TS), bar(TS, "15min"), bar(TS - timedelta(days=3), "60min"), bar(TS - timedelta(days=1), "daily")]
    commands = await filled(tmp_path, *stored)
    assert (await history(commands, longest=longest)).interval == interval


async def test_daily_bars_stand_in_where_finer_ones_do_not_reach_back(tmp_path: Path) -> None:
    days = [bar(TS - timedelta(days=ago), "daily") for ago in range(30, 0, -1)]
    commands = await filled(tmp_path, *days, bar(TS))
    month = (TS - timedelta(days=25)).timestamp()
    assert (await history(commands, longest=1800, since=month)).interval == "daily"
    assert len((await history(commands, longest=1800, since=month)).bars) == 25
    assert (await history(commands, longest=60, since=(TS - MINUTE).timestamp())).interval == "1min"
    assert (await history(commands, interval="1min", since=month)).interval == "1min", "it was asked for"


async def test_the_scores_of_a_ticker_and_economic_series_can_be_asked_for(tmp_path: Path) -> None:
    items = [
        ScoredItem(
            ticker="AAPL", ts=TS + i * MINUTE, id=str(i), kind="post", text="x", compound=i / 10, label="neutral"
        )
        for i in range(3)
    ]
    points = [
        EconomicPoint(ts=TS + timedelta(days=i), series=name, interval="monthly", value=value)
        for name in ("CPI", "GDP")
        for i, value in enumerate((1.0, None, 3.0))
    ]
    commands = await filled(tmp_path, *items, *points)
    since = (TS + MINUTE).timestamp()
    scores: ValueSeries = await commands.execute(GetSeries("sentiment", "aapl", since))
    assert scores.values == [(since, 0.1), (since + 60, 0.2)]
    economic: ValueSeries = await commands.execute(GetSeries("economic", "CPI"))
    assert economic.values == [(TS.timestamp(), 1.0), ((TS + timedelta(days=2)).timestamp(), 3.0)]
    assert economic.names == ["CPI", "GDP"]


async def test_only_a_replay_has_a_speed_and_only_a_positive_one(commands: Commands, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="only a replay has a speed"):
        await commands.execute(SetReplay(speed=2))
    others = ("bus", "store", "watchlist", "supervisor", "loader", "alerts", "tail", "snapshot", "topics", "stop")
    replay = ReplaySource(tmp_path, speed=1)
    replaying = Commands(zone=ZoneInfo("UTC"), replay=replay, **dict.fromkeys(others))  # type: ignore[arg-type]
    for speed in (0, -1, float("nan"), float("inf")):
        with pytest.raises(CommandError, match="is not a speed"):
            await replaying.execute(SetReplay(speed=speed))
    assert await replaying.execute(SetReplay(speed="max")) == ReplayView(at=None, speed="max")
