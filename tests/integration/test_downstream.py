"""The programs that docs/downstream.md shows, run against Kafka, MongoDB and our own stages."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from aiokafka import AIOKafkaProducer

from pipeline.bus.kafka.bus import KafkaBus
from pipeline.bus.named import NamedBus, Names
from pipeline.config.settings import KafkaSettings, SupervisorSettings
from pipeline.model.documents import document_of
from pipeline.model.messages import Bar, Quote, decode
from pipeline.model.topics import topic_for
from pipeline.model.watchlist import Watchlist
from pipeline.stages.indicators import IndicatorProcessor
from pipeline.stages.sink import Sink
from pipeline.store.base import Query
from pipeline.store.embedded.store import EmbeddedStore
from pipeline.store.mongo.store import MongoStore
from pipeline.supervision.supervisor import Supervisor
from testkit.engines.fixtures import bootstrap
from testkit.engines.kafka import KRaftKafka
from tests.integration.support import PATIENCE

PAGE = Path(__file__).parents[2] / "docs" / "downstream.md"
START = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)


def shown(function: str) -> Any:
    """The function of that name, from the program on the page that defines it."""
    programs = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (program,) = (program for program in programs if f"def {function}(" in program)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(program, str(PAGE), "exec"), names)  # noqa: S102 - it is ours
    return names[function]


def bars(count: int) -> list[dict[str, Any]]:
    fields = {"type": "bar", "ticker": "BRK.B", "interval": "1min", "source": "my_desk"}
    prices = {"open": 10, "high": 12, "low": 9, "close": 11}
    return [
        {**fields, **prices, "ts": (START + timedelta(minutes=minute)).isoformat(), "close": 10 + minute % 2}
        for minute in range(count)
    ]


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[tuple[str, str, EmbeddedStore]]:
    """HOST:PORT of Kafka, the prefix of topics there, and the store of a pipeline that runs on it."""
    server, namespace = bootstrap(KRaftKafka), f"n{uuid4().hex[:12]}"
    bus = NamedBus(KafkaBus(KafkaSettings(bootstrap_servers=server, partitions=3)), Names(namespace))
    store = EmbeddedStore(tmp_path / "store.sqlite")
    async with AsyncExitStack() as stack:
        for engine in (bus, store):
            await engine.open()
            stack.push_async_callback(engine.close)
        await bus.create_topics([topic_for("stock_data", "BRK.B"), topic_for("indicators", "BRK.B")])
        supervisor = Supervisor(SupervisorSettings(max_restarts=0))
        watchlist = Watchlist([])
        supervisor.add("indicators", "processor", IndicatorProcessor(bus, store, watchlist, ZoneInfo("UTC")).run)
        supervisor.add("sink", "sink", Sink(bus, store, watchlist).run)
        yield server, f"{namespace}-", store
        assert await supervisor.stop(20)
        assert [service.error for service in supervisor.services] == [None, None]


async def test_bars_of_others_become_indicators_that_others_read(address: tuple[str, str, EmbeddedStore]) -> None:
    server, prefix, store = address
    await shown("publish")(bars(25), f"{prefix}stock_data_brk_2eb", server)
    rows: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(PATIENCE):
        async for row in shown("follow")(f"{prefix}indicators_brk_2eb", "indicators", server, f"{prefix}my-program"):
            rows[row["ts"]] = row
            if len(rows) == 25:
                break
    (last,) = (row for row in rows.values() if row["ts"] == "2026-03-04T15:54:00Z")
    assert last["sma_20"] == pytest.approx(10.5)
    assert last["source"] == "my_desk"
    async with asyncio.timeout(PATIENCE):
        while len(found := await store.find(Query("indicators", "BRK.B"))) < 25:
            await asyncio.sleep(0.02)
        while len(await store.find(Query("stock_data", "BRK.B"))) < 25:  # which may be read after their rows
            await asyncio.sleep(0.02)
    assert found[-1]["sma_20"] == last["sma_20"]


async def test_a_bare_record_of_kafka_is_enough(address: tuple[str, str, EmbeddedStore]) -> None:
    """Without key, headers and time, so that they are spread over all partitions."""
    server, prefix, store = address
    async with AIOKafkaProducer(bootstrap_servers=server) as producer:
        for number, bar in enumerate(bars(25)):
            value = json.dumps(bar).encode()
            await producer.send_and_wait(f"{prefix}stock_data_brk_2eb", value, partition=number % 3)
    async with asyncio.timeout(PATIENCE):
        while len(found := await store.find(Query("indicators", "BRK.B"))) < 25:
            await asyncio.sleep(0.02)
    assert found[-1]["sma_20"] == pytest.approx(10.5)
    assert await store.find(Query("dead_letter")) == []


def _fields(bar: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in bar.items() if name != "type"} | {"ts": datetime.fromisoformat(bar["ts"])}


async def test_a_collection_is_read_as_a_frame(mongo_uri: str) -> None:
    uri = f"{mongo_uri}/downstream_{uuid4().hex[:12]}"
    store = MongoStore(uri)
    await store.open()
    messages = [Bar(**_fields(bar)) for bar in bars(3)]
    quote = Quote(ticker="BRK.B", ts=START, price=1, source="my_desk")
    forming = Bar(**_fields(bars(4)[3]), closed=False)
    await store.upsert("stock_data", [document_of(message) for message in (*messages, quote, forming)])
    await store.close()
    read = shown("bars")
    frame = await asyncio.to_thread(read, uri, "BRK.B", "1min", "my_desk")
    assert list(frame["close"]) == [10, 11, 10]
    assert frame.index[0] == pd.Timestamp(START)
    assert frame.index.tz is not None
    assert "version" not in frame
    assert (await asyncio.to_thread(read, uri, "BRK.B", "daily", "my_desk")).empty


def test_the_bars_on_the_page_are_bars() -> None:
    for bar in shown("publish").__globals__["BARS"]:
        assert decode("stock_data_aapl", json.dumps(bar).encode())
