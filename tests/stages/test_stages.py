"""Stages on the embedded engines: what goes in, what comes out, and what becomes of that which cannot."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, zip_longest
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pipeline.analytics.market_view import LiveView
from pipeline.analytics.sentiment import SentimentScorer
from pipeline.analytics.series import Series
from pipeline.bus.base import BusError, Received, Record, Refusal, TopicPartition
from pipeline.bus.embedded.bus import EmbeddedBus
from pipeline.bus.lag import read_lag
from pipeline.bus.records import decode_all, record_of, records_of
from pipeline.clock import SystemClock
from pipeline.config.settings import SupervisorSettings
from pipeline.contract.protocol import GetMessages
from pipeline.control.topic_browser import browse
from pipeline.model.bar_table import BarTable
from pipeline.model.documents import Document, document_of, messages_in
from pipeline.model.messages import (
    INDICATOR_FIELDS,
    AnyMessage,
    Article,
    Bar,
    DeadLetter,
    Dividend,
    IndicatorRow,
    Quote,
    Split,
    encode,
)
from pipeline.model.topics import (
    FORECAST_GROUP,
    INDICATOR_GROUP,
    INDICATORS,
    READERS,
    SENTIMENT_GROUP,
    SINK_GROUP,
    STOCK_DATA,
    split_topic,
    topic_for,
)
from pipeline.model.watchlist import Watchlist
from pipeline.sources.base import FeedName, HistoryChunk, SourceError
from pipeline.stages.consume import HOPELESS, Subscription, consume
from pipeline.stages.indicators import IndicatorProcessor, IndicatorState
from pipeline.stages.loader import Loader, Pending
from pipeline.stages.monitor import Monitor
from pipeline.stages.producer import Producer
from pipeline.stages.quote_pacer import QuotePacer
from pipeline.stages.sentiment import SentimentProcessor
from pipeline.stages.sink import Sink
from pipeline.stages.view import ViewStage
from pipeline.storage.statefile import StateFile
from pipeline.store.bars import scanned_bars
from pipeline.store.base import Query, StoreError, UpsertResult
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.supervision.supervisor import Run, Supervisor
from testkit.fakes import FakeClock

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
                while await read_lag(self.bus, group, await self._read_by(group)) > 0:
                    await asyncio.sleep(0)

    async def _read_by(self, group: str) -> set[str]:
        return {topic for topic in await self.bus.topics() if group in READERS[split_topic(topic)[0]]}


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0)


class SlowButOnce(EmbeddedStore):
    """The histories of all tickers but the first that is asked for take until `answers` is set."""

    def __init__(self, bench: Bench) -> None:
        self.__dict__ = dict(bench.store.__dict__)
        self.answers = asyncio.Event()
        self.asked: list[str] = []
        self.waiting: set[str] = set()

    async def bars(self, query: Query, *, simulated: bool) -> AsyncIterator[BarTable]:
        assert query.ticker is not None
        self.asked.append(query.ticker)
        if query.ticker != self.asked[0]:
            self.waiting.add(query.ticker)
            await self.answers.wait()
        async for table in super().bars(query, simulated=simulated):
            yield table


class AskedTogether(EmbeddedStore):
    """Writes once it is asked to write to all these collections; the first time the last of them fails."""

    def __init__(self, bench: Bench, collections: Sequence[str]) -> None:
        self.__dict__ = dict(bench.store.__dict__)
        self.collections = collections
        self.asked: set[str] = set()
        self.all_asked = asyncio.Event()
        self.failed = False
        self.written: list[str] = []

    async def upsert(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        self.asked.add(collection)
        if self.asked == set(self.collections):
            self.all_asked.set()
        await self.all_asked.wait()
        if collection == self.collections[-1] and not self.failed:
            self.failed = True
            raise StoreError("it is away")
        result = await super().upsert(collection, documents)
        self.written.append(collection)
        return result


class RefusesDeadLetters(EmbeddedStore):
    """As a database does whose owner asks something else of that collection."""

    def __init__(self, bench: Bench) -> None:
        self.__dict__ = bench.store.__dict__

    async def upsert(self, collection: str, documents: Sequence[Document]) -> UpsertResult:
        if collection == "dead_letter":
            return UpsertResult(rejected=[(document, "it has no owner") for document in documents])
        return await super().upsert(collection, documents)


class Foreign(EmbeddedStore):
    """With documents that others put there, around ours."""

    DOCUMENTS = (
        {"_id": 5, "ticker": "AAPL"},
        {"_id": "AAPL|x", "ticker": "AAPL", "interval": "1min", "source": "s", "ts": "yesterday", "close": "12"},
        {"_id": "AAPL|y", "ts": TS, "ticker": "AAPL", "interval": "1min", "open": [1], "words": 3, "price": -1},
        {"_id": b"\x00", **msgspec.structs.asdict(bar(1, 99))},
        {},
    )

    def __init__(self, bench: Bench) -> None:
        self.__dict__ = bench.store.__dict__

    async def find(self, query: Query) -> list[dict[str, Any]]:
        return [*self.DOCUMENTS, *await super().find(query), *self.DOCUMENTS]

    async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
        async for documents in super().scan(query):
            yield [*self.DOCUMENTS, *documents, *self.DOCUMENTS]

    def bars(self, query: Query, *, simulated: bool) -> AsyncIterator[BarTable]:
        return scanned_bars(self, query, simulated=simulated)


class Slow(EmbeddedStore):
    """Answers no scan before it is told to."""

    def __init__(self, bench: Bench) -> None:
        self.__dict__ = bench.store.__dict__.copy()
        self.answers = asyncio.Event()

    async def scan(self, query: Query) -> AsyncIterator[list[dict[str, Any]]]:
        await self.answers.wait()
        async for documents in super().scan(query):
            yield documents


class Choosy(EmbeddedBus):
    """Refuses a topic, or what is in a record."""

    def __init__(self, bench: Bench, *refused: str) -> None:
        self.__dict__ = bench.bus.__dict__
        self.refused = refused

    async def publish(self, records: Sequence[Record]) -> list[Refusal]:
        bad = [record for record in records if any(r in (record.topic, record.value.decode()) for r in self.refused)]
        await super().publish([record for record in records if record not in bad])
        return [Refusal(record, "it is not wanted") for record in bad]


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

    async def test_a_dead_letter_never_becomes_another(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        """Neither one that the store refuses, nor what somebody else put into the topic."""
        bench.store = RefusesDeadLetters(bench)
        await bench.bus.publish([Record("stock_data_aapl", "AAPL", b"{", 5), Record("dead_letter", "", b"garbage", 5)])
        await bench.publish(DeadLetter(ts=TS, topic="t", partition=0, offset=1, reason="r", payload="p"), bar(0))
        sink = Sink(bench.bus, bench.store, bench.watchlist)
        async with bench.running(sink=sink.run):
            await bench.caught_up(SINK_GROUP)
        assert await bench.bus.offsets(["dead_letter"]) == {TopicPartition("dead_letter", 0): (0, 3)}
        assert sink.dead_letters == 4, "the bad bar, and the three letters that are not stored"
        assert caplog.text.count("the dead letter at offset") == 3
        assert len(await bench.stored("stock_data")) == 1

    @pytest.mark.parametrize("ingested", [b"", b"9" * 400, b"-5", b"nan", b"\xff\xb2", b"0", b"1.7e18", b"9" * 19])
    async def test_a_header_that_means_nothing_decides_over_nothing(self, bench: Bench, ingested: bytes) -> None:
        record = msgspec.structs.replace(records_of([bar(0)])[0], headers={"ingested": ingested}, key="", ts=-1)
        await bench.bus.publish([record])
        sink = Sink(bench.bus, bench.store, bench.watchlist)
        async with bench.running(sink=sink.run):
            await bench.caught_up(SINK_GROUP)
        assert len(await bench.stored("stock_data")) == 1
        assert sink.meters["stock_data"].view("stock_data", 1).delay_p99_ms is None
        (message,) = (await browse(bench.bus, GetMessages("stock_data_aapl"))).messages
        assert message.ts == 0

    async def test_collections_are_written_together(self, bench: Bench) -> None:
        """Each waits until all are asked for; one of them fails, and the records come again."""
        bench.store = store = AskedTogether(bench, ["stock_data", "news"])
        await bench.publish(bar(0), Article(ticker="AAPL", ts=TS, id="1", title="t"))
        sink = Sink(bench.bus, store, bench.watchlist)
        supervisor = Supervisor(SupervisorSettings(backoff_initial=0.001, backoff_max=0.001))
        supervisor.add("sink", "sink", sink.run)
        await bench.caught_up(SINK_GROUP)
        assert await supervisor.stop(20)
        assert sorted(store.written) == ["news", "stock_data", "stock_data"]

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
            stored = disturbed[f"AAPL|1min|unknown|{row.ts:%Y-%m-%dT%H:%M:%SZ}"]
            assert stored["lineage"] == row.lineage
            assert stored["sma_20"] == pytest.approx(row.sma_20, rel=1e-9)
            assert stored["obv"] == pytest.approx(row.obv, rel=1e-9)

    async def test_the_rows_of_the_first_ticker_wait_for_no_other_history(self, bench: Bench) -> None:
        bench.watchlist.add(["MSFT", "TSLA"])
        await bench.publish(*(msgspec.structs.replace(bar(0), ticker=ticker) for ticker in ("AAPL", "MSFT", "TSLA")))
        store = SlowButOnce(bench)
        processor = IndicatorProcessor(bench.bus, store, bench.watchlist, ZONE)

        async def rows() -> int:
            topics = [topic_for(INDICATORS, ticker) for ticker in bench.watchlist]
            return sum(end for _, end in (await bench.bus.offsets(topics)).values())

        async with bench.running(indicators=processor.run):
            await until(lambda: _is(rows, 1))
            await until(lambda: _now(len(store.waiting) == 2))  # the others are read at the same time
            assert await rows() == 1
            assert processor.restoring
            store.answers.set()
            await until(lambda: _is(rows, 3))

    async def test_bars_of_two_sources_are_two_series(self, bench: Bench) -> None:
        """Whatever their order, and over a restart."""
        one = [bar(n, 10 + n % 7, source="one") for n in range(60)]
        two = [bar(n, 500 - n % 5, source="two") for n in range(0, 60, 2)]
        mixed = sorted([*one, *two], key=lambda bar: (bar.ts, bar.source))
        sink = Sink(bench.bus, bench.store, bench.watchlist).run
        for part in (mixed[:50], mixed[50:]):
            await bench.publish(*part)
            async with bench.running(sink=sink, indicators=self.processor(bench).run):
                await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        for bars in (one, two):
            source = bars[0].source
            expected = Series("AAPL", "1min", ZONE).merge(bars)
            rows = await bench.stored("indicators", source=source)
            assert [row["lineage"] for row in rows] == [row.lineage for row in expected]
            assert [row["close"] for row in await bench.stored("stock_data", source=source)] == [b.close for b in bars]
            for row, wanted in zip(rows, expected, strict=True):
                assert row["source"] == source
                assert row["sma_20"] == (None if wanted.sma_20 is None else pytest.approx(wanted.sma_20, rel=1e-9))

    async def test_rows_that_are_not_stored_are_computed_with_the_next_bar(self, bench: Bench) -> None:
        """As after a migration that had to delete them."""
        await bench.store.upsert("stock_data", [document_of(bar(n)) for n in range(30)])
        await bench.publish(bar(30))
        sink = Sink(bench.bus, bench.store, bench.watchlist).run
        async with bench.running(sink=sink, indicators=self.processor(bench).run):
            await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        assert len(await bench.stored("indicators")) == 31

    async def test_documents_of_others_are_passed_over(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
        sink = Sink(bench.bus, bench.store, bench.watchlist).run
        bars = [bar(n, 10 + n % 7) for n in range(40)]
        await bench.publish(*bars[:30])
        async with bench.running(sink=sink, indicators=self.processor(bench).run):
            await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        await bench.publish(*bars[30:])
        async with bench.running(
            sink=sink, indicators=IndicatorProcessor(bench.bus, Foreign(bench), bench.watchlist, ZONE).run
        ):
            await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        found = [row["sma_20"] for row in await bench.stored("indicators")]
        expected = [row.sma_20 for row in Series("AAPL", "1min", ZONE).merge(bars)]
        assert (len(found), found[:19]) == (40, [None] * 19)
        assert found[19:] == pytest.approx(expected[19:], rel=1e-9)
        assert "10 documents in the store are not a valid Bar and are skipped" in caplog.text

    async def test_a_state_that_fails_is_made_anew_and_concerns_nobody_else(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        merge = IndicatorState.merge

        def fail_on_one(state: IndicatorState, bars: Sequence[Bar]) -> list[IndicatorRow]:
            rows = merge(state, bars)  # it has taken them in by then
            if any(bar.close == 13 for bar in bars):
                raise ZeroDivisionError("unlucky")
            return rows

        monkeypatch.setattr(IndicatorState, "merge", fail_on_one)
        bars = [bar(n, 13 if n == 10 else 10 + n % 3) for n in range(30)]
        others = [msgspec.structs.replace(bar, ticker="MSFT") for bar in bars if bar.close != 13]
        await bench.publish(*(bar for pair in zip_longest(bars, others) for bar in pair if bar is not None))
        sink = Sink(bench.bus, bench.store, bench.watchlist).run
        async with bench.running(indicators=self.processor(bench).run, sink=sink):
            await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        (letter,) = await bench.stored("dead_letter")
        assert (letter["topic"], letter["offset"]) == ("stock_data_aapl", 10)
        assert letter["reason"] == (
            f"{INDICATOR_GROUP} cannot process it, because of an error in this program: ZeroDivisionError: unlucky"
        )
        assert len(await bench.stored("stock_data")) == 59, "the bar itself is good"
        minutes = {bar.ts for bar in bars if bar.close != 13}
        assert {row["ts"] for row in await bench.stored("indicators", ticker="AAPL")} >= minutes
        found = [row["sma_20"] for row in await bench.stored("indicators", ticker="MSFT")]
        expected = [row.sma_20 for row in Series("MSFT", "1min", ZONE).merge(others)]
        assert found[19:] == pytest.approx(expected[19:], rel=1e-9)

    async def test_vwap_begins_with_the_day_at_the_ticker_s_exchange(self, bench: Bench) -> None:
        sink = Sink(bench.bus, bench.store, bench.watchlist)
        evening = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)  # of the fourth in Tokyo
        tickers = ("AAPL", "BTC-USD", "VOD.L", "7203.T")
        await bench.publish(
            *(
                msgspec.structs.replace(bar(0, close), ticker=ticker, ts=evening + timedelta(hours=i))
                for ticker in tickers
                for i, close in enumerate((10.0, 20.0, 40.0))
            )
        )
        async with bench.running(indicators=self.processor(bench).run, sink=sink.run):
            await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        last = {t: (await bench.stored("indicators", ticker=t, last=1))[0]["vwap"] for t in tickers}
        assert last == pytest.approx({"AAPL": 70 / 3, "BTC-USD": 30, "VOD.L": 30, "7203.T": 70 / 3})

    @pytest.mark.parametrize("seed", range(3))
    async def test_after_a_split_all_is_as_if_only_adjusted_bars_had_come(self, bench: Bench, seed: int) -> None:
        """In whatever order the bars as they were traded, the split, and the adjusted bars come."""
        days = [bar(1440 * day, 100 + day % 7, interval="daily", revision=1) for day in range(40)]
        adjusted = [
            msgspec.structs.replace(
                day, open=day.open / 4, high=day.high / 4, low=day.low / 4, close=day.close / 4, volume=4, revision=2
            )
            for day in days
        ]
        split = Split(ticker="AAPL", ts=TS + timedelta(days=40), numerator=4, denominator=1)
        after = [bar(1440 * day, 25 + day % 7, interval="daily", revision=1) for day in range(40, 60)]
        messages = [*days, split, *adjusted, *after]
        Random(seed).shuffle(messages)
        sink, processor = Sink(bench.bus, bench.store, bench.watchlist), self.processor(bench)
        async with bench.running(indicators=processor.run, sink=sink.run):
            for start in range(0, len(messages), 17):
                await bench.publish(*messages[start : start + 17])
            await bench.caught_up(INDICATOR_GROUP, SINK_GROUP)
        expected = IndicatorState("AAPL", ZONE).merge([*adjusted, *after])
        found = messages_in(await bench.stored("indicators"), IndicatorRow)
        assert [row.ts for row in found] == [row.ts for row in expected]
        assert [row.lineage for row in found] == [row.lineage for row in expected]
        for name in INDICATOR_FIELDS:
            assert [getattr(row, name) for row in found] == pytest.approx([getattr(row, name) for row in expected])
        bars = messages_in(await bench.stored("stock_data", interval="daily"), Bar)
        assert bars == [*adjusted, *after]
        assert messages_in(await bench.stored("stock_data", interval="split"), Split) == [split]

    async def test_quotes_and_garbage_are_passed_over(self, bench: Bench) -> None:
        await bench.bus.publish([Record("stock_data_aapl", "AAPL", b"{", 5)])
        split = Split(ticker="AAPL", ts=TS, numerator=4, denominator=1)
        dividend = Dividend(ticker="AAPL", ts=TS, amount=0.25)
        await bench.publish(Quote(ticker="AAPL", ts=TS, price=5), split, dividend, bar(0))
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

    async def test_documents_of_others_are_not_shown(self, bench: Bench) -> None:
        await bench.publish(bar(0, 10))
        async with bench.running(sink=Sink(bench.bus, bench.store, bench.watchlist).run):
            await bench.caught_up(SINK_GROUP)
        view = LiveView(ZONE)
        stage = ViewStage(bench.bus, Foreign(bench), bench.watchlist, view)

        async def price() -> float | None:
            return view.of("AAPL").view(TS).price

        async with bench.running(view=stage.run):
            await until(lambda: _is(price, 10))
            await bench.publish(bar(1, 11, closed=False, revision=1 << 51))  # of a year that there is not
            await until(lambda: _is(price, 11))

    async def test_what_is_new_does_not_wait_for_what_is_stored(self, bench: Bench) -> None:
        await bench.store.upsert("stock_data", [document_of(bar(-1440, 8, interval="daily"))])
        view, store = LiveView(ZONE), Slow(bench)
        stage = ViewStage(bench.bus, store, bench.watchlist, view)

        async def change() -> float | None:
            return view.of("AAPL").view(TS).change

        async with bench.running(view=stage.run):
            await bench.publish(bar(0, 10))
            await until(lambda: _now(view.tickers and view.of("AAPL").view(TS).price == 10))
            assert await change() is None
            assert stage.restored == 0
            store.answers.set()
            await until(lambda: _is(change, 2))
            await until(lambda: _now(stage.restored == 1))

    async def test_a_source_is_found_behind_the_flood_of_another(self, bench: Bench) -> None:
        """Restored is what the view had: of each source as much as it keeps."""
        flood = [bar(i, 10, source="simulator", simulated=True) for i in range(900)]
        theirs = [bar(-i, 20 + i, source="provider") for i in range(1, 4)]
        theirs.append(bar(-1440, 15, source="provider", interval="daily"))
        await bench.store.upsert("stock_data", [document_of(m) for m in (*flood, *theirs)])
        view = LiveView(ZONE)
        stage = ViewStage(bench.bus, bench.store, bench.watchlist, view)
        stage.follow(["AAPL"])
        await stage.prime("AAPL")
        shown = view.of("AAPL").view(TS)
        assert (shown.source, shown.price, shown.spark) == ("provider", 21, [23, 22, 21])

    async def test_what_came_in_this_run_before_it_listened_is_news(self, bench: Bench) -> None:
        old = record_of(bar(0, 10))
        old = msgspec.structs.replace(old, headers={**old.headers, "ingested": b"1000000000"})
        await bench.bus.publish([old])
        view, again = LiveView(ZONE), LiveView(ZONE)
        stage = ViewStage(bench.bus, bench.store, bench.watchlist, view)
        async with bench.running(view=stage.run):
            await until(lambda: _now(view.tickers and view.of("AAPL").view(TS).price == 10))
        assert view.of("AAPL").heard_source(TS) is None
        stage = ViewStage(bench.bus, bench.store, bench.watchlist, again)
        await bench.publish(bar(1, 11))
        async with bench.running(view=stage.run):
            await until(lambda: _now(again.tickers and again.of("AAPL").view(TS).price == 11))
        assert again.of("AAPL").heard_source(TS) == "unknown"


class TestMonitor:
    async def test_it_tells_lag_by_group_and_counts_documents(self, bench: Bench) -> None:
        await bench.publish(bar(0), bar(1))
        monitor = Monitor(bench.bus, bench.store, bench.watchlist, SystemClock())
        async with bench.running(monitor=monitor.run):
            await until(lambda: _now(monitor.documents))
        (topic,) = monitor.topics
        assert (topic.topic, topic.records) == ("stock_data_aapl", 2)
        readers = (INDICATOR_GROUP, FORECAST_GROUP, SINK_GROUP)
        assert {group.group: group.lag for group in topic.groups} == dict.fromkeys(readers, 2)
        assert monitor.documents["stock_data"] == 0


class TestConsume:
    """What a handler that fails does to the records of others, and to itself."""

    @staticmethod
    async def run(bench: Bench, handle: Callable[[Received], None], *, count: int) -> tuple[list[int], str | None]:
        """The offsets that took effect, and the service's last error; `count` records lie there in the beginning."""
        done: list[int] = []

        async def handle_all(batch: Sequence[Received]) -> None:
            for record in batch:
                handle(record)
            done.extend(record.offset for record in batch)

        await bench.publish(*(bar(n) for n in range(count)))
        subscription = Subscription(bench.bus, bench.watchlist, {STOCK_DATA})
        supervisor = Supervisor(SupervisorSettings(max_restarts=0))
        supervisor.add(
            "stage", "sink", lambda context: consume(bench.bus, SINK_GROUP, subscription, handle_all, context)
        )
        (service,) = supervisor.services

        async def over() -> bool:
            return service.error is not None or await read_lag(bench.bus, SINK_GROUP, {"stock_data_aapl"}) == 0

        await until(over)
        await supervisor.stop(20)
        return done, service.error

    @pytest.mark.parametrize("bad", [{0}, {29}, {3, 4, 5, 17}, set(range(1, 30))])
    async def test_records_that_it_fails_on_are_dead_lettered_and_the_others_take_effect(
        self, bench: Bench, bad: set[int], caplog: pytest.LogCaptureFixture
    ) -> None:
        def handle(record: Received) -> None:
            if record.offset in bad:
                raise KeyError(record.offset)

        done, error = await self.run(bench, handle, count=30)
        assert sorted(done) == sorted({*range(30)} - bad), "each once"
        assert error is None
        letters = decode_all(
            [r async for batch in bench.bus.read(TopicPartition("dead_letter", 0), 0, 99) for r in batch]
        )[0]
        assert {letter.offset for _, letter in letters if isinstance(letter, DeadLetter)} == bad
        assert caplog.text.count("Traceback") == 1

    async def test_one_that_fails_on_all_gives_up(self, bench: Bench) -> None:
        def handle(record: Received) -> None:
            raise KeyError("a fault of ours")

        done, error = await self.run(bench, handle, count=2 * HOPELESS)
        assert done == []
        assert error == "KeyError: 'a fault of ours'"
        assert await read_lag(bench.bus, SINK_GROUP, {"stock_data_aapl"}) >= HOPELESS / 2

    @pytest.mark.parametrize("error", [StoreError("away"), BusError("away"), OSError("disk full")])
    async def test_what_is_no_record_s_fault_is_waited_for(self, bench: Bench, error: Exception) -> None:
        def handle(record: Received) -> None:
            if record.offset == 5:
                raise error

        done, said = await self.run(bench, handle, count=10)
        assert done == []
        assert said is not None and str(error) in said
        assert "dead_letter" not in await bench.bus.topics()


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
        producer = Producer(Feed([bar(0)], [bar(1), bar(2)]), bench.bus, bench.watchlist, QuotePacer(FakeClock()))
        async with bench.running(market=producer.run):
            await until(lambda: _now(producer.exhausted))
            (partition,) = await bench.bus.offsets(["stock_data_aapl"])
            assert (await bench.bus.offsets(["stock_data_aapl"]))[partition] == (0, 3)
            bench.watchlist.add(["MSFT"])  # asks the source again
            await until(lambda: _now(producer.exhausted))

    async def test_what_a_topic_refuses_is_dead_lettered_and_holds_up_nobody(self, bench: Bench) -> None:
        others = [msgspec.structs.replace(bar(n), ticker="MSFT") for n in range(3)]
        unlucky = encode(others[1]).decode()
        bench.bus = Choosy(bench, "stock_data_aapl", unlucky)
        producer = Producer(Feed([bar(0), *others], [bar(1)]), bench.bus, bench.watchlist, QuotePacer(FakeClock()))
        async with bench.running(market=producer.run, sink=Sink(bench.bus, bench.store, bench.watchlist).run):
            await until(lambda: _now(producer.exhausted))
            await bench.caught_up(SINK_GROUP)
        letters = await bench.stored("dead_letter")
        assert sorted(str(letter["topic"]) for letter in letters) == ["stock_data_aapl"] * 2 + ["stock_data_msft"]
        assert {letter["reason"] for letter in letters} == {"it is not published: it is not wanted"}
        assert {letter["payload"] for letter in letters} == {unlucky, *(encode(bar(n)).decode() for n in (0, 1))}
        assert [document["ticker"] for document in await bench.stored("stock_data")] == ["MSFT", "MSFT"]

    async def test_where_dead_letters_are_refused_too_they_are_in_the_log(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        misfit = DeadLetter(ts=TS, topic="provider:AAPL", partition=0, offset=1, reason="r", payload="p")
        bus = Choosy(bench, "stock_data_aapl", "dead_letter")
        producer = Producer(Feed([bar(0)], [bar(1), misfit]), bus, bench.watchlist, QuotePacer(FakeClock()))
        async with bench.running(market=producer.run):
            await until(lambda: _now(producer.exhausted))
        assert caplog.text.count("a dead letter was refused and is only in this log: it is not wanted") == 3

    async def test_a_bus_that_does_not_acknowledge_holds_the_source_back(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        let_go = asyncio.Event()
        publish = bench.bus.publish

        async def slow(records: Sequence[Record]) -> list[Refusal]:
            await let_go.wait()
            return await publish(records)

        monkeypatch.setattr(bench.bus, "publish", slow)
        feed = Feed(*([bar(n)] for n in range(10)))
        producer = Producer(feed, bench.bus, bench.watchlist, QuotePacer(FakeClock()))
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


class Misfits(History):
    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        letter = DeadLetter(ts=TS, topic="replay:X.csv", partition=0, offset=7, reason="line 7: no date", payload="?")
        rest = [bar(0)] if ticker == "MSFT" else []
        yield HistoryChunk([letter, *rest, letter], 2, 2, "some rest" if rest else "")


class Jumps(History):
    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        closes = (2.0, 1.98, 17.66, 17.8)
        midnight = datetime(2019, 2, 10, 5, tzinfo=UTC)
        days = [bar(0, close, interval="daily") for close in closes]
        yield HistoryChunk(
            [msgspec.structs.replace(day, ts=midnight + timedelta(days=n)) for n, day in enumerate(days)], 4, 4
        )


class Endless(History):
    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        for done in count(1):
            yield HistoryChunk([bar(done)], done, 0)


class OneThatEnds(Endless):
    async def history(self, ticker: str) -> AsyncGenerator[HistoryChunk]:
        if ticker == "AAPL":
            yield HistoryChunk([bar(0)], 1, 1)
            return
        async for chunk in super().history(ticker):
            yield chunk


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
        clock.jump(3)
        assert len(loader.views()) == 2
        clock.jump(1)
        assert [load.ticker for load in loader.views()] == ["NONE"]
        assert loader.request(["AAPL"]) == ["AAPL"]
        assert [load.state for load in loader.views()] == ["failed", "waiting"]

    async def test_what_is_done_stays_while_others_are_under_way_and_does_not_come_back(self, bench: Bench) -> None:
        clock = FakeClock()
        loader = Loader(OneThatEnds(), bench.bus, clock)
        loader.request(["AAPL", "MSFT"])
        async with bench.running(loader=loader.run):
            await until(lambda: _now(loader.loads["MSFT"].done > 0))
            clock.jump(60)
            assert [load.state for load in loader.views()] == ["done", "loading"]
            loader.cancel(["MSFT"])
            assert loader.views() == []
            loader.request(["MSFT"])
            assert [load.ticker for load in loader.views()] == ["MSFT"]

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

    async def test_a_load_of_nothing_but_misfits_has_failed(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        loader = Loader(Misfits(), bench.bus)
        loader.request(["AAPL", "MSFT"])
        async with bench.running(loader=loader.run):
            await until(lambda: _now(loader.idle))
        told = {load.ticker: (load.state, load.note) for load in loader.views()}
        assert told == {
            "AAPL": ("failed", "none of 2 fits; the first is replay:X.csv: line 7: no date"),
            "MSFT": ("done", "some rest; 2 of 3 do not fit; the first is replay:X.csv: line 7: no date"),
        }
        assert loader.failed
        assert "the history of MSFT: 2 of 3 do not fit" in caplog.text

    async def test_a_jump_as_at_a_split_is_told(self, bench: Bench) -> None:
        loader = Loader(Jumps(), bench.bus, zone=ZONE)
        loader.request(["AAPL"])
        async with bench.running(loader=loader.run):
            await until(lambda: _now(loader.idle))
        [load] = loader.views()
        assert load.state == "done"
        assert load.note.startswith("the price jumps on 2019-02-12 as at a split (× 8.92)")

    @pytest.mark.parametrize("asked_again", [False, True])
    async def test_a_ticker_that_is_removed_as_its_publication_ends_harms_no_other(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, asked_again: bool
    ) -> None:
        published = asyncio.Event()

        async def publish(_: Sequence[Record]) -> list[Refusal]:
            await published.wait()  # and nothing more: what waits for it goes on in the very tick of the removal
            return []

        monkeypatch.setattr(bench.bus, "publish", publish)
        loader = Loader(History(), bench.bus)
        loader.request(["AAPL", "MSFT"])
        async with bench.running(loader=loader.run):
            for _ in range(20):
                await asyncio.sleep(0)
            published.set()
            loader.cancel(["AAPL"])
            if asked_again:
                loader.request(["AAPL"])
            await until(lambda: _now(loader.idle))
        told = [(load.ticker, load.state, load.done) for load in loader.views()]
        assert told == [("MSFT", "done", 2), *([("AAPL", "done", 2)] if asked_again else [])]

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
