"""Namespaces on real engines: what each sees, what an earlier version mixed, and who else is in our groups."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from motor.motor_asyncio import AsyncIOMotorClient

from pipeline.bus.base import BusError, TopicPartition
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.bus.named import NamedBus, Names
from pipeline.bus.records import records_of
from pipeline.clock import SystemClock
from pipeline.config.settings import KafkaSettings, Loaded, MongoSettings, PipelineSettings, Settings
from pipeline.doctor import engines as doctor_engines
from pipeline.doctor import namespaces as doctor_namespaces
from pipeline.model.documents import Document, document_of
from pipeline.model.messages import Bar, encode
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.store.base import Query
from pipeline.store.mongo import store as mongo
from pipeline.store.mongo.store import MongoStore
from pipeline.upgrade.separation import separate, simulated_topics
from tests.integration.support import PATIENCE, drain
from tests.upgrade.test_migration import START, bar

SIMULATED = [bar("AAPL", n, simulated=True) for n in range(120)]
REAL = [bar("AAPL", n, simulated=False) for n in range(100, 140)]


def loaded(path: Path, *, kafka: str = "", mongodb: str = "", namespace: str = "") -> Loaded:
    settings = Settings(
        pipeline=PipelineSettings(namespace=namespace),
        kafka=KafkaSettings(bootstrap_servers=kafka),
        mongodb=MongoSettings(uri=mongodb),
    )
    return Loaded(settings, None, path, path / "logs")


class TestMongoDB:
    @pytest.fixture
    def uri(self, mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr(mongo, "_RENAMED_AT_ONCE", 50)
        return f"{mongo_uri}/ns_{uuid4().hex[:12]}"

    @staticmethod
    @asynccontextmanager
    async def opened(uri: str, namespace: str, *, simulated: bool) -> AsyncIterator[MongoStore]:
        store = MongoStore(uri, namespace=namespace, only_simulated=simulated, timeout=30.0)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    async def names(self, uri: str) -> set[str]:
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(uri)
        try:
            return set(await client.list_database_names())
        finally:
            client.close()

    async def test_each_namespace_has_a_database(self, uri: str) -> None:
        base = uri.rpartition("/")[2]
        spaces = {"": False, "simulated": True, "staging": False, "staging-simulated": True}
        for number, (namespace, simulated) in enumerate(spaces.items()):
            async with self.opened(uri, namespace, simulated=simulated) as store:
                await store.upsert("stock_data", [document_of(bar("AAPL", number, simulated=simulated))])
        for number, (namespace, simulated) in enumerate(spaces.items()):
            async with self.opened(uri, namespace, simulated=simulated) as store:
                (found,) = await store.find(Query("stock_data"))
                assert found["ts"] == START + timedelta(minutes=number)
        wanted = {base, f"{base}_simulated", f"{base}_staging", f"{base}_staging-simulated"}
        assert wanted <= await self.names(uri)

    async def mix(self, uri: str) -> list[Document]:
        """As an earlier version left it."""
        documents = [document_of(one) for one in (*SIMULATED, *REAL)]
        async with self.opened(uri, "", simulated=False) as store:
            await store.upsert("stock_data", documents)
        return documents

    async def test_what_is_mixed_is_not_shown_told_and_parted(self, uri: str, tmp_path: Path) -> None:
        await self.mix(uri)
        async with self.opened(uri, "", simulated=False) as store:
            assert len(await store.find(Query("stock_data", last=100))) == len(REAL)
        where = ["--mongodb", uri]
        told = [f async for f in doctor_engines.mongodb(uri, SystemClock(), "simulated", where)]
        (finding,) = [found for found in told if "simulated documents" in found.what]
        assert f"{len(SIMULATED):,} simulated documents are among the real ones" in finding.what
        assert finding.fix.startswith(f"fintrends-tui separate --mongodb {uri}")

        settings, out = loaded(tmp_path, mongodb=uri), io.StringIO()
        await separate(settings, dry_run=True, out=out)
        assert f"{len(SIMULATED):,} simulated documents would move to" in out.getvalue()
        assert f"{uri.rpartition('/')[2]}_simulated" not in await self.names(uri)
        for _ in range(2):  # the second time there is nothing to do
            await separate(settings, dry_run=False, out=out)
        assert "nothing is mixed" in out.getvalue()
        for namespace, simulated, bars in (("", False, REAL), ("simulated", True, SIMULATED)):
            async with self.opened(uri, namespace, simulated=simulated) as store:
                found = await store.find(Query("stock_data"))
                assert [(d["ts"], d["close"], d["source"]) for d in found] == [(b.ts, b.close, b.source) for b in bars]
                assert (await store.counts())["stock_data"] == len(bars)
        told = [f async for f in doctor_engines.mongodb(uri, SystemClock(), "", where)]
        assert not [found for found in told if "simulated documents" in found.what]

    async def test_stopped_in_the_middle_it_goes_on(self, uri: str, tmp_path: Path) -> None:
        await self.mix(uri)
        async with (
            self.opened(uri, "", simulated=False) as real,
            self.opened(uri, "simulated", simulated=True) as store,
        ):
            async for collection, documents in real.take_simulated():
                await store.upsert(collection, documents)
                break  # copied, and not deleted
        await separate(loaded(tmp_path, mongodb=uri), dry_run=False, out=io.StringIO())
        async with self.opened(uri, "simulated", simulated=True) as store:
            assert (await store.counts())["stock_data"] == len(SIMULATED)
        async with self.opened(uri, "", simulated=False) as store:
            assert (await store.counts())["stock_data"] == len(REAL)

    async def test_while_a_pipeline_runs_here_nothing_is_moved(self, uri: str, tmp_path: Path) -> None:
        owner = DataDir(tmp_path)
        owner.lock()
        try:
            with pytest.raises(DataDirError, match="a pipeline runs here; stop it first"):
                await separate(loaded(tmp_path, mongodb=uri), dry_run=False, out=io.StringIO())
        finally:
            owner.unlock()


class TestKafka:
    @pytest.fixture
    def namespace(self) -> str:
        return f"t-{uuid4().hex[:12]}"

    @pytest.fixture
    async def kafka(self, kafka_bootstrap: str) -> AsyncIterator[KafkaBus]:
        bus = KafkaBus(KafkaSettings(bootstrap_servers=kafka_bootstrap), timeout=30.0)
        await bus.open()
        yield bus
        await bus.close()

    async def test_two_stores_each_get_all_and_a_shared_one_gets_it_once(self, kafka: KafkaBus, namespace: str) -> None:
        owners = ["0123abcd", "4567abcd", ""]
        buses = {owner: NamedBus(kafka, Names(namespace, owner)) for owner in owners}
        await buses[""].publish(records_of(REAL))
        for owner in owners:
            consumer = buses[owner].consumer("sink", ["stock_data_aapl"])
            try:
                found = await drain(consumer, len(REAL))
                assert [record.value for record in found] == [encode(one) for one in REAL], owner
                assert {record.topic for record in found} == {"stock_data_aapl"}
            finally:
                await consumer.close()
            committed = await buses[owner].committed("sink", ["stock_data_aapl"])
            assert committed == {TopicPartition("stock_data_aapl", 0): len(REAL)}
        simulated = NamedBus(kafka, Names(f"{namespace}-simulated"))
        assert await simulated.topics() == set()
        assert await kafka.offsets([f"{namespace}-stock_data_aapl"]) != {}

    async def test_another_application_in_our_group_is_named(
        self, kafka: KafkaBus, kafka_bootstrap: str, namespace: str
    ) -> None:
        bus = NamedBus(kafka, Names(namespace))
        await bus.create_topics(["stock_data_aapl"])
        await kafka.create_topics([f"orders-{namespace}"])
        other = AIOKafkaConsumer(
            f"orders-{namespace}", bootstrap_servers=kafka_bootstrap, group_id=bus.names.group("sink"),
            partition_assignment_strategy=[StickyPartitionAssignor], client_id="orders-app",
        )  # fmt: skip
        await other.start()
        consumer = bus.consumer("sink", ["stock_data_aapl"])
        try:
            async with asyncio.timeout(PATIENCE):
                while not other.assignment():
                    await other.getmany(timeout_ms=200)
            text = ""
            async with asyncio.timeout(PATIENCE):
                while not text:
                    await other.getmany(timeout_ms=100)
                    try:
                        await consumer.poll(10, 0.5)
                    except BusError as error:
                        text = str(error)
            assert f"another application uses the consumer group '{namespace}-sink'" in text
            assert "orders-app at 127.0.0.1" in text and "[pipeline] namespace" in text
            told = [f async for f in doctor_namespaces.on_bus(bus, [])]
            assert any(f"consumer group {namespace}-sink: orders-app at 127.0.0.1" in found.what for found in told)
        finally:
            await consumer.close()
            await other.stop()

    async def test_what_is_mixed_is_told_and_parted(
        self, kafka: KafkaBus, kafka_bootstrap: str, namespace: str, tmp_path: Path
    ) -> None:
        real, simulated = NamedBus(kafka, Names(namespace)), NamedBus(kafka, Names(f"{namespace}-simulated"))
        msft: list[Bar] = [bar("MSFT", n, simulated=False) for n in range(5)]
        tsla = [bar("TSLA", 0, simulated=False), bar("TSLA", 1, simulated=True), bar("TSLA", 2, simulated=False)]
        await real.publish(records_of([*SIMULATED, *REAL, *msft, *tsla]))
        assert await simulated_topics(real) == ["stock_data_aapl", "stock_data_tsla"]
        settings, out = loaded(tmp_path, kafka=kafka_bootstrap, namespace=namespace), io.StringIO()
        told = [f async for f in doctor_namespaces.on_bus(real, ["--namespace", namespace])]
        (finding,) = told
        assert f"{namespace}-stock_data_aapl, {namespace}-stock_data_tsla" in finding.what
        assert finding.fix.startswith(f"fintrends-tui separate --namespace {namespace}")
        await separate(settings, dry_run=True, out=out)
        assert f"{len(SIMULATED):,} simulated records before offset 120 would move" in out.getvalue()
        assert await simulated.topics() == set()
        await separate(settings, dry_run=False, out=out)
        assert "simulated records are among real ones and stay there" in out.getvalue()
        assert await real.offsets(["stock_data_aapl"]) == {TopicPartition("stock_data_aapl", 0): (120, 160)}
        assert await real.offsets(["stock_data_msft"]) == {TopicPartition("stock_data_msft", 0): (0, 5)}
        where = TopicPartition("stock_data_aapl", 0)
        moved = [record.value async for batch in simulated.read(where, 0, 9999) for record in batch]
        assert moved == [encode(one) for one in SIMULATED]
