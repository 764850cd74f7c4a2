"""Topics that others have made and filled in ways of their own: read, judged and shown as what they are."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec.structs import replace

from pipeline.bus.base import TopicPartition
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.bus.records import record_of
from pipeline.config.settings import KafkaSettings
from pipeline.contract.protocol import GetMessages, GetTopics
from pipeline.contract.snapshot import Snapshot
from pipeline.model.messages import Bar
from pipeline.model.topics import STOCK_DATA, topic_for
from testkit.engines.kafka import KafkaServer
from testkit.faults.ledger import Ledger, compare
from testkit.faults.on_engines import ENGINES, unused_tickers
from testkit.faults.recording import Recording, record
from testkit.faults.replays import until
from testkit.faults.watching import settled, total
from testkit.product import Product

pytestmark = pytest.mark.daily  # compaction and ten megabytes take their time
MINUTES: Final = 60
LARGE: Final = 10_000_000
AVRO: Final = b"Obj\x01\x04\x16avro.schema\xd0\x01{" + bytes(range(256))
"""An object container file, as far as anybody looks."""


def test_topics_of_others_in_every_shape(product: Product, broker: KafkaServer, ledger: Ledger) -> None:
    recording = record(product.directory / "recording", unused_tickers(4), MINUTES)
    compacted, *_, mixed = recording.tickers
    topic = {ticker: topic_for(STOCK_DATA, ticker) for ticker in recording.tickers}
    asyncio.run(_fill(broker, recording))
    flags = ("--roles", "processor,sink", "--source", f"replay:{recording.directory}")
    with product.running(*recording.tickers, *flags) as process:
        # A tombstone, what is no JSON, Avro, ten megabytes of nothing.
        last = until(
            product, process, lambda s: settled(s) and total(s, "dead_letter") >= 4 and _lag(s) == 0, patience=120
        )
        page = product.ask(GetMessages(topic[mixed], last=100))
        kept = _retention(product, topic[compacted])
        printed = product.run("topics", *recording.tickers).stdout
        doctor = product.run("doctor").stdout
        product.stop()
    stored, rows = (product.query(name) for name in ("stock_data", "indicators"))
    ledger.enter("topics of others in every shape", compare(recording.live, stored, rows), ENGINES)
    letters = product.query("dead_letter")
    assert sorted(letter["topic"] for letter in letters) == sorted([topic[compacted], *[topic[mixed]] * 3])
    assert all(letter["reason"] for letter in letters)
    assert max(len(letter["payload"]) for letter in letters) <= 2048
    assert {m.size for m in page.messages} >= {LARGE, len(AVRO)}
    assert all(m.value.isprintable() or "\n" in m.value for m in page.messages)
    assert kept == "compacted"
    (line,) = (line for line in printed.splitlines() if line.startswith(topic[compacted] + " "))
    assert "compacted" in line
    assert f"are compacted: {topic[compacted]}" in doctor
    assert not [service.name for service in last.services if service.state == "failed"]


def _retention(product: Product, topic: str) -> str:
    """As the screen of topics shows it; the pipeline asks for it once a minute."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for view in product.ask(GetTopics()):
            if view.topic == topic and view.retention is not None:
                return str(view.retention)
        time.sleep(0.5)
    raise AssertionError("it is not known")


def _lag(snapshot: Snapshot) -> int:
    return sum(group.lag for view in snapshot.topics for group in view.groups)


async def _fill(broker: KafkaServer, recording: Recording) -> None:
    compacted, appended, bare, mixed = recording.tickers
    bars = {ticker: [bar for bar in recording.live if bar.ticker == ticker] for ticker in recording.tickers}
    await _make(broker, compacted, cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01")
    await _make(broker, appended, message_timestamp_type="LogAppendTime")
    await _make(broker, bare)
    await _make(broker, mixed, max_message_bytes=str(2 * LARGE))
    options: dict[str, Any] = {"bootstrap_servers": broker.bootstrap, "max_request_size": 2 * LARGE}
    async with AIOKafkaProducer(**options) as producer:
        await _send_compacted(producer, bars[compacted])
        await _send(producer, bars[appended])
        await _send(producer, bars[bare], key=None, timestamp_ms=-1, headers=[])
        half = len(bars[mixed]) // 2
        await _send(producer, bars[mixed][:half])
        for value in (b"\x00\xff\x1b[31m no JSON", AVRO, b"\x00" * LARGE):
            await producer.send_and_wait(topic_for(STOCK_DATA, mixed), value, headers=[("odd", None)])
        await _send(producer, bars[mixed][half:])
    await _wait_for_gaps(broker, topic_for(STOCK_DATA, compacted), 2 * MINUTES + 1)


async def _send_compacted(producer: AIOKafkaProducer, bars: Sequence[Bar]) -> None:
    """Each under a key of its own, twice: first wrong, then corrected. A tombstone at the end, and something after it,
    for what is written last is not compacted."""
    wrong = [replace(bar, close=bar.low) for bar in bars]
    right = [replace(bar, revision=1) for bar in bars]
    for bar in (*wrong, *right):
        await _send(producer, [bar], key=bar.ts.isoformat().encode())
    topic = topic_for(STOCK_DATA, bars[0].ticker)
    await producer.send_and_wait(topic, None, key=b"gone")
    await asyncio.sleep(0.3)  # for the segment to be older than it may be
    await _send(producer, [right[-1]], key=right[-1].ts.isoformat().encode())


async def _wait_for_gaps(broker: KafkaServer, topic: str, written: int) -> None:
    """Wait until the cleaner has taken some of the records that others have replaced."""
    bus, where = KafkaBus(KafkaSettings(bootstrap_servers=broker.bootstrap)), TopicPartition(topic, 0)
    await bus.open()
    async with asyncio.timeout(60):
        while sum([len(batch) async for batch in bus.read(where, 0, written)]) >= written:
            await asyncio.sleep(0.2)
    await bus.close()


async def _send(producer: AIOKafkaProducer, bars: Iterable[Bar], **options: Any) -> None:
    for bar in bars:
        sent = record_of(bar)
        usual = {"key": sent.key.encode(), "timestamp_ms": sent.ts}
        await producer.send_and_wait(sent.topic, sent.value, **usual | options)


async def _make(broker: KafkaServer, ticker: str, **settings: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    configs = {"retention.ms": "-1"} | {name.replace("_", "."): value for name, value in settings.items()}
    response = await admin.create_topics([NewTopic(topic_for(STOCK_DATA, ticker), 1, 1, topic_configs=configs)])
    assert all(code == 0 for _, code, *_ in response.topic_errors), response
    await admin.close()
