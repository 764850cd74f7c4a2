"""Two producer processes on the same tickers and one Kafka: each ticker has one producer at a time."""

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from fintrends_tui.client import connect
from pipeline.bus.base import TopicPartition
from pipeline.bus.kafka import KafkaBus
from pipeline.bus.kafka_options import KafkaOptions
from pipeline.datadir import DataDir
from pipeline.protocol import Restart
from pipeline.topics import PRODUCER_GROUP, STOCK_DATA, topic_for
from tests.data import BARS, require
from tests.e2e.recorded import COUNTS, TICKERS, check_store
from tests.e2e.run import Product
from tests.engines.fixtures import bootstrap, mongodb_uri
from tests.engines.kafka import KRaftKafka

SPEED = 30_000
"""A week of sessions in a few seconds."""


def test_each_bar_is_published_once_and_a_killed_producers_tickers_are_taken_over(tmp_path: Path) -> None:
    require(BARS)
    kafka = bootstrap(KRaftKafka)
    flags = ("--kafka", kafka, "--mongodb", f"{mongodb_uri()}/producers_{uuid4().hex[:12]}")
    recordings = tmp_path / "recordings"
    for name in ("first", "second", "worker", "recordings"):
        (tmp_path / name).mkdir()
    products = [Product(tmp_path / name, *flags) for name in ("first", "second")]
    worker = Product(tmp_path / "worker", *flags)
    topics = Topics(kafka)
    producing = ("--no-ui", "--roles", "producer", "--source", f"replay:{recordings}", "--speed", SPEED)
    processes = [product.start(*TICKERS, *producing) for product in products]
    working = worker.start(*TICKERS, "--no-ui", "--roles", "processor,sink")
    try:
        # There is nothing to replay until both have their part.
        for product, process in zip(products, processes, strict=True):
            product.wait_for(lambda s: market(s) == "failed" and 1 <= len(held(s)) <= 2, process)
        shares = [held(product.status()) for product in products]
        assert sorted([*shares[0], *shares[1]]) == sorted(TICKERS)
        victim, survivor = (0, 1) if len(shares[0]) == 1 else (1, 0)
        (doomed,) = shares[victim]
        for ticker in shares[survivor]:
            recorded(recordings, ticker).symlink_to(recorded(BARS, ticker))
        # Its producer cannot be done before it is killed, however fast it is: it has the older half.
        header, *rows = recorded(BARS, doomed).read_text().splitlines(keepends=True)
        recorded(recordings, doomed).write_text("".join([header, *rows[len(rows) // 2 :]]))
        for product in products:
            asyncio.run(restart_market(product))
        topics.wait_for(lambda found: len(found[doomed]) > COUNTS[doomed] // 4)
        processes[victim].send_signal(signal.SIGKILL)
        processes[victim].wait()
        recorded(recordings, doomed).unlink()
        recorded(recordings, doomed).symlink_to(recorded(BARS, doomed))

        published = topics.published()
        assert len(published[doomed]) < COUNTS[doomed], "it was killed at work"
        for ticker in TICKERS:
            assert max(Counter(published[ticker]).values()) == 1, f"a bar of {ticker} was published twice"

        products[survivor].wait_for(lambda s: held(s) == sorted(TICKERS), processes[survivor])
        topics.wait_for(lambda found: all(len(set(found[ticker])) == COUNTS[ticker] for ticker in TICKERS))
        published = topics.published()
        for ticker in shares[survivor]:
            assert len(published[ticker]) == COUNTS[ticker], "what was not taken over is not published again"

        worker.wait_for(lambda s: s["pipeline"]["idle"], working, patience=300)
        for product, process in ((products[survivor], processes[survivor]), (worker, working)):
            assert product.run("stop").returncode == 0
            _, error = process.communicate(timeout=60)
            assert process.returncode == 0, error
        check_store(worker)
    finally:
        for process in (*processes, working):
            process.kill()
            process.communicate()


class Topics:
    """The market data topics, as far as they are written after this was made."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._starts = asyncio.run(self._ends())

    def published(self) -> dict[str, list[str]]:
        """By ticker, the time of every bar as often as it was published."""
        return asyncio.run(self._read())

    def wait_for(self, condition: Callable[[dict[str, list[str]]], bool], patience: float = 90) -> None:
        deadline = time.monotonic() + patience
        while not condition(found := self.published()):
            assert time.monotonic() < deadline, {ticker: len(bars) for ticker, bars in found.items()}

    async def _ends(self) -> dict[TopicPartition, int]:
        async with self._bus() as bus:
            topics = [topic_for(STOCK_DATA, ticker) for ticker in TICKERS]
            await bus.create_topics(topics)
            return {where: end for where, (_, end) in (await bus.offsets(topics)).items()}

    async def _read(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {ticker: [] for ticker in TICKERS}
        async with self._bus() as bus:
            for where, start in self._starts.items():
                async for batch in bus.read(where, start, sys.maxsize):
                    for record in batch:
                        found[record.key].append(json.loads(record.value)["ts"])
        return found

    @asynccontextmanager
    async def _bus(self) -> AsyncIterator[KafkaBus]:
        bus = KafkaBus(KafkaOptions(bootstrap=self._kafka))
        await bus.open()
        try:
            yield bus
        finally:
            await bus.close()


def recorded(directory: Path, ticker: str) -> Path:
    return directory / f"{ticker}_1min.csv"


def market(status: dict[str, Any]) -> str:
    return next(s["state"] for s in status["services"] if s["name"] == "market")


def held(status: dict[str, Any] | None) -> list[str]:
    """The tickers that the process of this status publishes."""
    assert status is not None
    members = [m for g in status["groups"] if g["group"] == PRODUCER_GROUP for m in g["members"] if m["here"]]
    return members[0]["tickers"] if members else []


async def restart_market(product: Product) -> None:
    async with connect(DataDir(product.data_dir).socket) as connection:
        await connection.ask(Restart("market"))
