"""What a data directory holds, reported without a running pipeline.

Where nothing is stored yet, neither engines nor an event loop are imported to say so.
"""

import logging
import sys
from collections.abc import Mapping
from typing import TextIO

import msgspec

from pipeline.config.settings import Loaded, SettingsError
from pipeline.engines import (
    check_engines,
    namespace_to_read,
    open_bus_to_read,
    open_store_to_read,
    space_to_read,
    where_it_is,
)
from pipeline.model.namespace import origin
from pipeline.model.outage import OutsideError
from pipeline.storage.datadir import DataDirError
from pipeline.storage.missing import why_missing
from pipeline.system.streams import complain, json_for

_Counts = Mapping[str, int]


def report(loaded: Loaded, *, as_json: bool) -> int:
    """`describe` for the command line: the exit status is 3, or tells that it went wrong (1) or was asked for the
    impossible (2), with a sentence on stderr."""
    # Look-ups keep no log, and what aiokafka would print for lack of one reaches the user as an error of ours.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        describe(loaded, as_json)
    except BrokenPipeError:  # of the output
        raise
    except (SettingsError, OutsideError, DataDirError, OSError) as error:
        complain(str(error))
        return 2 if isinstance(error, SettingsError | OutsideError) else 1  # a source that cannot be made
    except KeyboardInterrupt:
        return 130
    return 3


def describe(loaded: Loaded, as_json: bool, out: TextIO = sys.stdout) -> None:
    """Print documents in each collection, and records and lag of each topic; a sentence where there is nothing yet."""
    collections: _Counts = {}
    topics: Mapping[str, _Counts] = {}
    if not (why := _why_nothing(loaded)):
        import asyncio

        collections, topics, why = asyncio.run(_read(loaded))
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
    if why:
        out.write(f"{why}\n")
    if told := origin(namespace):
        out.write(f"{told}\n")
    out.writelines(f"{name:<28} {count:>9} documents\n" for name, count in collections.items())
    for topic, entry in topics.items():
        lags = "  ".join(f"{group} {lag}" for group, lag in entry.items() if group != "records")
        out.write(f"{topic:<28} {entry['records']:>9} records  lag: {lags}\n")


def _why_nothing(loaded: Loaded) -> str:
    """Why an embedded store cannot be read, if it is not there."""
    check_engines(loaded.settings)
    if loaded.settings.mongodb.uri:
        return ""
    space = space_to_read(loaded)
    return why_missing(where_it_is(space, space.store))


async def _read(loaded: Loaded) -> tuple[_Counts, Mapping[str, _Counts], str]:
    """Documents by collection; records, and lags by group, of each topic; why the rest could not be read."""
    from pipeline.bus.base import BusError
    from pipeline.model.topics import ours
    from pipeline.ops.topic_report import look
    from pipeline.store.base import StoreError

    collections: dict[str, int] = {}
    topics: dict[str, dict[str, int]] = {}
    try:
        async with open_store_to_read(loaded) as store:
            collections = await store.counts()
        async with open_bus_to_read(loaded) as bus:
            for partition in await look(bus, ours(await bus.topics())):
                entry = topics.setdefault(
                    partition.topic, {"records": 0} | {group.group: 0 for group in partition.groups}
                )
                entry["records"] += partition.end
                for group in partition.groups:
                    entry[group.group] += group.lag
    except (StoreError, BusError) as error:
        return collections, topics, str(error)
    return collections, topics, ""
