"""The forecast processor on the embedded engines: restarts, a store that is ahead, histories that come late."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest

from pipeline.analytics.forecasts.series import ForecastSeries
from pipeline.bus.lag import read_lag
from pipeline.clock import SystemClock
from pipeline.model.documents import Document, document_of, messages_in
from pipeline.model.messages import Bar, Forecast
from pipeline.model.times import moment
from pipeline.model.topics import FORECAST_GROUP, SINK_GROUP, STOCK_DATA, topic_for
from pipeline.stages import pass_over
from pipeline.stages.forecasts import ForecastProcessor, ForecastState
from pipeline.stages.pass_over import PassOver
from pipeline.stages.sink import Sink
from tests.stages.test_stages import ZONE, Bench, bar, until

WEEK = 7 * 24 * 60


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    await bench.bus.open()
    await bench.store.open()
    yield bench
    await bench.store.close()
    await bench.bus.close()


def walk(count: int, first: int = 0, seed: int = 1, **more: object) -> list[Bar]:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-3, count)))
    return [
        bar(first + n, float(close), high=float(close) * 1.001, low=float(close) * 0.999, **more)
        for n, close in enumerate(closes)
    ]


def processor(bench: Bench) -> ForecastProcessor:
    return ForecastProcessor(bench.bus, bench.store, bench.watchlist, ZONE)


def expected(bars: Iterable[Bar]) -> dict[datetime, Forecast]:
    """From scratch, of the bars of one source."""
    bars = list(bars)
    rows = ForecastSeries("AAPL", "1min", ZONE, bars[0].source).merge(bars)
    return {row.ts: row for row in rows}


async def stored(bench: Bench, **query: object) -> dict[datetime, Forecast]:
    rows = messages_in(await bench.stored("forecasts", **query), Forecast)
    return {row.ts: row for row in rows}


async def both(bench: Bench) -> None:
    await bench.caught_up(FORECAST_GROUP, SINK_GROUP)


class TestRestarts:
    async def test_a_restart_goes_on_as_if_there_had_been_none(self, bench: Bench) -> None:
        """Also when the store is ahead of the processor, which it is in the second round, with a corrected bar."""
        bars = walk(150)
        corrected = msgspec.structs.replace(bars[30], close=bars[30].low, revision=1)
        sink = Sink(bench.bus, bench.store, bench.watchlist).run
        await bench.publish(*bars[:110])
        async with bench.running(sink=sink, forecasts=processor(bench).run):
            await both(bench)
        await bench.publish(*bars[110:130], corrected)
        async with bench.running(sink=sink):
            await bench.caught_up(SINK_GROUP)
        async with bench.running(sink=sink, forecasts=processor(bench).run):
            await bench.publish(*bars[130:])
            await both(bench)
        assert await stored(bench) == expected([*bars[:30], corrected, *bars[31:]])

    @pytest.mark.parametrize("seed", range(2))
    async def test_histories_that_come_late_and_out_of_order_over_many_blocks(self, bench: Bench, seed: int) -> None:
        """In parts, each handled by a processor that knows nothing but what the store and the bus have."""
        weeks = [walk(110, first=n * WEEK, seed=n) for n in range(4)]
        messages = [b for week in weeks for b in week]
        parts = [messages[start : start + 55] for start in range(0, len(messages), 55)]
        Random(seed).shuffle(parts)
        sink = Sink(bench.bus, bench.store, bench.watchlist).run
        for half in (parts[:4], parts[4:]):
            async with bench.running(forecasts=processor(bench).run, sink=sink):
                for part in half:
                    await bench.publish(*part)
                    await bench.caught_up(FORECAST_GROUP)
                await both(bench)
        assert await stored(bench) == expected(messages)

    async def test_a_state_that_fails_is_made_anew(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """What it took in before it failed, and did not publish, is published."""
        merge, failed = ForecastState.merge, []

        def fail_once(state: ForecastState, bars: list[Bar]) -> list[Forecast]:
            rows = merge(state, bars)
            if not failed:
                failed.append(True)
                raise ZeroDivisionError("unlucky")
            return rows

        monkeypatch.setattr(ForecastState, "merge", fail_once)
        bars = walk(120)
        await bench.publish(*bars)
        async with bench.running(
            forecasts=processor(bench).run, sink=Sink(bench.bus, bench.store, bench.watchlist).run
        ):
            await both(bench)
        assert await stored(bench) == expected(bars)
        assert await bench.stored("dead_letter") == []


async def test_bars_of_two_sources_are_two_series(bench: Bench) -> None:
    one, two = walk(120, source="one"), walk(120, seed=2, source="two")
    await bench.publish(*sorted([*one, *two], key=lambda b: (b.ts, b.source)))
    async with bench.running(forecasts=processor(bench).run, sink=Sink(bench.bus, bench.store, bench.watchlist).run):
        await both(bench)
    for bars in (one, two):
        assert await stored(bench, source=bars[0].source) == expected(bars)


async def test_forecasts_that_are_not_stored_are_made_with_the_next_bar(bench: Bench) -> None:
    """As of bars that an earlier version has stored."""
    bars = walk(120)
    await bench.store.upsert("stock_data", [document_of(b) for b in bars[:-1]])
    await bench.publish(bars[-1])
    async with bench.running(forecasts=processor(bench).run, sink=Sink(bench.bus, bench.store, bench.watchlist).run):
        await both(bench)
    assert await stored(bench) == expected(bars)


async def test_rows_of_an_earlier_version_are_passed_over_and_made_anew(bench: Bench) -> None:
    """There was a row for each horizon."""
    bars = walk(120)
    old = [
        Document(
            "forecasts",
            f"{document_of(b).id}|{horizon}",
            "0",
            b.ts,
            {"horizon": horizon, "lineage": "0", "close": b.close, "simulated": False},
            "AAPL",
            "1min",
            b.source,
        )
        for b in bars
        for horizon in (1, 5, 15)
    ]
    await bench.store.upsert("stock_data", [document_of(b) for b in bars[:-1]])
    await bench.store.upsert("forecasts", old)
    await bench.publish(bars[-1])
    async with bench.running(forecasts=processor(bench).run, sink=Sink(bench.bus, bench.store, bench.watchlist).run):
        await both(bench)
    assert await stored(bench) == expected(bars)
    assert await bench.stored("dead_letter") == []


def turned_off(bench: Bench) -> PassOver:
    return PassOver(bench.bus, FORECAST_GROUP, bench.watchlist, SystemClock())


class TestTurnedOff:
    async def test_nothing_waits_and_nothing_is_read_or_said(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pass_over, "PERIOD", 0.01)
        await bench.publish(*walk(20))
        async with bench.running(forecasts=turned_off(bench).run):
            await bench.caught_up(FORECAST_GROUP)
            await bench.publish(*walk(20, first=20))
            await bench.caught_up(FORECAST_GROUP)
            assert await bench.bus.members(FORECAST_GROUP) == []
        assert not {topic for topic in await bench.bus.topics() if topic.startswith("forecasts_")}

    async def test_what_comes_until_it_is_stopped_is_passed_over_too(self, bench: Bench) -> None:
        async with bench.running(forecasts=turned_off(bench).run):
            await bench.publish(*walk(20))
        assert await read_lag(bench.bus, FORECAST_GROUP, {topic_for(STOCK_DATA, "AAPL")}) == 0

    async def test_turned_on_again_it_goes_on_with_what_is_new(self, bench: Bench) -> None:
        bars = walk(150)
        await bench.publish(*bars[:140])
        off = turned_off(bench).run
        async with bench.running(forecasts=off, sink=Sink(bench.bus, bench.store, bench.watchlist).run):
            await both(bench)
        await bench.publish(*bars[140:])
        async with bench.running(
            forecasts=processor(bench).run, sink=Sink(bench.bus, bench.store, bench.watchlist).run
        ):
            await both(bench)
        found, wanted = await stored(bench), expected(bars)
        assert all(found[one.ts] == wanted[one.ts] for one in bars[140:])

    async def test_whoever_has_it_turned_on_is_left_alone_also_while_it_is_away(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pass_over, "PERIOD", 0.001)
        bars = walk(150)
        sink = Sink(bench.bus, bench.store, bench.watchlist)
        async with bench.running(forecasts=processor(bench).run):
            await until(lambda: bench.bus.members(FORECAST_GROUP))
            off = turned_off(bench)
            async with bench.running(off=off.run, sink=sink.run):
                await until(lambda: is_left_alone(off))
                await bench.publish(*bars[:140])
                await both(bench)
        async with bench.running(off=off.run, sink=sink.run):
            await bench.publish(*bars[140:])
            await bench.caught_up(SINK_GROUP)
        async with bench.running(forecasts=processor(bench).run, sink=sink.run):
            await both(bench)
        assert await stored(bench) == expected(bars)


async def is_left_alone(stand_in: PassOver) -> bool:
    return stand_in._is_others


def test_a_live_series_keeps_three_blocks_of_bars() -> None:
    state = ForecastState("AAPL", "1min", ZONE)
    state.since = 0
    for n in range(6):
        week = walk(10, first=n * WEEK)
        state.merge(week)
        state.forget(week)
    (series,) = state.sources
    assert len(state._of(series)) == 30
    assert bar(2 * WEEK).ts < moment(state.since) < bar(3 * WEEK).ts
