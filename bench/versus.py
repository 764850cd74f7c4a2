"""The same bars through the same Kafka to the same store: this pipeline, and what one would write instead.

    uv run --group bench python -m bench.versus [--bars N] [--runs N]

Needs the recorded bars, a JDK and Maven. Each contender is started, warmed up on 60 bars, and then given the others at
once; the time is that until the last row of indicators is published, and until it is stored. The store is SecantusDB, a
small server of MongoDB's protocol that takes some hundred documents a second: it bounds what can be stored, so the
rows published tell more. Medians; the ratio is to the naive loop.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pymongo import MongoClient

from bench.pipeline import started
from fintrends_tui.link.process import PIPELINE
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.bus.records import records_of
from pipeline.config.settings import KafkaSettings
from pipeline.model.messages import Bar
from testkit.data import recorded_bars
from testkit.engines.kafka import KRaftKafka
from testkit.engines.mongo import MongoServer
from testkit.product import environment

WARM_UP = 60
PATIENCE = 300.0
ROWS = "indicators_aapl"
ROOT = Path(__file__).parents[1]


class Place(NamedTuple):
    """Where one run happens."""

    kafka: str
    mongo_port: int
    directory: Path


class Figures(NamedTuple):
    """Rows a second, published and stored."""

    published: float
    stored: float


def ours(place: Place) -> list[str]:
    uri = f"mongodb://127.0.0.1:{place.mongo_port}/bench"
    flags = ["--roles", "processor,sink", "--kafka", place.kafka, "--mongodb", uri, "--quiet"]
    return [*PIPELINE, "AAPL", *flags, "--data-dir", str(place.directory / "data")]


def peer(module: str) -> Callable[[Place], list[str]]:
    return lambda _: [sys.executable, "-m", f"bench.peers.{module}"]


CONTENDERS: dict[str, Callable[[Place], list[str]]] = {
    "naive loop": peer("naive"),
    "faststream": peer("faststream_app"),
    "quixstreams": peer("quix_app"),
    "fintrends-tui": ours,
}


async def measure(place: Place, command: Sequence[str], bars: Sequence[Bar]) -> Figures:
    bus = KafkaBus(KafkaSettings(bootstrap_servers=place.kafka))
    await bus.open()
    await bus.create_topics(["stock_data_aapl", ROWS])
    documents = MongoClient[dict[str, object]]("127.0.0.1", place.mongo_port)["bench"]["indicators"]
    addresses = {"KAFKA": place.kafka, "MONGODB_HOST": "127.0.0.1", "MONGODB_PORT": str(place.mongo_port)}
    process = subprocess.Popen(  # noqa: ASYNC220 - once, before anything is measured
        command,
        cwd=place.directory,
        env=environment() | addresses | {"DATABASE": "bench", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(place.directory / "stderr").open("wb"),
    )

    async def published() -> int:
        return sum(end for _, end in (await bus.offsets([ROWS])).values())

    async def stored() -> int:
        return await asyncio.to_thread(documents.count_documents, {})

    async def reached(count: Callable[[], Awaitable[int]], wanted: int) -> float:
        async with asyncio.timeout(PATIENCE):
            while await count() < wanted:
                if process.poll() is not None:
                    raise SystemExit(f"{command[-1]} ended: {(place.directory / 'stderr').read_text()[-2000:]}")
                await asyncio.sleep(0.1)
        return time.perf_counter()

    try:
        await bus.publish(records_of(bars[:WARM_UP]))
        await reached(stored, WARM_UP)
        await reached(published, WARM_UP)
        began = time.perf_counter()
        await bus.publish(records_of(bars[WARM_UP:]))
        ends = await asyncio.gather(reached(published, len(bars)), reached(stored, len(bars)))
        return Figures(*((len(bars) - WARM_UP) / (end - began) for end in ends))
    finally:
        process.kill()
        process.wait()
        await bus.close()


def run_once(name: str, bars: Sequence[Bar]) -> Figures:
    with tempfile.TemporaryDirectory() as directory, started(KRaftKafka) as broker, started(MongoServer) as mongo:
        place = Place(broker.bootstrap, mongo.port, Path(directory))
        return asyncio.run(measure(place, CONTENDERS[name](place), bars))


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the pipeline with what one would write instead.")
    parser.add_argument("--bars", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    bars = recorded_bars("AAPL")[: arguments.bars]
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores; {len(bars) - WARM_UP} bars, {arguments.runs} runs")
    found: dict[str, list[Figures]] = {name: [] for name in CONTENDERS}
    for number in range(arguments.runs):
        for name in CONTENDERS:
            found[name].append(run_once(name, bars))
            print(f"  run {number + 1}, {name}: {found[name][-1].published:,.0f} published a second", file=sys.stderr)
    middle = {
        name: Figures(*(statistics.median(values) for values in zip(*figures, strict=True)))
        for name, figures in found.items()
    }
    naive = middle["naive loop"]
    print(f"{'':<16}{'rows published a second':>26}{'ratio':>8}{'stored a second':>18}{'ratio':>8}")
    for name, (published, stored) in middle.items():
        ratios = published / naive.published, stored / naive.stored
        print(f"{name:<16}{published:>26,.0f}{ratios[0]:>8.1f}{stored:>18,.0f}{ratios[1]:>8.1f}")


if __name__ == "__main__":
    main()
