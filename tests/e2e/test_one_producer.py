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

from pipeline.bus.base import TopicPartition
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.config.settings import KafkaSettings
from pipeline.contract.protocol import Restart
from pipeline.model.topics import PRODUCER_GROUP, STOCK_DATA, topic_for
from testkit.engines.fixtures import bootstrap, mongodb_uri
from testkit.engines.kafka import KRaftKafka
from testkit.forked import ForkedProduct
from testkit.recorded import TICKERS, check_store, last_minutes

BARS = 300
"""Of each ticker."""
SPEED = 10_000
"""Which are published in a few seconds."""


def test_each_bar_is_published_once_and_a_killed_producers_tickers_are_taken_over(tmp_path: Path) -> None:
    whole = last_minutes(tmp_path / "whole", BARS)
    kafka = bootstrap(KRaftKafka)
    flags = ("--kafka", kafka, "--mongodb", f"{mongodb_uri()}/producers_{uuid4().hex[:12]}")
    recordings = tmp_path / "recordings"
    for name in ("first", "second", "worker", "recordings"):
        (tmp_path / name).mkdir()
    products = [ForkedProduct(tmp_path / name, *flags) for name in ("first", "second")]
    worker = ForkedProduct(tmp_path / "worker", *flags)
    topics = Topics(kafka)
    replay = ("--no-ui", "--source", f"replay:{recordings}")  # also says that what the worker reads is real
    processes = [product.start(*TICKERS, *replay, "--roles", "producer", "--speed", SPEED) for product in products]
    working = worker.start(*TICKERS, *replay, "--roles", "processor,sink")
    try:
        # There is nothing to replay until both have their part.
        for product, process in zip(products, processes, strict=True):
            product.wait_for(lambda s: market(s) == "failed" and 1 <= len(held(s)) <= 2, process)
        shares = [held(product.status()) for product in products]
        assert sorted([*shares[0], *shares[1]]) == sorted(TICKERS)
        victim, survivor = (0, 1) if len(shares[0]) == 1 else (1, 0)
        (doomed,) = shares[victim]
        for ticker in shares[survivor]:
            recorded(recordings, ticker).symlink_to(recorded(whole, ticker))
        # Its producer cannot be done before it is killed, however fast it is: it has the older half.
        header, *rows = recorded(whole, doomed).read_text().splitlines(keepends=True)
        recorded(recordings, doomed).write_text("".join([header, *rows[len(rows) // 2 :]]))
        for product in products:
            product.ask(Restart("market"))
        topics.wait_for(lambda found: len(found[doomed]) > BARS // 4)
        processes[victim].send_signal(signal.SIGKILL)
        processes[victim].wait()
        recorded(recordings, doomed).unlink()
        recorded(recordings, doomed).symlink_to(recorded(whole, doomed))

        published = topics.published()
        assert len(published[doomed]) < BARS, "it was killed at work"
        for ticker in TICKERS:
            assert max(Counter(published[ticker]).values()) == 1, f"a bar of {ticker} was published twice"

        products[survivor].wait_for(lambda s: held(s) == sorted(TICKERS), processes[survivor])
        topics.wait_for(lambda found: all(len(set(found[ticker])) == BARS for ticker in TICKERS))
        published = topics.published()
        for ticker in shares[survivor]:
            assert len(published[ticker]) == BARS, "what was not taken over is not published again"

        worker.wait_for(lambda s: s["pipeline"]["idle"], working, patience=300)
        for product, process in ((products[survivor], processes[survivor]), (worker, working)):
            product.stop()
            _, error = process.communicate(timeout=60)
            assert process.returncode == 0, error
        check_store(worker, BARS)
    finally:
        for process in (*processes, working):
            process.kill()
            process.communicate()


class Topics:
    """The market data topics, as far as they are written after this was made; each record is read once."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._starts = asyncio.run(self._ends())
        self._found: dict[str, list[str]] = {ticker: [] for ticker in TICKERS}

    def published(self) -> dict[str, list[str]]:
        """By ticker, the time of every bar as often as it was published."""
        return asyncio.run(self._read())

    def wait_for(self, condition: Callable[[dict[str, list[str]]], bool], patience: float = 90) -> None:
        deadline = time.monotonic() + patience
        while not condition(found := self.published()):
            assert time.monotonic() < deadline, {ticker: len(bars) for ticker, bars in found.items()}
            time.sleep(0.05)

    async def _ends(self) -> dict[TopicPartition, int]:
        async with self._bus() as bus:
            topics = [topic_for(STOCK_DATA, ticker) for ticker in TICKERS]
            await bus.create_topics(topics)
            return {where: end for where, (_, end) in (await bus.offsets(topics)).items()}

    async def _read(self) -> dict[str, list[str]]:
        async with self._bus() as bus:
            for where, start in self._starts.items():
                async for batch in bus.read(where, start, sys.maxsize):
                    for record in batch:
                        self._found[record.key].append(json.loads(record.value)["ts"])
                    self._starts[where] = batch[-1].offset + 1
        return self._found

    @asynccontextmanager
    async def _bus(self) -> AsyncIterator[KafkaBus]:
        bus = KafkaBus(KafkaSettings(bootstrap_servers=self._kafka))
        await bus.open()
        try:
            yield bus
        finally:
            await bus.close()


def recorded(directory: Path, ticker: str) -> Path:
    return directory / f"{ticker}_1min.csv"


def market(status: dict[str, Any]) -> str:
    return next((s["state"] for s in status["services"] if s["name"] == "market"), "not there yet")


def held(status: dict[str, Any] | None) -> list[str]:
    """The tickers that the process of this status publishes."""
    assert status is not None
    members = [m for g in status["groups"] if g["group"] == PRODUCER_GROUP for m in g["members"] if m["here"]]
    return members[0]["tickers"] if members else []
