"""Stages on the embedded engines: what goes in, what comes out, and what becomes of that which cannot."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.bus.base import Record
from pipeline.bus.embedded import EmbeddedBus
from pipeline.clock import SystemClock
from pipeline.messages import AnyMessage, Article, Bar, Quote
from pipeline.records import records_of
from pipeline.sentiment import SentimentScorer
from pipeline.series import Series
from pipeline.settings import SupervisorSettings
from pipeline.sources.base import FeedName, HistoryChunk, SourceError
from pipeline.stages.consume import lag_of
from pipeline.stages.indicators import IndicatorProcessor
from pipeline.stages.loader import Loader, Pending
from pipeline.stages.monitor import Monitor
from pipeline.stages.producer import Producer
from pipeline.stages.sentiment import SentimentProcessor
from pipeline.stages.sink import Sink
from pipeline.stages.view import ViewStage
from pipeline.statefile import StateFile
from pipeline.store.base import Query
from pipeline.store.embedded import EmbeddedStore
from pipeline.supervisor import Run, Supervisor
from pipeline.topics import INDICATOR_GROUP, READERS, SENTIMENT_GROUP, SINK_GROUP, split_topic
from pipeline.view import LiveView
from pipeline.watchlist import Watchlist
from tests.fakes import FakeClock

TS = datetime(2019, 2, 11, 14, 31, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")


def bar(minute: int, close: float = 10, **more: object) -> Bar:
    values = {"open": close, "high": close, "low": close, "close": close, "volume": 1, "interval": "1min"}
    return Bar(ticker="AAPL", ts=TS + timedelta(minutes=minute), **(values | more))  # type: ignore[arg-type]


class Bench:
    """A bus, a store and services on them."""

    def __init__(self, directory: Path) -> None:
        self.bus = EmbeddedBus(directory / "bus.sqlite")
        self.store = EmbeddedStore(directory / "store.sqlite")
        self.watchlist = Watchlist(["AAPL"])

    async def publish(self, *messages: AnyMessage) -> None:
        await self.bus.publish(records_of(messages))

    async def stored(self, collection: str, **query: object) -> list[dict[str, object]]:
        return await self.store.find(Query(collection, **query))  # type: ignore[arg-type]

    @asynccontextmanager
    async def running(self, **services: Run) -> AsyncIterator[Supervisor]:
        supervisor = Supervisor(SupervisorSettings(max_restarts=0))
        for name, run in services.items():
            supervisor.add(name, "processor", run)
        try:
            yield supervisor
        finally:
            assert await supervisor.stop(20)
            assert [service.error for service in supervisor.services] == [None] * len(services)

    async def caught_up(self, *groups: str) -> None:
        async with asyncio.timeout(60):
            for group in groups:
                while await lag_of(self.bus, group, await self._read_by(group)) > 0:
                    await asyncio.sleep(0)

    async def _read_by(self, group: str) -> set[str]:
        return {topic for topic in await self.bus.topics() if group in READERS[split_topic(topic)[0]]}


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    await bench.bus.open()
    await bench.store.open()
    yield bench
    await bench.bus.close()
    await bench.store.close()


class TestSink:
    async def test_what_cannot_be_decoded_is_stored_as_a_dead_letter_and_the_rest_as_it_is(self, bench: Bench) -> None:
        garbage = [b"", b"{", b"\xff\xfe", b'{"type":"bar","ticker":"MSFT"}', b"[" * 50_000]
        await bench.bus.publish([Record("stock_data_aapl", "AAPL", value, 5) for value in garbage])
        await bench.publish(bar(0), bar(0), bar(1))
        sink = Sink(bench.bus, bench.store, bench.watchlist)
        async with bench.running(sink=sink.run):
            await until(lambda: bench.stored("dead_letter", last=len(garbage)))
            await bench.caught_up(SINK_GROUP)
        letters = await bench.stored("dead_letter")
        assert [letter["_id"] for letter in letters] == [f"stock_data_aapl|0|{n}" for n in range(len(garbage))]
        assert all(letter["reason"] for letter in letters)
        assert len(await bench.stored("stock_data")) == 2
        assert sink.dead_letters == len(garbage)
        assert sink.meters["stock_data"].rate.total == 3

    async def test_a_correction_replaces_and_what_it_corrects_does_not_come_back(self, bench: Bench) -> None:
        await bench.publish(bar(0, 11, revision=1), bar(0, 10))
        async with bench.running(sink=Sink(bench.bus, bench.store, bench.watchlist).run):
            await bench.caught_up(SINK_GROUP)
        assert [document["close"] for document in await bench.stored("stock_data")] == [11]

    async def test_a_ticker_that_is_no_longer_watched_is_still_written(self, bench: Bench) -> None:
        await bench.publish(bar(0))
        bench.watchlist.remove(["AAPL"])
        async with bench.running(sink=Sink(bench.bus, bench.store, bench.watchlist).run):
            await bench.caught_up(SINK_GROUP)
        assert len(await bench.stored("stock_data")) == 1


class TestIndicatorProcessor:
    def processor(self, bench: Bench) -> IndicatorProcessor:
        return IndicatorProcessor(bench.bus, bench.store, bench.watchlist, ZONE)

    async def test_a_restart_goes_on_as_if_there_had_been_none(self, bench: Bench) -> None:
        """Also when the store is ahead of the processor, which it was in the second round."""
        bars = [bar(n, 10 + n % 7) for n in range(90)]
        sink = Sink(bench.bus, bench.store, bench.watchlist).run
        await bench.publish(*bars[:60])
        async with bench.running(sink=sink, indicators=self.processor(bench).run):
            await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        await bench.publish(*bars[60:80], bar(30, 20, revision=1))
        async with bench.running(sink=sink):
            await bench.caught_up(SINK_GROUP)
        async with bench.running(sink=sink, indicators=self.processor(bench).run):
            await bench.publish(*bars[80:])
            await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        rows = await bench.stored("indicators")
        assert len(rows) == 90
        disturbed = {row["_id"]: row for row in rows}
        expected = Series("AAPL", "1min", ZONE).merge([*bars[:30], bar(30, 20, revision=1), *bars[31:]])
        for row in expected[20:]:
            stored = disturbed[f"AAPL|1min|{row.ts:%Y-%m-%dT%H:%M:%SZ}"]
            assert stored["lineage"] == row.lineage
            assert stored["sma_20"] == pytest.approx(row.sma_20, rel=1e-9)
            assert stored["obv"] == pytest.approx(row.obv, rel=1e-9)

    async def test_quotes_and_garbage_are_passed_over(self, bench: Bench) -> None:
        await bench.bus.publish([Record("stock_data_aapl", "AAPL", b"{", 5)])
        await bench.publish(Quote(ticker="AAPL", ts=TS, price=5), bar(0))
        async with bench.running(indicators=self.processor(bench).run):
            await bench.caught_up(INDICATOR_GROUP)
        (partition,) = await bench.bus.offsets(["indicators_aapl"])
        assert (await bench.bus.offsets(["indicators_aapl"]))[partition] == (0, 1)


class TestSentimentProcessor:
    async def test_each_article_is_scored(self, bench: Bench) -> None:
        await bench.publish(Article(ticker="AAPL", ts=TS, id="1", title="An excellent, wonderful quarter"))
        sentiment = SentimentProcessor(bench.bus, bench.watchlist, SentimentScorer()).run
        async with bench.running(sentiment=sentiment, sink=Sink(bench.bus, bench.store, bench.watchlist).run):
            await bench.caught_up(SENTIMENT_GROUP, SINK_GROUP)
        (scored,) = await bench.stored("sentiment")
        assert (scored["label"], scored["kind"], scored["id"]) == ("positive", "article", "1")


class TestView:
    async def test_it_shows_what_was_stored_before_and_what_comes(self, bench: Bench) -> None:
        await bench.publish(bar(0, 10))
        async with bench.running(sink=Sink(bench.bus, bench.store, bench.watchlist).run):
            await bench.caught_up(SINK_GROUP)
        view = LiveView(ZONE)
        stage = ViewStage(bench.bus, bench.store, bench.watchlist, view)

        async def price() -> float | None:
            return view.of("AAPL").view(TS).price

        async with bench.running(view=stage.run):
            await until(lambda: _is(price, 10))
            await bench.publish(bar(1, 11))
            await until(lambda: _is(price, 11))
            bench.watchlist.remove(["AAPL"])
            bench.watchlist.add(["MSFT"])
            await until(lambda: _now(view.tickers == ["MSFT"]))


class TestMonitor:
    async def test_it_tells_lag_by_group_and_counts_documents(self, bench: Bench) -> None:
        await bench.publish(bar(0), bar(1))
        monitor = Monitor(bench.bus, bench.store, bench.watchlist, SystemClock())
        async with bench.running(monitor=monitor.run):
            await until(lambda: _now(monitor.documents))
        (topic,) = monitor.topics
        assert (topic.topic, topic.records) == ("stock_data_aapl", 2)
        assert {group.group: group.lag for group in topic.groups} == {INDICATOR_GROUP: 2, SINK_GROUP: 2}
        assert monitor.documents["stock_data"] == 0


class Feed:
    """Hands out what it is given, and counts how often it was asked for more."""

    name: FeedName = "market"

    def __init__(self, *batches: Sequence[AnyMessage]) -> None:
        self._batches = list(batches)
        self.asked = 0

    async def stream(self, watchlist: Watchlist) -> AsyncGenerator[Sequence[AnyMessage]]:
        while self._batches:
            self.asked += 1
            yield self._batches.pop(0)


class TestProducer:
    async def test_it_publishes_all_and_says_when_there_is_no_more(self, bench: Bench) -> None:
        producer = Producer(Feed([bar(0)], [bar(1), bar(2)]), bench.bus, bench.watchlist)
        async with bench.running(market=producer.run):
            await until(lambda: _now(producer.exhausted))
            (partition,) = await bench.bus.offsets(["stock_data_aapl"])
            assert (await bench.bus.offsets(["stock_data_aapl"]))[partition] == (0, 3)
            bench.watchlist.add(["MSFT"])  # asks the source again
            await until(lambda: _now(producer.exhausted))

    async def test_a_bus_that_does_not_acknowledge_holds_the_source_back(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        let_go = asyncio.Event()
        publish = bench.bus.publish

        async def slow(records: Sequence[Record]) -> None:
            await let_go.wait()
            await publish(records)

        monkeypatch.setattr(bench.bus, "publish", slow)
        feed = Feed(*([bar(n)] for n in range(10)))
        producer = Producer(feed, bench.bus, bench.watchlist)
        async with bench.running(market=producer.run):
            await until(lambda: _now(feed.asked))
            for _ in range(50):
                await asyncio.sleep(0)
            assert feed.asked == 1
            let_go.set()
            await until(lambda: _now(producer.exhausted))
        assert feed.asked == 10


class History:
    name = "history"
    simulated = False

    def feeds(self) -> Sequence[Feed]:
        return []

    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        if ticker == "NONE":
            raise SourceError("nothing is known of NONE")
        yield HistoryChunk([bar(0)], 1, 2)
        yield HistoryChunk([bar(1)], 2, 2)

    async def close(self) -> None: ...


class Endless(History):
    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        for done in count(1):
            yield HistoryChunk([bar(done)], done, 0)


class TestLoader:
    async def test_progress_and_failure_are_told_by_ticker_and_forgotten_in_time(self, bench: Bench) -> None:
        clock = FakeClock()
        loader = Loader(History(), bench.bus, clock)
        assert loader.request(["AAPL", "NONE", "AAPL"]) == ["AAPL", "NONE"]
        assert loader.request(["AAPL"]) == []
        assert not loader.idle
        async with bench.running(loader=loader.run):
            await until(lambda: _now(loader.idle))
        told = {load.ticker: (load.state, load.done, load.total, load.note) for load in loader.views()}
        assert told == {"AAPL": ("done", 2, 2, ""), "NONE": ("failed", 0, 0, "nothing is known of NONE")}
        clock.jump(31)
        assert [load.ticker for load in loader.views()] == ["NONE"]
        assert loader.request(["AAPL"]) == ["AAPL"]
        assert [load.state for load in loader.views()] == ["failed", "waiting"]

    async def test_what_a_stop_interrupts_is_taken_up_by_the_next_process(self, bench: Bench, tmp_path: Path) -> None:
        memory = StateFile(tmp_path / "loads.json", Pending)
        Loader(History(), bench.bus, memory=memory).request(["NONE", "AAPL"])
        other = Loader(History(), bench.bus, memory=memory)
        other.resume({"MSFT"})
        assert other.idle  # nobody watches them now
        again = Loader(History(), bench.bus, memory=memory)
        again.resume({"NONE", "AAPL"})
        assert [(load.ticker, load.state) for load in again.views()] == [("NONE", "waiting"), ("AAPL", "waiting")]
        async with bench.running(loader=again.run):
            await until(lambda: _now(again.idle))
        last = Loader(History(), bench.bus, memory=memory)
        last.resume({"NONE", "AAPL"})
        assert last.idle

    async def test_a_ticker_that_is_removed_is_loaded_no_further(self, bench: Bench) -> None:
        loader = Loader(Endless(), bench.bus)
        loader.request(["MSFT", "AAPL"])
        async with bench.running(loader=loader.run):
            await until(lambda: _now(loader.loads["MSFT"].done > 0))
            loader.cancel(["MSFT"])
            await until(lambda: _now(loader.loads["AAPL"].done > 0))
            loader.cancel(["AAPL"])
            await until(lambda: _now(loader.idle))
        assert loader.views() == []


async def _now(value: object) -> object:
    return value


async def _is(get: Callable[[], Awaitable[object]], value: object) -> bool:
    return await get() == value
