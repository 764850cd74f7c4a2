"""How long a bar takes through a running pipeline; for `bench/pipeline.py`."""

import asyncio
import tempfile
import time
from bisect import bisect_left
from collections import defaultdict
from pathlib import Path

from bench.replayed import TICKERS, Engines, Running, record, running, time_of
from pipeline.contract.snapshot import Snapshot
from pipeline.model.topics import STOCK_DATA, topic_for
from pipeline.store.base import Query

# At 3,000 times real time a ticker has 50 bars a second: the first two tickers make 100 a second, all twenty 1,000.
SPEED = 3000
SAMPLED = TICKERS[:2]
PHASES = {100: (400, 700), 1000: (750, 1050)}
"""Minutes of the recording in which bars are measured, by bars a second. What comes before is warming up."""


class Watch:
    """When it was first seen, by ticker, that everything up to a time of event was there."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)

    def see(self, ticker: str, event: float) -> None:
        """It is there now up to `event`, in seconds since the epoch."""
        seen = self._seen[ticker]
        if not seen or event > seen[-1][0]:
            seen.append((event, time.time_ns()))

    def latencies(self, published: dict[str, dict[float, int]], since: float, until: float) -> list[float]:
        """Milliseconds of each bar of since ≤ event < until; `published` is when, in ns, by ticker and event."""
        found = []
        for ticker, times in published.items():
            seen = self._seen[ticker]
            for event, ingested in times.items():
                if since <= event < until:
                    found.append((seen[bisect_left(seen, (event, 0))][1] - ingested) / 1e6)
        return found


async def latency(engines: Engines) -> dict[int, dict[str, list[float]]]:
    """Milliseconds of each measured bar, by bars a second and by what was waited for."""
    watches = {"stored": Watch(), "row stored": Watch(), "snapshot": Watch()}

    def heard(snapshot: Snapshot) -> None:
        for view in snapshot.tickers:
            if view.ticker in SAMPLED and view.as_of is not None:
                watches["snapshot"].see(view.ticker, view.as_of)

    with tempfile.TemporaryDirectory() as name:
        (_, middle), (_, end) = PHASES.values()
        for ticker in TICKERS:
            record(Path(name), ticker, 0 if ticker in SAMPLED else middle, end + 50)
        async with running(engines, Path(name), TICKERS, SPEED, heard) as pipeline:
            await _watch(pipeline, watches["stored"], watches["row stored"], time_of(end + 49))
            published = {ticker: await _published(pipeline, ticker) for ticker in SAMPLED}
    return {
        rate: {what: watch.latencies(published, time_of(first), time_of(stop)) for what, watch in watches.items()}
        for rate, (first, stop) in PHASES.items()
    }


async def _watch(pipeline: Running, bars: Watch, rows: Watch, until: float) -> None:
    """Look at the newest of the sampled tickers every few milliseconds, until their last row is stored."""
    reached = dict.fromkeys(SAMPLED, 0.0)
    while min(reached.values()) < until:
        for collection, watch in (("stock_data", bars), ("indicators", rows)):
            for ticker in SAMPLED:
                for document in await pipeline.store.find(Query(collection, ticker, "1min", last=1)):
                    reached[ticker] = document["ts"].timestamp()
                    watch.see(ticker, reached[ticker])
        await asyncio.sleep(0.005)


async def _published(pipeline: Running, ticker: str) -> dict[float, int]:
    """When each bar was published, in ns since the epoch, by its time in seconds."""
    times = {}
    for partition, (begin, end) in (await pipeline.bus.offsets([topic_for(STOCK_DATA, ticker)])).items():
        async for batch in pipeline.bus.read(partition, begin, end):
            times.update({record.ts / 1000: int(record.headers["ingested"]) for record in batch})
    return times
