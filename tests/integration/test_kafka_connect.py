"""Kafka Connect with the connectors of `connect/`: a file's lines in, rows of indicators out to a collection."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from pipeline.store.base import Query
from testkit.engines.connect import ConnectWorker
from testkit.engines.fixtures import require
from tests.integration.support import PATIENCE
from tests.integration.test_downstream import START, address, bars  # noqa: F401 - `address` is a fixture

CONNECT = Path(__file__).parents[2] / "connect"
pytestmark = pytest.mark.daily  # a worker is a third process of Java


def properties(name: str) -> dict[str, str]:
    lines = (CONNECT / f"{name}.properties").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
async def worker(
    address: Any,  # noqa: F811 - the fixture
    mongo_uri: str,
    tmp_path: Path,
) -> AsyncIterator[ConnectWorker]:
    server, prefix, _ = address
    lines = "".join(json.dumps(bar) + "\n" for bar in bars(25))
    (tmp_path / "bars.jsonl").write_text(lines[:-1], "utf-8")  # the last line is being written
    source = properties("bars-from-file") | {
        "file": str(tmp_path / "bars.jsonl"),
        "topic": "brk_2eb",
        "transforms.route.replacement": prefix + properties("bars-from-file")["transforms.route.replacement"],
    }
    sink = properties("indicators-to-mongodb") | {
        "topics.regex": prefix + properties("indicators-to-mongodb")["topics.regex"],
        "connection.uri": mongo_uri,
        "database": prefix.strip("-"),
        "consumer.override.auto.offset.reset": "earliest",
    }
    folder = tmp_path / "connect"
    folder.mkdir()
    found = require(lambda: ConnectWorker(folder, server, properties("worker"), [source, sink]))
    await asyncio.to_thread(found.start)
    yield found
    await asyncio.to_thread(found.stop)


async def test_lines_of_a_file_become_documents_of_another_database(
    address: Any,  # noqa: F811 - the fixture
    worker: ConnectWorker,
    mongo_uri: str,
    tmp_path: Path,
) -> None:
    _, prefix, store = address
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True, tzinfo=UTC) as client:
        collection = client[prefix.strip("-")]["indicators"]
        await until(lambda: collection.count_documents({}) == 24)
        with (tmp_path / "bars.jsonl").open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(bars(1)[0] | {"revision": 1, "close": 11.5}) + "\n")
        await until(lambda: collection.count_documents({}) == 25 and first(collection)["close"] == 11.5)
        stored = await store.find(Query("indicators", "BRK.B", "1min", "my_desk"))
        assert [(d["ts"], d["close"]) for d in collection.find(sort=[("ts", 1)])] == sorted(
            (d["ts"], d["close"]) for d in stored
        )
        assert first(collection)["ts"] == START
        assert set(first(collection)["_id"]) == {"ticker", "interval", "source", "ts"}


def first(collection: Any) -> dict[str, Any]:
    (document,) = collection.find(sort=[("ts", 1)], limit=1)
    return document


async def until(condition: Any) -> None:
    async with asyncio.timeout(2 * PATIENCE):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.2)
