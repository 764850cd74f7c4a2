"""What a data directory holds, told without a running pipeline."""

import sys
from typing import TextIO

import msgspec

from pipeline.bus.base import BusError
from pipeline.engines import open_bus_to_read, open_store_to_read
from pipeline.settings import Loaded
from pipeline.store.base import StoreError
from pipeline.topic_report import look, ours


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
    if as_json:
        document = {"running": False, "data_dir": str(loaded.data_dir), "collections": collections, "topics": topics}
        out.write(msgspec.json.encode(document).decode() + "\n")
        return
    out.writelines(f"{name:<28} {count:>9} documents\n" for name, count in collections.items())
    for topic, entry in topics.items():
        lags = "  ".join(f"{group} {lag}" for group, lag in entry.items() if group != "records")
        out.write(f"{topic:<28} {entry['records']:>9} records  lag: {lags}\n")
