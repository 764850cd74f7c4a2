"""A thread that does what an event loop wants of an SQLite connection."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

Job = Callable[[sqlite3.Connection], Any]


class WaitingJob(NamedTuple):
    """A job, whoever waits for its result, and who is told it in any case."""

    job: Job
    future: asyncio.Future[Any]
    heard: Callable[[Any], object] | None

    @property
    def is_given_up(self) -> bool:
        return self.heard is None and self.future.cancelled()


class JobOutcome(NamedTuple):
    """What came of a job."""

    of: WaitingJob
    result: Any = None
    error: Exception | None = None

    def tell(self) -> None:
        """To be called in the event loop."""
        _, future, heard = self.of
        error = self.error
        if error is None and heard is not None:
            try:
                heard(self.result)
            except Exception as fault:
                error = fault
        if future.done():  # cancelled
            return
        if error is None:
            future.set_result(self.result)
        else:
            future.set_exception(error)


class ConnectionThread:
    """A thread with a connection of its own, opened at the first job.

    `work` does the jobs that wait, `at_once` of them at most, and the event loop is woken once for all of these: a
    `ThreadPoolExecutor`, which makes two futures and wakes it for each, takes twice the time.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], sqlite3.Connection],
        work: Callable[[sqlite3.Connection, list[WaitingJob]], list[JobOutcome]],
        *,
        at_once: int,
    ) -> None:
        self._connect = connect
        self._work = work
        self._at_once = at_once
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[WaitingJob | None] = SimpleQueue()
        self._closed = self._loop.create_future()
        # It does not keep a process alive that ends without closing it: what it has acknowledged is written.
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job, heard: Callable[[Any], object] | None = None) -> asyncio.Future[Any]:
        """The result of the job, or what `connect` or `work` raised. One that is cancelled before its turn is not done,
        unless its result is to be `heard`."""
        future = self._loop.create_future()
        self._jobs.put(WaitingJob(job, future, heard))
        return future

    async def close(self) -> None:
        """After the jobs submitted before; done even if the wait for it is cancelled."""
        self._jobs.put(None)
        try:
            await asyncio.shield(self._closed)
        finally:
            self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        ended = False
        try:
            while not ended:
                group, ended = self._next()
                if not group:
                    continue
                try:
                    connection = connection or self._connect()
                    outcomes = self._work(connection, group)
                except Exception as error:
                    outcomes = [JobOutcome(waiting, error=error) for waiting in group]
                self._call(_tell, outcomes)
        finally:
            with suppress(sqlite3.Error):
                if connection is not None:
                    connection.close()
            self._call(self._closed.set_result, None)

    def _next(self) -> tuple[list[WaitingJob], bool]:
        """The jobs that wait, and whether they are the last."""
        group: list[WaitingJob] = []
        while not group or (len(group) < self._at_once and not self._jobs.empty()):
            waiting = self._jobs.get()
            if waiting is None:
                return group, True
            if not waiting.is_given_up:
                group.append(waiting)
        return group, False

    def _call[T](self, function: Callable[[T], object], argument: T) -> None:
        with suppress(RuntimeError):  # a loop that is closed waits for nothing
            self._loop.call_soon_threadsafe(function, argument)


def _tell(outcomes: list[JobOutcome]) -> None:
    for outcome in outcomes:
        outcome.tell()
