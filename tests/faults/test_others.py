"""What others do on shared engines: limit a topic, write documents of their own, use transactions, leave keys out."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import batched
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec.structs import replace
from pymongo import MongoClient

from pipeline.bus.records import record_of
from pipeline.contract.snapshot import Snapshot
from pipeline.model.messages import Bar
from pipeline.model.topics import STOCK_DATA, topic_for
from testkit.engines.kafka import KafkaServer
from testkit.faults.ledger import Ledger, compare
from testkit.faults.on_engines import ENGINES, faults_of_our_own, finish, unused_tickers
from testkit.faults.recording import Recording, record
from testkit.faults.replays import replaying, until
from testkit.faults.watching import settled, total
from testkit.product import Product


def never_ends(recording: Recording) -> tuple[str, ...]:
    """The flags of a pipeline that works on what others publish. The source, which it does not run, says that these are
    no simulated bars."""
    return ("--roles", "processor,sink", "--source", f"replay:{recording.directory}")


def test_a_topic_that_refuses_everything(product: Product, broker: KafkaServer, ledger: Ledger) -> None:
    recording = record(product.directory / "recording", unused_tickers(3), minutes=150)
    limited, *others = recording.tickers
    topic = topic_for(STOCK_DATA, limited)
    _make(broker, topic, max_message_bytes="100")
    with replaying(product, recording) as process:
        until(product, process, lambda s: settled(s) and total(s, "dead_letter") >= 150)
        _stopped(product, process)
    bars = {ticker: [bar for bar in recording.live if bar.ticker == ticker] for ticker in recording.tickers}
    letters = product.query("dead_letter")
    assert {letter["topic"] for letter in letters} == {topic}
    assert all("too large" in letter["reason"] for letter in letters)
    payloads = sorted(letter["payload"] for letter in letters)
    assert payloads == sorted(record_of(bar).value.decode() for bar in bars[limited]), "what is refused is kept there"
    assert faults_of_our_own(product) == []
    stored, rows = (product.query(name) for name in ("stock_data", "indicators"))
    entry = compare([bar for ticker in others for bar in bars[ticker]], stored, rows)
    ledger.enter("one of three topics refuses everything", entry, ENGINES)


def test_documents_of_others(product: Product, ledger: Ledger) -> None:
    """Put there before, read by a pipeline that restores its state and shows prices."""
    recording = record(product.directory / "recording", unused_tickers(2), minutes=150)
    ticker, _ = recording.tickers
    like_ours = {"ticker": ticker, "interval": "1min", "ts": recording.live[0].ts - timedelta(minutes=1)}
    with MongoClient[dict[str, Any]](product.option("--mongodb")) as client:
        for collection in ("stock_data", "indicators", "sentiment", "dead_letter"):
            client.get_default_database()[collection].insert_many(
                [
                    {"ticker": ticker},
                    like_ours | {"close": "cheap", "open": None, "words": 5},
                    like_ours | {"_id": f"{ticker}|1min|replay|none", "version": 7, "open": [1], "close": -1},
                    {"_id": 3, "ts": "soon", "interval": 1, "ticker": ticker},
                    like_ours
                    | {"_id": b"\x00", "source": "replay", "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1},
                ]
            )
    flags = ("--source", f"replay:{recording.directory}", "--speed", "max")
    last: Snapshot | None = None
    bars = len(recording.live)
    for _ in range(2):
        with product.running(*recording.tickers, *flags) as process:
            until(product, process, lambda s: settled(s) and total(s, "stock_data") >= bars)
            last = _stopped(product, process)
    assert last is not None
    assert faults_of_our_own(product) == []
    assert all(view.price for view in last.tickers)
    documents = [product.query(name) for name in ("stock_data", "indicators")]
    assert [len(found) - 300 for found in documents] == [5, 5], "those of others are where they were"
    stored, rows = ([d for d in found if str(d["_id"]).count("|2026") == 1] for found in documents)
    ledger.enter("documents of others in the collections", compare(recording.live, stored, rows), ENGINES)


def test_transactions_committed_aborted_and_hanging(product: Product, broker: KafkaServer, ledger: Ledger) -> None:
    recording = record(product.directory / "recording", unused_tickers(2), minutes=100)
    ticker, hanging = recording.tickers

    async def publish(producer: AIOKafkaProducer) -> None:
        for part in batched(recording.live, 10):
            for commit in (False, True):
                await producer.begin_transaction()
                for bar in part:
                    await _send(producer, bar if commit else replace(bar, close=bar.low, revision=1))
                await (producer.commit_transaction() if commit else producer.abort_transaction())
        await producer.begin_transaction()
        await _send(producer, replace(recording.live[-1], close=recording.live[-1].low, revision=2))

    for topic in (topic_for(STOCK_DATA, ticker), topic_for(STOCK_DATA, hanging)):
        _make(broker, topic)
    with product.running(*recording.tickers, *never_ends(recording)) as process:
        asyncio.run(_with_producer(broker, publish, transactional_id=f"other-{ticker}"))
        until(product, process, lambda s: settled(s) and total(s, "indicators") >= len(recording.live))
        entry, last = finish(product, process, recording.live)
    assert {g.lag for topic in last.topics for g in topic.groups} == {0}
    ledger.enter("transactions of others, taken back and hanging", entry, ENGINES)


def test_records_without_keys_in_four_partitions(product: Product, broker: KafkaServer, ledger: Ledger) -> None:
    """Live, and after a restart in the middle."""
    recording = record(product.directory / "recording", unused_tickers(1), minutes=200)
    (ticker,) = recording.tickers
    _make(broker, topic_for(STOCK_DATA, ticker), partitions=4)

    def publish(bars: Sequence[Bar]) -> Callable[[AIOKafkaProducer], Awaitable[None]]:
        async def publish(producer: AIOKafkaProducer) -> None:
            for number, bar in enumerate(bars):
                await _send(producer, bar, key=None, partition=number % 4)

        return publish

    half = len(recording.live) // 2
    with product.running(ticker, *never_ends(recording)) as process:
        asyncio.run(_with_producer(broker, publish(recording.live[:half])))
        until(product, process, lambda s: settled(s) and total(s, "indicators") >= half)
        _stopped(product, process)
    with product.running(ticker, *never_ends(recording)) as process:
        asyncio.run(_with_producer(broker, publish(recording.live[half:])))
        until(product, process, lambda s: settled(s) and total(s, "indicators") >= half)
        entry, _ = finish(product, process, recording.live)
    ledger.enter("records without keys in four partitions", entry, ENGINES)


def _stopped(product: Product, process: Any) -> Snapshot:
    """The last snapshot of a pipeline that is stopped gracefully."""
    last = until(product, process, settled)
    product.stop()
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 0, errors
    return last


def _make(broker: KafkaServer, topic: str, partitions: int = 1, **settings: str) -> None:
    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        configs = {"retention.ms": "-1"} | {name.replace("_", "."): value for name, value in settings.items()}
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
        await admin.close()

    asyncio.run(make())


async def _with_producer(
    broker: KafkaServer, publish: Callable[[AIOKafkaProducer], Awaitable[None]], **options: str
) -> None:
    """Somebody else's."""
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, **options) as producer:
        await publish(producer)


async def _send(producer: AIOKafkaProducer, bar: Bar, **options: Any) -> None:
    sent = record_of(bar)
    await producer.send_and_wait(
        sent.topic, sent.value, **{"key": sent.key.encode(), "timestamp_ms": sent.ts} | options
    )
