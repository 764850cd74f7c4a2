"""Which source serves which ticker, when one fails, and when it comes back."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest

from pipeline.model.messages import AnyMessage, Quote
from pipeline.model.outage import OutsideError
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import Feed, HistoryChunk, Share, TickerTrouble
from pipeline.sources.routing import LOOK, PATIENCE, Route, RoutedFeed
from testkit.fakes import START, FakeClock

ORDER = {"AAPL": ("yahoo", "alpha_vantage"), "BTC-USD": ("coinbase", "yahoo"), "^N225": ("stooq",)}
SECONDS = PATIENCE.total_seconds()


class RefusalError(OutsideError):
    permanent = True


class Scripted:
    """A source whose feed gives what the test puts in: a message, or an error that ends it."""

    simulated = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: dict[str, TickerTrouble] = {}
        self.asked: Watchlist | None = None
        self._queue: asyncio.Queue[str | Exception] = asyncio.Queue()

    def says(self, what: str | Exception) -> None:
        self._queue.put_nowait(what)

    def feeds(self) -> Sequence[Feed]:
        return [self]

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        self.asked = watchlist
        while True:
            what = await self._queue.get()
            if isinstance(what, Exception):
                raise what
            yield [Quote(ticker=what, ts=START, price=1, source=self.name)]

    def troubles(self) -> Mapping[str, TickerTrouble]:
        return self.found

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        yield HistoryChunk([], 0, 0)

    async def close(self) -> None:
        """Nothing is open."""


class Routed:
    """Three sources behind one route, their feeds run as producers run them: started again after an error."""

    def __init__(self, *tickers: str) -> None:
        self.clock = FakeClock()
        self.sources = {name: Scripted(name) for name in ("yahoo", "alpha_vantage", "coinbase")}
        self.route = Route(lambda ticker: ORDER[ticker], self.sources, self.clock)
        self.held = Watchlist(tickers)
        self.got: list[tuple[str, str]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._produce(name)) for name in self.sources]
        await self.settle()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _produce(self, name: str) -> None:
        feed = RoutedFeed(f"market {name}", name, self.sources[name], self.route, self.clock)
        while True:
            try:
                async with aclosing(feed.stream(self.held)) as batches:
                    async for batch in batches:
                        self.got += [(message.source, message.ticker) for message in batch]  # type: ignore[union-attr]
            except OutsideError:
                await asyncio.sleep(0)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def passes(self, seconds: float) -> None:
        """Time, in steps in which sources are looked at."""
        for _ in range(int(seconds / LOOK) + 1):
            await self.clock.advance(LOOK)
            await self.settle()

    def part(self, name: str) -> tuple[str, ...]:
        return self.route.part(name).tickers


@pytest.fixture
def routed() -> Routed:
    return Routed("AAPL", "BTC-USD")


async def test_each_ticker_goes_to_the_first_of_its_sources(routed: Routed) -> None:
    async with routed.running():
        assert routed.part("yahoo") == ("AAPL",)
        assert routed.part("coinbase") == ("BTC-USD",)
        assert routed.part("alpha_vantage") == ()
        assert routed.sources["alpha_vantage"].asked is None, "what serves nothing asks for nothing"
        assert routed.route.order("AAPL") == ["yahoo", "alpha_vantage"]
        routed.sources["yahoo"].says("AAPL")
        await routed.settle()
        assert routed.got == [("yahoo", "AAPL")]
        assert not routed.route.troubles()


async def test_one_that_fails_for_long_hands_over_and_gets_back_with_its_first_answer(routed: Routed) -> None:
    async with routed.running():
        routed.sources["yahoo"].says("AAPL")
        await routed.settle()
        routed.sources["yahoo"].says(OutsideError("yahoo: the host refuses it"))
        await routed.passes(SECONDS / 2)
        assert routed.part("alpha_vantage") == (), "a short outage moves nothing"
        assert routed.route.troubles()["AAPL"].why == "yahoo: the host refuses it"
        await routed.passes(SECONDS / 2)
        assert routed.part("alpha_vantage") == ("AAPL",)
        assert routed.part("yahoo") == ("AAPL",), "it goes on trying"
        assert routed.route.order("AAPL") == ["alpha_vantage", "yahoo"]
        assert routed.route.troubles()["AAPL"].why == "yahoo: the host refuses it; alpha_vantage is asked meanwhile"
        routed.sources["alpha_vantage"].says("AAPL")
        await routed.settle()
        assert routed.route.troubles()["AAPL"].why == "yahoo: the host refuses it; alpha_vantage serves it meanwhile"
        assert routed.part("coinbase") == ("BTC-USD",), "others are not concerned"
        routed.sources["yahoo"].says("AAPL")
        await routed.settle()
        assert routed.part("alpha_vantage") == ()
        assert routed.route.order("AAPL") == ["yahoo", "alpha_vantage"]
        assert not routed.route.troubles()


async def test_one_that_has_never_answered_is_not_waited_for(routed: Routed) -> None:
    async with routed.running():
        routed.sources["yahoo"].says(OutsideError("yahoo: the host refuses it"))
        await routed.settle()
        assert routed.part("alpha_vantage") == ("AAPL",)
        assert routed.route.troubles()["AAPL"].why == "yahoo: the host refuses it; alpha_vantage is asked meanwhile"


async def test_one_that_fails_is_missed_until_another_has_taken_over(routed: Routed) -> None:
    async with routed.running():
        for name, ticker in (("coinbase", "BTC-USD"), ("yahoo", "AAPL")):
            routed.sources[name].says(ticker)
        await routed.settle()
        assert routed.route.shares() == {"yahoo": Share(1), "alpha_vantage": Share(0), "coinbase": Share(1)}
        routed.sources["coinbase"].says(OutsideError("coinbase: the host refuses it"))
        await routed.passes(SECONDS / 2)
        assert not routed.route.shares()["coinbase"].stand_ins, "its price does not come"
        await routed.passes(SECONDS / 2)
        assert routed.route.shares()["coinbase"] == Share(0, ["yahoo"])
        routed.sources["yahoo"].says(OutsideError("yahoo: the host refuses it"))
        await routed.settle()
        assert not routed.route.shares()["coinbase"].stand_ins
        assert not routed.route.shares()["yahoo"].stand_ins
        assert routed.route.troubles()["BTC-USD"].why == "yahoo: the host refuses it", (
            "which serves it now, and does not"
        )


async def test_an_outage_says_when_it_is_tried_again_and_a_refusal_that_it_is_not(routed: Routed) -> None:
    async with routed.running():
        for name, ticker, error, again in (
            ("yahoo", "AAPL", OutsideError("status 503"), timedelta(seconds=40)),
            ("coinbase", "BTC-USD", RefusalError("status 403"), None),
        ):
            error.retry_after = 40.0
            routed.route.failed(name, error)
            routed.route.failed("yahoo" if name == "coinbase" else "alpha_vantage", error)
            found = routed.route.troubles()[ticker].next_try
            assert found == (None if again is None else routed.clock.now() + again)


async def test_one_that_refuses_is_not_waited_for(routed: Routed) -> None:
    async with routed.running():
        routed.sources["yahoo"].says(RefusalError("yahoo: status 403"))
        await routed.passes(LOOK)
        assert routed.part("alpha_vantage") == ("AAPL",)


async def test_a_ticker_that_a_source_does_not_know_goes_to_the_next_alone() -> None:
    routed = Routed("AAPL", "BTC-USD")
    async with routed.running():
        routed.sources["coinbase"].found["BTC-USD"] = TickerTrouble("Coinbase does not trade BTC-USD", START)
        await routed.passes(LOOK)
        assert routed.part("yahoo") == ("AAPL", "BTC-USD")
        assert routed.route.order("BTC-USD")[0] == "yahoo"
        routed.sources["coinbase"].found.clear()
        await routed.passes(LOOK)
        assert routed.part("yahoo") == ("AAPL",)


async def test_a_ticker_that_is_asked_for_again_soon_stays_for_a_while(routed: Routed) -> None:
    async with routed.running():
        routed.sources["coinbase"].says("BTC-USD")
        await routed.settle()
        again = START + timedelta(seconds=60)
        routed.sources["coinbase"].found["BTC-USD"] = TickerTrouble("not in time", START, again)
        await routed.passes(SECONDS / 2)
        assert routed.part("yahoo") == ("AAPL",)
        await routed.passes(SECONDS / 2)
        assert routed.part("yahoo") == ("AAPL", "BTC-USD")


async def test_where_all_fail_all_go_on_trying_and_what_was_shown_stays(routed: Routed) -> None:
    async with routed.running():
        for name in ("yahoo", "alpha_vantage"):
            routed.sources[name].says(RefusalError(f"{name}: status 403"))
            await routed.passes(LOOK)
        assert routed.part("yahoo") == routed.part("alpha_vantage") == ("AAPL",)
        assert routed.route.order("AAPL")[0] == "alpha_vantage"
        routed.sources["yahoo"].says("AAPL")
        await routed.settle()
        assert routed.route.order("AAPL")[0] == "yahoo"


async def test_tickers_come_and_go(routed: Routed) -> None:
    async with routed.running():
        routed.held.become(["BTC-USD", "^N225"])
        await routed.settle()
        assert routed.part("yahoo") == ()
        assert routed.part("coinbase") == ("BTC-USD",)
        assert "no source that is set up serves ^N225; see [routes]" in routed.route.troubles()["^N225"].why
        routed.held.become(["AAPL"])
        await routed.settle()
        assert routed.part("yahoo") == ("AAPL",)
        assert not routed.route.troubles()


async def test_the_focus_is_that_of_the_whole(routed: Routed) -> None:
    async with routed.running():
        routed.held.focus = "AAPL"
        assert routed.route.part("yahoo").focus == "AAPL"
