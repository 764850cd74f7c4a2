"""Where a pipeline's CPU time goes, by stage; for `bench/pipeline.py`. Linux only.

The pipeline runs in this process. Every step that the event loop takes belongs to the service whose task it is, or
that started the task or connection; threads are told apart by their names.
"""

import asyncio
import contextvars
import threading
import time
from asyncio import events
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from bench.replayed import Engines
from pipeline.analytics.indicators import WARM_UP, BarArrays, batch
from pipeline.engines import choose_engines
from pipeline.ops.logs import LogTail
from pipeline.runtime import Pipeline, RunOptions
from pipeline.storage.datadir import DataDir
from pipeline.supervision.supervisor import Role, Run, Supervisor

_PERIOD = 0.05
_THREADS = {
    "bus-writer": "bus, writing",
    "bus-reader": "bus, reading",
    "store-writer": "store, writing",
    "store-reader": "store, reading",
    "asyncio": "indicators, computed in a thread",
}
_service: contextvars.ContextVar[str] = contextvars.ContextVar("service", default="rest")


def shares(engines: Engines, directory: Path, tickers: list[str]) -> dict[str, float]:
    """CPU seconds by stage, for a replay of the directory from an empty start to its end."""
    loaded = engines.load(directory / "data", tickers=tickers, source=f"replay:{directory}", speed="max")
    data_dir = DataDir(loaded.data_dir)
    data_dir.create()
    ones = np.ones(WARM_UP)
    batch(BarArrays(ones, ones, ones, ones, np.zeros(WARM_UP, dtype=np.intc)))  # imports what it needs
    spent: defaultdict[str, float] = defaultdict(float)

    async def main() -> int:
        chosen = choose_engines(loaded, data_dir)
        pipeline = Pipeline(loaded, RunOptions(until_idle=True), data_dir, chosen, LogTail([]))
        run = asyncio.create_task(pipeline.run())
        threads: dict[int, tuple[str, float]] = {}
        while not run.done():
            threads.update(_threads())
            await asyncio.wait([run], timeout=_PERIOD)
        for name, seconds in threads.values():
            spent[_THREADS.get(name, "rest")] += seconds
        return run.result()

    with _attributed(spent):
        assert asyncio.run(main()) == 0
    return dict(spent)


@contextmanager
def _attributed(spent: defaultdict[str, float]) -> Iterator[None]:
    """Meanwhile, add to `spent` what each step of the event loop costs."""
    run_handle, add_service = events.Handle._run, Supervisor.add

    def run(handle: events.Handle) -> None:
        began = time.thread_time()
        run_handle(handle)
        spent[handle.get_context().get(_service, "rest")] += time.thread_time() - began

    def add(supervisor: Supervisor, name: str, role: Role, run: Run) -> None:
        context = contextvars.copy_context()
        context.run(_service.set, name)
        context.run(add_service, supervisor, name, role, run)

    with mock.patch.object(events.Handle, "_run", run), mock.patch.object(Supervisor, "add", add):
        yield


def _threads() -> Iterator[tuple[int, tuple[str, float]]]:
    """Of every thread but this one: its id, its name without the number, and its CPU time so far in seconds."""
    for thread in threading.enumerate():
        stat = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        if thread is not threading.current_thread() and stat.exists():
            nanoseconds = int(stat.read_text().split()[0])
            yield thread.native_id or 0, (thread.name.partition("_")[0], nanoseconds / 1e9)
