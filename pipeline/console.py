"""What a pipeline in the foreground says on stderr: one status line, kept up to date on a terminal."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TextIO

from pipeline.snapshot import Snapshot

_TERMINAL_PERIOD = 1.0
_FILE_PERIOD = 15.0


def status_line(snapshot: Snapshot) -> str:
    """The state of the pipeline in one line."""
    pipeline = snapshot.pipeline
    if pipeline.note:
        return f"{pipeline.state}: {pipeline.note}"
    troubled = [f"{s.name} {s.state}" for s in snapshot.services if s.state in ("backing off", "failed")]
    loading = [load for load in snapshot.loads if load.state in ("waiting", "loading")]
    lag = sum(max((group.lag for group in topic.groups), default=0) for topic in snapshot.topics)
    stored = sum(collection.total for collection in snapshot.collections)
    parts = [
        f"{pipeline.state}{' (idle)' if pipeline.idle else ''}{' SIMULATED' if pipeline.simulated else ''}",
        f"{len(snapshot.tickers)} tickers",
        f"{sum(topic.rate for topic in snapshot.topics):.0f} msg/s",
        f"{stored} written",
        f"lag {lag}",
    ]
    if pipeline.dead_letters:
        parts.append(f"{pipeline.dead_letters} dead letters")
    for load in loading[:2]:
        share = f"{100 * load.done // load.total} %" if load.total else load.state
        parts.append(f"loading {load.ticker} {share}")
    return " · ".join(parts + troubled)


@asynccontextmanager
async def report(snapshot: Callable[[], Snapshot], stream: TextIO = sys.stderr) -> AsyncIterator[None]:
    """Keep the status line up to date meanwhile: in place on a terminal, elsewhere a line now and then."""
    terminal = stream.isatty()

    async def keep_writing() -> None:
        while True:
            line = status_line(snapshot())
            stream.write(f"\r\x1b[K{line[:200]}" if terminal else f"{line}\n")
            stream.flush()
            await asyncio.sleep(_TERMINAL_PERIOD if terminal else _FILE_PERIOD)

    task = asyncio.create_task(keep_writing())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        stream.write(("\r\x1b[K" if terminal else "") + f"{status_line(snapshot())}\n")
        stream.flush()
