"""Somebody deletes topics, or the oldest records of them, under a pipeline on Kafka."""

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from pipeline.contract.protocol import Pause, Resume
from pipeline.contract.snapshot import Snapshot
from pipeline.model.topics import INDICATORS, STOCK_DATA, topic_for
from testkit.engines.kafka import KafkaServer
from testkit.faults.ledger import Ledger
from testkit.faults.on_engines import ENGINES, faults_of_our_own, finish, log_of, unused_tickers
from testkit.faults.recording import record
from testkit.faults.replays import replaying, until
from testkit.faults.watching import settled, total
from testkit.product import Product


def test_topics_deleted_under_way(product: Product, broker: KafkaServer, ledger: Ledger) -> None:
    """While nothing is on its way, for what has not been read is gone with a topic, and no pipeline can help that."""
    recording = record(product.directory / "recording", unused_tickers(2), minutes=260)
    bars = len(recording.live)
    doomed = [topic_for(STOCK_DATA, recording.tickers[0]), topic_for(INDICATORS, recording.tickers[1])]

    def at_rest(snapshot: Snapshot) -> bool:
        return not any(group.lag for topic in snapshot.topics for group in topic.groups)

    def produced(snapshot: Snapshot) -> int:
        return next(service.total for service in snapshot.services if service.name == "market")

    def as_read(snapshot: Snapshot) -> bool:
        read = total(snapshot, "stock_data") == total(snapshot, "indicators") == produced(snapshot)
        return read and at_rest(snapshot)

    with replaying(product, recording) as process:
        until(product, process, lambda s: produced(s) >= 0.3 * bars)
        product.ask(Pause())
        reached = until(product, process, as_read)
        assert total(reached, "indicators") < bars, "the replay was over before the fault"
        _administer(broker, lambda admin: admin.delete_topics(doomed))
        until(product, process, lambda _: all(topic in log_of(product) for topic in doomed))
        product.ask(Resume())
        closes = {bar.ticker: bar.close for bar in recording.live}
        until(product, process, lambda s: closes.items() <= {(view.ticker, view.price) for view in s.tickers})
        entry, last = finish(product, process, recording.live)
    assert faults_of_our_own(product) == []
    assert not any(service.skipped for service in last.services)
    left = {topic.topic: topic.records for topic in last.topics}
    assert all(0 < left[topic] < bars / 2 for topic in doomed)
    ledger.enter("topics deleted under way", entry, ENGINES)


def test_records_deleted_before_they_were_read(product: Product, broker: KafkaServer, ledger: Ledger) -> None:
    """What a retention did away with is missing; that is said and counted, and nothing else is missing."""
    product.set(FINTRENDS_FORECASTS__ENABLED="true")  # for that stage has to say so, too
    recording = record(product.directory / "recording", unused_tickers(1), minutes=200)
    (ticker,) = recording.tickers
    kept, whole = recording.directory / f"{ticker}_1min.csv", recording.live
    text = kept.read_text()
    source = ("--source", f"replay:{recording.directory}", "--speed", "max", "--until-idle", "--no-ui")
    kept.write_text("\n".join([*text.splitlines()[:51], ""]))
    assert product.run(ticker, *source).returncode == 0
    # Published, but read by nobody: the first 50 bars again, and 150 more.
    kept.write_text(text)
    assert product.run(ticker, *source, "--roles", "producer").returncode == 0
    where = TopicPartition(topic_for(STOCK_DATA, ticker), 0)
    _administer(broker, lambda admin: admin.delete_records({where: RecordsToDelete(before_offset=150)}))
    with product.running(ticker, *source[:4], "--roles", "processor,sink") as process:
        until(product, process, lambda s: settled(s) and total(s, "indicators") >= 100)
        status = product.run("status")
        entry, last = finish(product, process, [*whole[:50], *whole[100:]])
    skipped = {service.name: service.skipped for service in last.services if service.skipped}
    assert skipped == {"sink": 100, "indicators": 100, "forecasts": 100}
    assert status.stdout.count("100 records were deleted before it could read them") == 3
    assert log_of(product).count(f"100 records of {where.topic}, partition 0, were deleted before they were read") == 3
    ledger.enter("records deleted before they were read (not counted as lost)", entry, ENGINES)


def _administer(broker: KafkaServer, action: Callable[[AIOKafkaAdminClient], Awaitable[object]]) -> None:
    async def administer() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        try:
            await action(admin)
        finally:
            await admin.close()

    asyncio.run(administer())
