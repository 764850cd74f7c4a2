"""Quotes on their way to the bus: the last of each ticker is published whatever happens, and none too often."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.bus.base import BusError, Record, Refusal
from pipeline.config.settings import SupervisorSettings
from pipeline.model.messages import AnyMessage, Bar, Quote, decode
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import FeedName
from pipeline.stages.producer import Producer
from pipeline.stages.quote_pacer import QuotePacer
from pipeline.supervision.supervisor import Supervisor
from testkit.fakes import START, FakeClock

BAR = Bar(ticker="AAPL", ts=START, interval="1min", open=1, high=1, low=1, close=1, source="s")


def quote(price: float, ticker: str = "AAPL", *, revision: int | None = None, **more: object) -> Quote:
    """A later one costs more, unless the revision says otherwise."""
    revision = int(price) if revision is None else revision
    return Quote(ticker=ticker, price=price, ts=START, revision=revision, source="s", **more)


class Reader:
    """Takes what is due at once, as a producer does, and notes when."""

    def __init__(self, pacer: QuotePacer, clock: FakeClock) -> None:
        self.taken: list[tuple[float, Quote]] = []
        self._pacer = pacer
        self._clock = clock

    async def run(self) -> None:
        while True:
            due = await self._pacer.due()
            self.taken += [(self._clock.monotonic(), quote) for quote in due]
            self._pacer.published(due)

    def prices(self, ticker: str = "AAPL") -> list[tuple[float, float]]:
        return [(at, quote.price) for at, quote in self.taken if quote.ticker == ticker]


async def test_the_first_goes_at_once_and_the_last_of_each_second_after_it() -> None:
    clock = FakeClock()
    pacer = QuotePacer(clock, 1.0)
    reader = Reader(pacer, clock)
    reading = asyncio.ensure_future(reader.run())
    for number in range(1, 21):  # eight a second
        assert pacer.hold([quote(number)]) == []
        await clock.advance(0.125)
    await clock.advance(10)
    reading.cancel()
    assert reader.prices() == [(0, 1), (1, 8), (2, 16), (3, 20)]
    assert not pacer.waiting


async def test_one_that_has_been_silent_waits_a_quarter_at_most_for_those_that_have_not() -> None:
    clock = FakeClock()
    pacer = QuotePacer(clock, 1.0)
    reader = Reader(pacer, clock)
    reading = asyncio.ensure_future(reader.run())
    pacer.hold([quote(1)])
    await clock.advance(0.1)
    pacer.hold([quote(2), quote(3, "MSFT")])
    await clock.advance(2)
    reading.cancel()
    assert reader.prices("MSFT") == [(0.25, 3)]
    assert reader.prices() == [(0, 1), (1, 2)]


def test_bars_pass_in_their_order_and_so_does_everything_if_all_is_wanted() -> None:
    messages = [quote(1), BAR, quote(2), replace(BAR, closed=False), BAR]
    assert QuotePacer(FakeClock()).hold(messages) == messages
    pacer = QuotePacer(FakeClock(), 1.0)
    assert pacer.hold(messages) == [BAR, replace(BAR, closed=False), BAR]
    assert pacer.waiting == [quote(2)]


def test_a_late_one_replaces_none_and_the_last_of_regular_trading_is_kept() -> None:
    pacer = QuotePacer(FakeClock(), 1.0)
    regular = quote(7, session="regular")
    pacer.hold([regular, quote(8, session="regular", revision=3), quote(9, session="post")])
    assert pacer.waiting == [regular, quote(9, session="post")]
    other = replace(quote(1, session="regular"), source="other")
    pacer.hold([other])
    assert other in pacer.waiting and regular in pacer.waiting


async def test_one_that_comes_while_the_last_is_being_published_waits_for_its_turn() -> None:
    clock = FakeClock()
    pacer = QuotePacer(clock, 1.0)
    pacer.hold([quote(1)])
    due = await pacer.due()
    pacer.hold([quote(2)])
    pacer.published(due)
    assert pacer.waiting == [quote(2)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["A", "B"]), st.integers(0, 700), st.integers(1, 99)), max_size=40
    ),  # ticker, milliseconds since the one before, revision
    st.sampled_from([0.5, 1.0, 4.0]),
)
async def test_for_any_quotes_the_latest_comes_last_and_none_too_often(
    coming: list[tuple[str, int, int]], per_second: float
) -> None:
    clock = FakeClock()
    pacer = QuotePacer(clock, per_second)
    reader = Reader(pacer, clock)
    reading = asyncio.ensure_future(reader.run())
    latest: dict[str, int] = {}
    for ticker, after, revision in coming:
        await clock.advance(after / 1000)
        pacer.hold([quote(revision, ticker)])
        latest[ticker] = max(latest.get(ticker, 0), revision)
    await clock.advance(2 / per_second)
    reading.cancel()
    for ticker, revision in latest.items():
        times, prices = zip(*reader.prices(ticker), strict=True)
        assert revision in prices
        assert all(later - at >= 1 / per_second - 1e-5 for at, later in pairwise(times))


class Said:
    """A feed of what a test says, for ever; one `end` ends it, or raises."""

    name: FeedName = "market"

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Sequence[AnyMessage] | Exception | None] = asyncio.Queue()

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        while (item := await self.queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item


class Bus:
    """Notes what is published, unless it is away."""

    def __init__(self) -> None:
        self.published: list[AnyMessage] = []
        self.away = False

    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        if self.away:
            raise BusError("away")
        self.published += [decode(record.topic, record.value) for record in records]
        return []

    @property
    def prices(self) -> list[float]:
        return [message.price for message in self.published if isinstance(message, Quote)]


class Running:
    """A producer that is published by, with a quote of each of two tickers waiting after the first was let go."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bus = Bus()
        self.feed = Said()
        self.held = Watchlist(["AAPL", "MSFT"])
        self.producer = Producer(self.feed, self.bus, self.held, QuotePacer(self.clock, 1.0))
        self.supervisor = Supervisor(SupervisorSettings(), self.clock)

    async def start(self) -> None:
        self.supervisor.add("market", "producer", self.producer.run)
        await self.say(quote(1), quote(1, "MSFT"))
        await self.say(quote(2), quote(2, "MSFT"), BAR)
        assert self.bus.published == [quote(1), quote(1, "MSFT"), BAR]

    async def say(self, *messages: AnyMessage) -> None:
        self.feed.queue.put_nowait(messages)
        await self.clock.advance(0.01)


@pytest.fixture
async def running() -> Running:
    running = Running()
    await running.start()
    return running


End = Literal["stop", "restart", "end", "fail", "suspend", "lose all"]


@pytest.mark.parametrize("how", ["stop", "restart", "end", "fail", "suspend", "lose all"])
async def test_what_waits_is_published_when_a_feed_ends(running: Running, how: End) -> None:
    match how:
        case "stop":
            assert await running.supervisor.stop(5)
        case "restart":
            running.supervisor.restart()
        case "end":
            running.feed.queue.put_nowait(None)
        case "fail":
            running.feed.queue.put_nowait(ValueError("odd"))
        case "suspend":
            async with running.supervisor.suspended(["producer"]):
                assert running.bus.prices == [1, 1, 2, 2], "before anything is done meanwhile"
        case "lose all":
            running.held.become([])
            await running.say(BAR)
    await running.clock.advance(0.01)
    assert running.bus.prices == [1, 1, 2, 2]
    assert await running.supervisor.stop(5)
    assert running.bus.prices == [1, 1, 2, 2]


@pytest.mark.parametrize("how", ["pause", "remove"])
async def test_what_waits_is_published_in_its_turn_whatever_is_wanted_of_the_feed(
    running: Running, how: Literal["pause", "remove"]
) -> None:
    if how == "pause":
        running.supervisor.pause()
        await running.say(quote(3))
    else:
        running.held.remove(["AAPL"])
    await running.clock.advance(2)
    assert running.bus.prices == [1, 1, 2, 2]
    if how == "pause":
        running.supervisor.resume()
        await running.clock.advance(2)
        assert running.bus.prices == [1, 1, 2, 2, 3], "what came during the pause"
    assert await running.supervisor.stop(5)


async def test_it_outlives_a_bus_that_is_away(running: Running) -> None:
    running.bus.away = True
    await running.clock.advance(5)
    await running.say(quote(3))
    assert running.bus.prices == [1, 1]
    running.bus.away = False
    await running.clock.advance(120)
    assert running.bus.prices == [1, 1, 2, 2, 3]
    assert await running.supervisor.stop(5)


async def test_it_counts_what_the_feed_gave(running: Running) -> None:
    assert running.supervisor.services[0].rate.total == 5
    assert await running.supervisor.stop(5)
