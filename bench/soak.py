"""A day of bars of 50 tickers at high speed with faults sprinkled in: what is lost, how memory and lag behave.

    uv run python -m bench.soak [--days N] [--tickers N] [--speed X] [--rounds N] [--endings N] [--seed S]
                                [--kafka | --cluster] [--mongodb]

A real pipeline process replays real recorded sessions, scaled (random walks where they are absent), and is killed,
stopped, frozen and pestered; the source never gives again what was published. `testkit/faults/soak_faults.py` says what
happens when. At the end every document is held against the recording and against an undisturbed run. Fails if anything
is lost, doubled, wrong or otherwise than undisturbed, if a process tells of a traceback, or if a fault is never over.
Linux only.

A day takes a minute at the default speed. With `--kafka` and `--mongodb` it runs on servers started here, which are
killed and frozen too; with `--cluster` on three brokers, which are killed, frozen and restarted one at a time. It
takes a while until one that is frozen is missed, and SecantusDB, a small server of MongoDB's protocol, is slow: give
them a `--speed` of 60 and 20.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.pipeline import started
from testkit.engines.cluster import KafkaCluster
from testkit.engines.kafka import KRaftKafka
from testkit.engines.mongo import MongoServer
from testkit.faults.recording import record_sessions
from testkit.faults.soak_faults import DISK, ENGINES, PASSING, of_cluster, schedule
from testkit.faults.soak_report import Report, report_on
from testkit.faults.soaking import Engine, Soak, load
from testkit.product import Product


async def run(arguments: argparse.Namespace, directory: Path, stack: ExitStack) -> Report:
    rng = random.Random(arguments.seed)
    tickers = [f"T{number:02d}" for number in range(arguments.tickers)]
    recording = record_sessions(directory / "recording", tickers, arguments.days, seed=arguments.seed)
    engines, addresses = [], {}
    passing = [*PASSING]
    if arguments.kafka:
        broker = stack.enter_context(started(KRaftKafka))
        engines.append(Engine(broker, f"Kafka at {broker.bootstrap}"))
        addresses["kafka"] = broker.bootstrap
    if arguments.cluster:
        cluster = KafkaCluster(directory / "cluster")
        stack.callback(cluster.stop)
        cluster.start()
        addresses["kafka"] = cluster.bootstrap
        passing += of_cluster(cluster)
    if arguments.mongodb:
        mongo = stack.enter_context(started(MongoServer))
        engines.append(Engine(mongo, mongo.uri.replace("mongodb://", "MongoDB at ")))
        addresses["mongodb"] = f"{mongo.uri}/soak"
    flags = [text for name, address in addresses.items() for text in (f"--{name}", address)]
    replicas = {"FINTRENDS_KAFKA__REPLICATION": "3"} if arguments.cluster else {}
    product = Product(directory / "soak", *flags, **replicas)
    calm = Product(directory / "calm")
    for each in (product, calm):
        each.directory.mkdir()
    loaded = load(product, **addresses)
    soak = Soak(product, recording, arguments.speed, loaded, rng, engines)
    stack.callback(soak.close)
    if engines:
        passing += ENGINES
    elif not addresses:
        passing.append(DISK)
    await soak.run(schedule(rng, passing, arguments.rounds, arguments.endings, until=0.3))
    return await report_on(soak, loaded, calm)


def main() -> None:
    parser = argparse.ArgumentParser(description="Soak the pipeline.")
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--tickers", type=int, default=50)
    parser.add_argument("--speed", type=float, default=390, help="times real time")
    parser.add_argument("--rounds", type=int, default=1, help="of all faults that leave the process running")
    parser.add_argument("--endings", type=int, default=2, help="of each kind that ends it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kafka", action="store_true")
    parser.add_argument("--cluster", action="store_true", help="of three Kafka brokers")
    parser.add_argument("--mongodb", action="store_true")
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # as a pipeline does
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        report = asyncio.run(run(arguments, Path(name), stack))
    load_average = os.getloadavg()[0]
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, load {load_average:.1f}, seed {arguments.seed}\n")
    print("\n".join(report.lines()))
    if report.entry.harm or report.differing or report.unforeseen:
        sys.exit("\n".join(report.unforeseen) or 1)


if __name__ == "__main__":
    main()
