"""Initial loads within a budget."""

import asyncio
from collections import Counter
from contextlib import aclosing
from datetime import timedelta

import pytest

from pipeline.net.errors import UnavailableError
from pipeline.sources.base import HistoryChunk, SourceError
from testkit.fake_provider import Bench, new_york

DAY, NEXT = "2026-03-04", "2026-03-05"


async def load(bench: Bench, ticker: str, chunks: list[HistoryChunk]) -> None:
    async with aclosing(bench.source.history(ticker)) as history:
        async for chunk in history:
            chunks.append(chunk)  # noqa: PERF401 - what a load that is cancelled has said counts as well


async def test_a_load_goes_on_tomorrow_and_after_a_restart_where_it_stopped(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    chunks: list[HistoryChunk] = []
    task = asyncio.create_task(load(bench, "AAPL", chunks))
    await bench.until(new_york(DAY, "12:00"))
    assert len(bench.asked) == 8  # a third of the day's, while the market has not closed
    assert chunks[-1].note == "8 of 10 requests, goes on at 00:00 EST"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    bench.restart()
    task = asyncio.create_task(load(bench, "AAPL", chunks))
    await bench.until(new_york(NEXT, "00:10"))
    await task
    assert len({(a.kind, a.subjects) for a in bench.asked}) == len(bench.asked) == 10
    assert chunks[-1].done == chunks[-1].total
    assert chunks[-1].note == "the newest 100 daily bars only, no intraday bars: not in the plan"


async def test_live_data_keep_their_share_while_a_load_waits(tmp_path):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.watchlist.add(["AAPL", "MSFT", "TSLA", "JPM", "V"])
    async with bench.running():
        task = asyncio.create_task(load(bench, "AAPL", []))
        await bench.until(new_york(DAY, "23:59"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(bench.asked) == 25
    assert [a.kind for a in bench.asked if a.at >= new_york(DAY, "16:00")] == ["daily"] * 5
    assert Counter(a.kind for a in bench.asked)["daily"] == 10  # the load found its bars and news here already
    assert not [
        key
        for key, number in Counter((a.kind, a.subjects) for a in bench.asked).items()
        if key[0] == "economic" and number > 1
    ]


@pytest.mark.parametrize("plan", ["free", "premium"])
async def test_a_load_and_live_data_do_not_ask_the_same_at_the_same_time(tmp_path, plan):
    bench = Bench(new_york("2026-03-07", "12:00"), tmp_path, plan=plan)  # a Saturday: the load may take it all
    bench.provider.latency = 3.0
    bench.provider.missing = {"full"}
    bench.watchlist.add(["AAPL", "MSFT"])
    async with bench.running():
        loads = [asyncio.create_task(load(bench, ticker, [])) for ticker in bench.watchlist]
        await bench.until(new_york("2026-03-07", "12:05"))
        assert all(task.done() for task in loads)
    once = Counter((a.kind, a.subjects) for a in bench.asked if a.kind in ("daily", "news", "economic"))
    assert len(once) == 2 + 2 + 8
    assert set(once.values()) == {1}


async def test_a_premium_load_takes_everything_and_learns_what_it_cannot_have(tmp_path):
    bench = Bench(new_york(DAY, "20:00"), tmp_path, plan="premium")
    bench.provider.missing = {"full"}
    chunks: list[HistoryChunk] = []
    task = asyncio.create_task(load(bench, "AAPL", chunks))
    await bench.until(new_york(DAY, "20:05"))
    await task
    assert Counter(a.kind for a in bench.asked) == {"full": 1, "daily": 1, "month": 1, "news": 1, "economic": 8}
    assert chunks[-1].note == "the newest 100 daily bars only: not in the plan"
    await load(bench, "AAPL", chunks)  # there is nothing new
    assert len(bench.asked) == 12


@pytest.mark.parametrize(("sent", "counted"), [(True, 2), (False, 0)])
async def test_only_what_has_left_is_counted_to_the_share_of_the_loads(tmp_path, sent, counted):
    bench = Bench(new_york(DAY, "09:00"), tmp_path)
    bench.provider.outage = UnavailableError("av", "no connection", sent=sent)
    task = asyncio.create_task(load(bench, "AAPL", []))
    await bench.until(new_york(DAY, "09:00") + timedelta(seconds=61))
    assert bench.scheduler.memory.facts.known.loads == {DAY: counted}
    await bench.until(new_york(DAY, "12:00"))
    bench.provider.outage = None
    await bench.until(new_york(DAY, "15:00"))
    assert len(bench.asked) == bench.budget.used == 8  # the loads' share, while the market has not closed
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_unknown_symbol_fails_its_load(tmp_path):
    bench = Bench(new_york(DAY, "20:00"), tmp_path)
    bench.provider.unknown = {"APPL"}
    task = asyncio.create_task(load(bench, "APPL", []))
    await bench.until(new_york(DAY, "20:05"))
    with pytest.raises(SourceError, match="knows no symbol APPL"):
        await task
    assert [asked.kind for asked in bench.asked] == ["daily", "news", "quote"]  # and no economic series


async def test_live_data_take_up_what_a_load_has_left_at_once(tmp_path):
    bench = Bench(new_york("2026-03-07", "12:00"), tmp_path)  # a Saturday: the load may take it all
    bench.watchlist.add(["AAPL"])
    async with bench.running():
        await bench.until(new_york("2026-03-07", "12:01"))
        task = asyncio.create_task(load(bench, "AAPL", []))
        await bench.until(new_york("2026-03-07", "12:02"))
        await task
        await bench.clock.advance(1)
        assert bench.scheduler.view().next_what == "AAPL news"
