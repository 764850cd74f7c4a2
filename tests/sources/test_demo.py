"""The recorded hour of `fintrends-tui demo`: made by its tool, of nobody else's data, and played by a clock."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from pipeline.model.messages import AnyMessage, Article, Bar, EconomicPoint, Post, Quote
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed, SourceError
from pipeline.sources.demo.recording import END, FILE, START, TICKERS, read, read_lines, written
from pipeline.sources.demo.source import DemoSource
from testkit.fakes import FakeClock
from tools.demo.__main__ import hour


def source(clock: FakeClock, speed: float | None = 10) -> DemoSource:
    return DemoSource(speed=speed, clock=clock)


def feed(source: DemoSource, name: str) -> Feed:
    return next(feed for feed in source.feeds() if feed.name == name)


async def taken(batches: AsyncGenerator[Sequence[AnyMessage]], clock: FakeClock, seconds: float) -> list[Any]:
    """What comes in so many real seconds."""
    messages: list[Any] = []
    async with aclosing(batches):
        async for batch in batches:
            if clock.monotonic() > seconds:
                break
            messages += batch
    return messages


def test_the_tool_makes_what_ships() -> None:
    assert read_lines() == written(hour())
    assert FILE.stat().st_size < 100_000


def test_it_is_all_simulated_and_of_all_kinds() -> None:
    messages = read()
    assert all(message.simulated for message in messages)
    assert {message.source for message in messages if not isinstance(message, EconomicPoint)} == {"demo"}
    during = [message for message in messages if START < message.ts <= END]
    for kind in (Bar, Quote, Article, Post):
        assert {message.ticker for message in during if isinstance(message, kind)} == {*TICKERS}, kind
    assert any(isinstance(message, EconomicPoint) for message in during)


async def test_the_past_comes_at_once_and_the_hour_in_its_time() -> None:
    clock = FakeClock(auto=True)
    demo = source(clock)
    market = await taken(feed(demo, "market").stream(Watchlist(TICKERS)), clock, 12)
    assert min(message.ts for message in market) < START - timedelta(hours=2)
    newest = max(message.ts for message in market)
    assert START + timedelta(seconds=100) < newest <= START + timedelta(seconds=120)
    assert not any(isinstance(message, Bar) and message.interval == "daily" for message in market)


async def test_all_of_it_comes_once_and_then_it_ends() -> None:
    clock = FakeClock(auto=True)
    demo = source(clock, speed=None)
    found = [
        message
        for name in ("market", "news", "social", "economic")
        for message in await taken(feed(demo, name).stream(Watchlist(TICKERS)), clock, 1e9)
    ]
    history = [m for ticker in TICKERS async for chunk in demo.history(ticker) for m in chunk.messages]
    assert sorted(map(repr, [*found, *history])) == sorted(map(repr, read()))
    assert await taken(feed(demo, "market").stream(Watchlist(TICKERS)), clock, 1e9) == []


async def test_a_batch_that_was_not_taken_comes_again() -> None:
    clock = FakeClock(auto=True)
    market = feed(source(clock), "market")
    async with aclosing(market.stream(Watchlist(TICKERS))) as batches:
        first = await anext(batches)
    async with aclosing(market.stream(Watchlist(TICKERS))) as batches:
        assert await anext(batches) == first


async def test_what_is_not_watched_is_left_out_and_what_is_not_recorded_is_said() -> None:
    clock = FakeClock(auto=True)
    demo = source(clock)
    market = await taken(feed(demo, "market").stream(Watchlist(["ORCHID", "AAPL"])), clock, 2)
    assert {message.ticker for message in market} == {"ORCHID"}
    assert {*demo.ticker_notes()} == {"AAPL"}
    with pytest.raises(SourceError, match="HARBOR"):
        await anext(demo.history("AAPL"))


async def test_a_step_goes_on_to_the_next_price_of_one_that_is_paused() -> None:
    clock = FakeClock()
    demo = source(clock)
    async with aclosing(feed(demo, "market").stream(Watchlist(TICKERS))) as batches:
        await anext(batches)  # more than a batch is of the past
        await anext(batches)
        demo.set_replay(None, True, step=False)
        before = demo.replay().at
        demo.set_replay(None, None, step=True)
        newest = max(message.ts for message in await anext(batches))
    assert before is not None
    assert before < newest.timestamp() == demo.replay().at
