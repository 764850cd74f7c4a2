"""The contenders of `bench/versus.py`, and one run of one of them."""

import asyncio
import contextlib
import math
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from confluent_kafka import Producer

from bench.processes import usage
from fintrends_tui.link.process import PIPELINE
from pipeline.bus.base import BusError, TopicPartition
from pipeline.bus.kafka.bus import KafkaBus
from pipeline.bus.records import records_of
from pipeline.config.settings import KafkaSettings
from pipeline.model.messages import INDICATOR_FIELDS, Bar
from pipeline.storage.datadir import DataDir
from testkit.product import environment

WARM_UP = 60
"""Bars of a ticker after which all indicators have values."""
PATIENCE = 300.0
SETTLE_SECONDS = 1.0
PAUSE = 0.02
ROOT = Path(__file__).parents[1]


class Place(NamedTuple):
    """Where one run happens."""

    kafka: str
    directory: Path


class Figures(NamedTuple):
    """Bars a second, µs of CPU a bar, seconds until the first bars are through, MiB."""

    speed: float
    cpu: float
    first: float
    peak: float


class Contender(NamedTuple):
    """`command` and `variables` start it; `tables` of `file` hold what it stores, one row a bar each."""

    title: str
    promises: tuple[str, ...]
    command: Callable[[Place, Sequence[str]], Sequence[str]]
    file: Callable[[Path], Path]
    tables: tuple[str, ...]
    variables: Mapping[str, str] = MappingProxyType({})
    slower: int = 1
    """It is given so many times fewer bars."""
    alone: bool = False
    """Whether it is run with one ticker only."""
    same: bool = True
    """Whether its rows have the fields of ours."""


def _peer(module: str, title: str, *promises: str, **options: bool | int) -> Contender:
    def command(_: Place, __: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", f"bench.peers.{module}"]

    return Contender(title, promises, command, _database, ("bars", "indicators"), **options)


def _ours(title: str, *promises: str, forecasts: bool) -> Contender:
    def command(place: Place, tickers: Sequence[str]) -> list[str]:
        flags = ["--roles", "processor,sink", "--kafka", place.kafka, "--quiet"]
        return [*PIPELINE, *tickers, *flags, "--data-dir", str(place.directory / "data")]

    tables = ("stock_data", "indicators", *(["forecasts"] if forecasts else []))
    variables = {"FINTRENDS_FORECASTS__ENABLED": str(forecasts).lower(), "FINTRENDS_PIPELINE__SOURCE": "auto"}
    return Contender(title, promises, command, lambda at: DataDir(at / "data").store, tables, variables)


def _database(directory: Path) -> Path:
    return directory / "peer.sqlite"


_SKIPPED = ("skipped", "skipped")
_TWICE = "rows may be published twice"
_RESTORED = "from the last 500 bars that it stored: OBV begins anew"

CONTENDERS: dict[str, Contender] = {
    "naive": _peer(
        "naive",
        "a loop: consume, insert, pandas-ta over 250 bars, publish, insert",
        "taken as the newest",
        "a second row",
        "bars lost or doubled: offsets are committed by the clock",
        "none: warms up anew",
        slower=50,
        alone=True,
        same=False,
    ),
    "aiokafka": _peer("aiokafka_loop", "aiokafka, TA-Lib streams, batches", *_SKIPPED, _TWICE, _RESTORED),
    "confluent": _peer(
        "confluent_loop",
        "confluent-kafka, TA-Lib streams, batches",
        *_SKIPPED,
        "rows may be published twice",
        _RESTORED,
    ),
    "quix": _peer(
        "quix_app",
        "quixstreams, TA-Lib streams, a sink in batches",
        *_SKIPPED,
        "rows may be stored and never published: sinks are flushed first",
        _RESTORED,
    ),
    "ours": _ours(
        "fintrends-tui",
        "correct that row and all after it",
        "changes nothing",
        "the same rows in the store, each by its bars; may be published twice",
        "from all bars stored",
        forecasts=False,
    ),
    "forecasts": _ours("fintrends-tui, with forecasts", forecasts=True),
}


async def measure(contender: Contender, place: Place, bars: Sequence[Bar]) -> Figures:
    """Run it on these bars of `market`.

    Raises:
        SystemExit: if it ends, or its rows are not the others'.
    """
    tickers = list(dict.fromkeys(bar.ticker for bar in bars))
    sources, rows = ([f"{kind}_{ticker.lower()}" for ticker in tickers] for kind in ("stock_data", "indicators"))
    bus = KafkaBus(KafkaSettings(bootstrap_servers=place.kafka))
    await bus.open()
    await bus.create_topics([*sources, *rows])
    await asyncio.to_thread(publish, place.kafka, bars[: WARM_UP * len(tickers)])
    began = time.perf_counter()
    process = start(contender, place, tickers)

    async def published() -> int:
        return sum(end for _, end in (await bus.offsets(rows)).values())

    async def stored() -> int:
        return count(contender.file(place.directory), contender.tables)

    async def through(wanted: int) -> float:
        async with asyncio.timeout(PATIENCE):
            for number in (published, stored):  # what is looked at second costs nothing until then
                await reached(number, wanted, process, place)
        return time.perf_counter()

    try:
        first = await through(WARM_UP * len(tickers)) - began
        await asyncio.sleep(SETTLE_SECONDS)
        before = usage(process.pid)
        began = time.perf_counter()
        await asyncio.to_thread(publish, place.kafka, bars[WARM_UP * len(tickers) :])
        seconds = await through(len(bars)) - began
        after = usage(process.pid)
        if contender.same:
            await check(bus, rows[0])
    finally:
        process.kill()
        process.wait()
        await bus.close()
    measured = len(bars) - WARM_UP * len(tickers)
    return Figures(measured / seconds, 1e6 * (after.seconds - before.seconds) / measured, first, after.peak)


def publish(kafka: str, bars: Sequence[Bar]) -> None:
    """As the pipeline does, by a library that costs little beside what is measured."""
    options = {"enable.idempotence": True, "compression.type": "lz4", "log_level": 3}
    producer = Producer({"bootstrap.servers": kafka, **options})
    for record in records_of(bars):
        headers = list(record.headers.items())
        producer.produce(record.topic, record.value, record.key, timestamp=record.ts, headers=headers)
    assert producer.flush(PATIENCE) == 0


def start(contender: Contender, place: Place, tickers: Sequence[str]) -> subprocess.Popen[bytes]:
    for_peers = {"KAFKA": place.kafka, "TICKERS": " ".join(tickers), "DATABASE": str(_database(place.directory))}
    return subprocess.Popen(
        contender.command(place, tickers),
        cwd=place.directory,
        env=environment(**contender.variables) | for_peers | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(place.directory / "stderr").open("wb"),
    )


async def reached(
    number: Callable[[], Awaitable[int]], wanted: int, process: subprocess.Popen[bytes], place: Place
) -> None:
    while True:
        began = time.perf_counter()
        with contextlib.suppress(BusError):  # the broker makes a thousand topics, and does not answer in time
            if await number() >= wanted:
                return
        if process.poll() is not None:
            raise SystemExit(f"it ended: {(place.directory / 'stderr').read_text()[-2000:]}")
        # Looking shall cost a busy broker little of what it has.
        await asyncio.sleep(max(PAUSE, 3 * (time.perf_counter() - began)))


def count(file: Path, tables: Sequence[str]) -> int:
    """How many rows each of the tables has at least."""
    if not file.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return min(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)  # noqa: S608
    except sqlite3.OperationalError:  # it has yet to make them
        return 0


_agreed: dict[str, dict[str, float]] = {}
"""The values at the last bar, by its time."""


async def check(bus: KafkaBus, topic: str) -> None:
    """Hold the last row of the topic against that of the contenders before."""
    (end,) = (end for _, end in (await bus.offsets([topic])).values())
    records = [record async for batch in bus.read(TopicPartition(topic, 0), end - 1, end) for record in batch]
    row = msgspec.json.decode(records[-1].value)
    values = {field: row[field] for field in INDICATOR_FIELDS}
    others = _agreed.setdefault(row["ts"], values)
    for field, value in values.items():
        if not math.isclose(value, others[field], rel_tol=1e-6, abs_tol=1e-9):
            raise SystemExit(f"at {row['ts']} {field} is {value}, and {others[field]} for others")
