"""What a data directory holds, reported without a running pipeline."""

import sys
from typing import TextIO

import msgspec

from pipeline.bus.base import BusError
from pipeline.config.settings import Loaded
from pipeline.engines import namespace_to_read, open_bus_to_read, open_store_to_read
from pipeline.model.topics import ours
from pipeline.ops.query import origin
from pipeline.ops.topic_report import look
from pipeline.store.base import StoreError
from pipeline.system.streams import json_for


async def describe(loaded: Loaded, as_json: bool, out: TextIO = sys.stdout) -> None:
    """Print documents in each collection, and records and lag of each topic; a sentence where there is nothing yet."""
    collections: dict[str, int] = {}
    topics: dict[str, dict[str, int]] = {}
    try:
        async with open_store_to_read(loaded) as store:
            collections = await store.counts()
        async with open_bus_to_read(loaded) as bus:
            for report in await look(bus, ours(await bus.topics())):
                entry = topics.setdefault(report.topic, {"records": 0} | {group.group: 0 for group in report.groups})
                entry["records"] += report.end
                for group in report.groups:
                    entry[group.group] += group.lag
    except (StoreError, BusError) as error:
        if not as_json:
            out.write(f"{error}\n")
    namespace = namespace_to_read(loaded)
    if as_json:
        document = {
            "running": False,
            "data_dir": str(loaded.data_dir),
            "namespace": namespace,
            "collections": collections,
            "topics": topics,
        }
        out.write(json_for(msgspec.json.encode(document).decode(), out) + "\n")
        return
    if told := origin(namespace):
        out.write(f"{told}\n")
    out.writelines(f"{name:<28} {count:>9} documents\n" for name, count in collections.items())
    for topic, entry in topics.items():
        lags = "  ".join(f"{group} {lag}" for group, lag in entry.items() if group != "records")
        out.write(f"{topic:<28} {entry['records']:>9} records  lag: {lags}\n")
