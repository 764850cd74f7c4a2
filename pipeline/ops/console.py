"""The status line that a pipeline in the foreground keeps up to date on stderr."""

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TextIO

from pipeline.contract.snapshot import LoadView, Snapshot, total_lag
from pipeline.ops.progress import bar, is_terminal
from pipeline.system.streams import encoded


class BackgroundWriter:
    """Writes to a stream in a thread of its own: one that is not read (Ctrl+S) or closed must not hold up the pipeline.

    What does not fit into its queue is not written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._descriptor = stream.fileno()
        self._texts: queue.Queue[str | None] = queue.Queue(256)
        self._thread = threading.Thread(target=self._keep_writing, name="stderr", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        with contextlib.suppress(queue.Full):
            self._texts.put_nowait(text)

    def flush(self) -> None:
        """Nothing; see `close`."""

    def close(self) -> None:
        """Give it a second to write what waits."""
        with contextlib.suppress(queue.Full):
            self._texts.put_nowait(None)
            self._thread.join(1.0)

    def _keep_writing(self) -> None:
        with contextlib.suppress(OSError):
            while (text := self._texts.get()) is not None:
                os.write(self._descriptor, encoded(text, self._stream))  # holds no lock that the exit waits for


_TERMINAL_PERIOD = 1.0
_FILE_PERIOD = 15.0


def status_line(snapshot: Snapshot) -> str:
    """The state of the pipeline in one line."""
    pipeline = snapshot.pipeline
    if pipeline.note:
        return f"{pipeline.state}: {pipeline.note}"
    waiting = [f"waiting for {outage.what}" for outage in snapshot.outages]
    down = [s for s in snapshot.services if s.state in ("backing off", "failed") and not s.stand_ins]
    troubled = [f"{s.name} {s.state}" for s in down]
    loading = [load for load in snapshot.loads if load.state in ("waiting", "loading")]
    stored = sum(collection.total for collection in snapshot.collections)
    parts = [
        f"{pipeline.state}{' (idle)' if pipeline.idle else ''}{' SIMULATED' if pipeline.simulated else ''}",
        f"{len(snapshot.tickers)} ticker{'' if len(snapshot.tickers) == 1 else 's'}",
        f"{sum(topic.rate for topic in snapshot.topics):.0f} msg/s",
        f"{stored} written",
        f"lag {total_lag(snapshot.topics)}",
    ]
    if pipeline.namespace and not pipeline.simulated:
        parts.insert(1, pipeline.namespace)
    if pipeline.set_aside:
        parts.append(f"{pipeline.set_aside} set aside")
    if pipeline.dead_letters:
        parts.append(f"{pipeline.dead_letters} dead letters")
    if len(snapshot.loads) > 1 and loading:
        parts.append(f"loaded {len(snapshot.loads) - len(loading)} of {len(snapshot.loads)}")
    parts += [f"loading {load.ticker} {_progress(load)}" for load in loading[:2]]
    return " · ".join(parts + waiting + troubled)


def _progress(load: LoadView) -> str:
    if not load.total:
        return load.note or load.state
    return bar(load.done, load.total)


@asynccontextmanager
async def report(snapshot: Callable[[], Snapshot], stream: TextIO = sys.stderr) -> AsyncIterator[None]:
    """Keep the status line up to date meanwhile: in place on a terminal, elsewhere a line now and then."""
    terminal = is_terminal(stream)
    writer = BackgroundWriter(stream)

    async def keep_writing() -> None:
        while True:
            line = status_line(snapshot())
            writer.write(f"\r\x1b[K{line[:200]}" if terminal else f"{line}\n")
            await asyncio.sleep(_TERMINAL_PERIOD if terminal else _FILE_PERIOD)

    task = asyncio.create_task(keep_writing())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        written = sum(collection.total for collection in snapshot().collections)
        writer.write(("\r\x1b[K" if terminal else "") + f"stopped · {written} written\n")
        writer.close()
