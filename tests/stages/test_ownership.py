"""Topic ownership: what is claimed, and which part of the watchlist the feeds of this process see."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from pipeline.bus.base import BusError, Record, Refusal
from pipeline.config.settings import SupervisorSettings
from pipeline.model.messages import AnyMessage, Bar
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import FeedName
from pipeline.stages.ownership import TopicOwnership
from pipeline.stages.producer import Producer
from pipeline.stages.quote_pacer import QuotePacer
from pipeline.supervision.supervisor import Supervisor
from testkit.fakes import FakeClock


class Group:
    """A bus of which only the claims are used: what they hold is what the test says, of what is claimed."""

    def __init__(self) -> None:
        self.given: frozenset[str] | None = None
        self.claimed: frozenset[str] = frozenset()
        self.error: BusError | None = None
        self.open = 0
        self.published: list[str] = []
        self._changed = asyncio.Event()

    def give(self, *topics: str) -> None:
        self.given = frozenset(topics)
        self._changed.set()

    def fail(self, error: BusError | None) -> None:
        self.error = error
        self._changed.set()

    def claims(self, group: str) -> "Group":
        self.open += 1
        return self

    async def claim(self, topics: Collection[str]) -> None:
        self.claimed = frozenset(topics)

    async def poll(self, timeout: float) -> frozenset[str] | None:  # noqa: ASYNC109
        await self._changed.wait()
        self._changed.clear()
        if self.error is not None:
            raise self.error
        return None if self.given is None else self.given & self.claimed

    async def close(self) -> None:
        self.open -= 1

    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        self.published += [record.key for record in records]
        return []


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def group() -> Group:
    return Group()


@asynccontextmanager
async def claiming(group: Group, watchlist: Watchlist, heard: list[str]) -> AsyncIterator[TopicOwnership]:
    ownership = TopicOwnership(group, watchlist, economic=True, on_tickers=heard.extend)  # type: ignore[arg-type]
    supervisor = Supervisor(SupervisorSettings(backoff_initial=0.01, backoff_max=0.01))
    supervisor.add("claims", "claims", ownership.run)
    try:
        yield ownership
    finally:
        assert await supervisor.stop(20)
    assert group.open == 0
    assert not ownership.tickers


async def test_feeds_see_what_is_held_in_the_order_of_the_watchlist(group: Group) -> None:
    watchlist, heard = Watchlist(["MSFT", "AAPL", "BRK.B"]), []
    async with claiming(group, watchlist, heard) as ownership:
        await until(lambda: group.claimed)
        assert group.claimed == {"stock_data_msft", "stock_data_aapl", "stock_data_brk_2eb", "economic_general"}
        assert not ownership.settled
        group.give("stock_data_brk_2eb", "stock_data_msft")
        await until(lambda: ownership.settled)
        assert ownership.tickers.tickers == ("MSFT", "BRK.B") == tuple(heard)
        assert not ownership.economic
        group.give("stock_data_aapl", "economic_general")
        await until(lambda: ownership.economic)
        assert ownership.tickers.tickers == ("AAPL",)
        assert heard == ["MSFT", "BRK.B", "AAPL"]


async def test_a_removed_ticker_goes_at_once_and_an_added_one_comes_when_it_is_held(group: Group) -> None:
    watchlist = Watchlist(["AAPL", "MSFT"])
    async with claiming(group, watchlist, []) as ownership:
        group.give("stock_data_aapl", "stock_data_msft")
        await until(lambda: ownership.settled)
        watchlist.remove(["MSFT"])
        watchlist.add(["TSLA"])
        assert not ownership.settled
        await until(lambda: "stock_data_tsla" in group.claimed)
        assert ownership.tickers.tickers == ("AAPL",)
        group.give("stock_data_aapl", "stock_data_tsla")
        await until(lambda: ownership.settled)
        assert ownership.tickers.tickers == ("AAPL", "TSLA")


async def test_nothing_is_held_while_the_bus_is_out_of_reach(group: Group) -> None:
    async with claiming(group, Watchlist(["AAPL"]), []) as ownership:
        group.give("stock_data_aapl", "economic_general")
        await until(lambda: ownership.settled)
        group.fail(BusError("gone"))
        await until(lambda: not ownership.settled)
        assert not ownership.tickers
        assert not ownership.economic
        group.fail(None)
        await until(lambda: ownership.settled)
        assert ownership.tickers.tickers == ("AAPL",)


class Endless:
    """Like a feed of economic series, says something again and again and heeds no watchlist."""

    name: FeedName = "economic"

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        ts = datetime(2026, 1, 2, 15, tzinfo=UTC)
        while True:
            yield [Bar(ticker="AAPL", ts=ts, interval="1min", open=1, high=1, low=1, close=1, volume=1)]
            await asyncio.sleep(0)


async def test_a_producer_runs_while_something_is_held(group: Group) -> None:
    held = Watchlist()
    producer = Producer(Endless(), group, held, QuotePacer(FakeClock()))  # type: ignore[arg-type]
    supervisor = Supervisor(SupervisorSettings())
    supervisor.add("economic", "producer", producer.run)
    await until(lambda: supervisor.services[0].state == "running")
    assert producer.exhausted
    assert group.published == []
    held.become(["economic_general"])
    assert not producer.exhausted
    await until(lambda: len(group.published) > 3)
    held.become([])
    assert producer.exhausted
    published = len(group.published)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(group.published) == published
    held.become(["economic_general"])
    await until(lambda: len(group.published) > published)
    assert await supervisor.stop(20)
