"""Separates real and simulated data that an earlier version mixed in MongoDB or on Kafka.

A data directory needs no command: see `pipeline.upgrade.migration`.
"""

import sys
from collections.abc import Iterable
from typing import Final, TextIO

from pipeline.bus.base import Bus, Received, TopicPartition
from pipeline.bus.named import NamedBus, Names
from pipeline.config.settings import Loaded
from pipeline.engines import choose_kafka
from pipeline.model.messages import UndecodableError, decode
from pipeline.model.namespace import namespace_for
from pipeline.model.topics import ours
from pipeline.storage.datadir import DataDir, DataDirError

SAMPLE: Final = 100
"""Records at either end of a partition that show whether it is mixed: the simulator came first, or last."""


async def separate(loaded: Loaded, *, dry_run: bool, out: TextIO = sys.stdout) -> None:
    """Move simulated documents and records to where they belong; say what was done, or would be.

    Raises:
        DataDirError: if a pipeline runs here, which would have to be stopped.
        BusError, StoreError: if an engine is out of reach; what was moved until then is moved.
    """
    data_dir = DataDir(loaded.data_dir)
    if not dry_run and data_dir.is_owned:
        raise DataDirError("a pipeline runs here; stop it first, and those of other machines: `fintrends-tui stop`")
    own = loaded.settings.pipeline.namespace
    beside = namespace_for(own, simulated=True)
    if loaded.settings.mongodb.uri:
        await _separate_documents(loaded.settings.mongodb.uri, own, beside, dry_run, out)
    if loaded.settings.kafka.bootstrap_servers:
        await _separate_records(loaded, own, beside, dry_run, out)
    if not (loaded.settings.mongodb.uri or loaded.settings.kafka.bootstrap_servers):
        out.write("the embedded engines need nothing: the next start of a pipeline separates mixed data\n")


async def _separate_documents(uri: str, own: str, beside: str, dry_run: bool, out: TextIO) -> None:
    from pipeline.store.mongo.store import MongoStore

    real = MongoStore(uri, namespace=own, read_only=dry_run)
    simulated = MongoStore(uri, namespace=beside, only_simulated=True, read_only=dry_run)
    await real.open()  # which deletes rows of indicators that were computed over both
    try:
        count = await real.count_simulated()
        if not count:
            out.write(f"{real.description}: nothing is mixed\n")
        elif dry_run:
            out.write(f"{real.description}: {count:,} simulated documents would move to {simulated.database}\n")
        else:
            await simulated.open()
            async for collection, documents in real.take_simulated():
                await simulated.upsert(collection, documents)
            out.write(f"{real.description}: {count:,} simulated documents are in {simulated.database} now\n")
    finally:
        await simulated.close()
        await real.close()


async def _separate_records(loaded: Loaded, own: str, beside: str, dry_run: bool, out: TextIO) -> None:
    kafka = choose_kafka(loaded.settings)
    await kafka.open()
    try:
        real, simulated = NamedBus(kafka, Names(own)), NamedBus(kafka, Names(beside))
        mixed = await simulated_topics(real)
        for where, (begin, end) in sorted((await real.offsets(mixed)).items()):
            name = f"{real.names.topic(where.topic)}, partition {where.partition}"
            first, found = await _leading_simulated(real, where, begin, end)
            if not found:
                out.write(f"{name}: simulated records are among real ones and stay there; pipelines ignore them\n")
                continue
            what = f"{len(found):,} simulated records before offset {first}"
            to = simulated.names.topic(where.topic)
            if dry_run:
                out.write(f"{name}: {what} would move to {to}\n")
                continue
            await simulated.publish(found)
            await kafka.delete_before({TopicPartition(real.names.topic(where.topic), where.partition): first})
            out.write(f"{name}: {what} are in {to} now\n")
        if not mixed:
            out.write(f"{kafka.description}: nothing is mixed\n")
    finally:
        await kafka.close()


async def _leading_simulated(bus: Bus, where: TopicPartition, begin: int, end: int) -> tuple[int, list[Received]]:
    """The simulated records before the first that is not, and the offset of that one."""
    found: list[Received] = []
    async for batch in bus.read(where, begin, end):
        for record in batch:
            if not _is_simulated(record):
                return record.offset, found
            found.append(record)
    return end, found


async def simulated_topics(bus: Bus) -> list[str]:
    """The topics at whose beginning or end there are simulated records.

    Raises:
        BusError
    """
    topics = ours(await bus.topics())
    found = set()
    for where, (begin, end) in (await bus.offsets(topics)).items():
        ends = {(begin, min(begin + SAMPLE, end)), (max(begin, end - SAMPLE), end)}
        for start, stop in sorted(ends):
            async for batch in bus.read(where, start, stop):
                if _any_simulated(batch):
                    found.add(where.topic)
    return sorted(found)


def _any_simulated(records: Iterable[Received]) -> bool:
    return any(map(_is_simulated, records))


def _is_simulated(record: Received) -> bool:
    try:
        return decode(record.topic, record.value).simulated
    except UndecodableError:
        return False
