"""An SQLite file used from asyncio: one thread writes, another reads, the event loop does neither."""

import asyncio
import logging
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from pipeline.model.outage import OutsideError
from pipeline.storage.missing import why_missing

log = logging.getLogger(__name__)

Synchronous = Literal["NORMAL", "FULL"]

_Waiting = tuple[Callable[[sqlite3.Connection], Any], Future[Any]]

_GROUP: Final = 64
"""Jobs that share a transaction at most, so that no job waits long for the others."""
_LOG_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of disk that the write-ahead log keeps once a burst that made it longer is over."""

OUTDATED: Final = "has the format of an earlier version"
"""What the error for a file says that is whole, and can be read once it is brought up to date."""

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write; check it, and the space left on it",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions of the file and of its directory",
    sqlite3.SQLITE_PERM: "access is refused; check the permissions of the file and of its directory",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its directory exists and can be read and written",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; stop that one",
    sqlite3.SQLITE_CORRUPT: "it is damaged; move it away to start with an empty one",
    sqlite3.SQLITE_NOTADB: "it is not a database; move it away to start with an empty one",
}
_REFUSALS: Final = frozenset(
    {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
)
"""What a person has to fix. A lock, a full disk and a missing directory may pass."""


class Database:
    """One file, with one process that writes and any number of others that read.

    Jobs are functions of a connection. Writing jobs that wait at the same time share one transaction, and with it
    the cost of making it durable; if one of them is at fault, each runs again on its own. So a job must have no
    effect outside of its connection.

    A file of an earlier format is brought up to date when it is opened for writing: `migrations` lead from the format
    they are listed under to the next one, each in a transaction of its own, so that a kill in the middle loses nothing.

    `error` is the type raised for what SQLite and the file system refuse, with a message that says what to do; the
    database stays usable and works again once the cause is removed.
    """

    def __init__(
        self,
        path: Path,
        *,
        schema: str,
        version: int,
        synchronous: Synchronous,
        error: type[OutsideError],
        migrations: Mapping[int, Callable[[sqlite3.Connection], None]] | None = None,
        read_only: bool = False,
        busy_timeout: float = 5.0,
    ) -> None:
        self._path = path.absolute()
        self._schema = schema
        self._version = version
        self._synchronous = synchronous
        self._error = error
        self._migrations = migrations or {}
        self._read_only = read_only
        self._busy_timeout = busy_timeout
        self._pending: deque[_Waiting] = deque()
        self._writer: _Worker | None = None
        self._reader: _Worker | None = None
        self._identity: tuple[int, int] | None = None

    async def open(self) -> None:
        """Open the file; unless it is only read, create it where it is missing (0600, in a directory of 0700).

        The error raised says whether it is missing, damaged, locked, of another version, or not accessible.
        """
        if self._reader is not None:
            return
        writer = None if self._read_only else _Worker(f"{self._path.stem}-writer", self._connect_writer)
        reader = _Worker(f"{self._path.stem}-reader", self._connect_reader)
        try:
            for worker in (writer, reader):
                if worker is not None:
                    await self._run(worker, _nothing)
        except BaseException:
            await _close(writer, reader)
            raise
        self._writer, self._reader = writer, reader

    async def close(self) -> None:
        """Finish the jobs that wait, close the connections, end the threads. May be called again."""
        workers = self._writer, self._reader
        self._writer = self._reader = None
        await _close(*workers)

    async def read[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        """The result of the job on the reading connection."""
        if self._reader is None:
            raise self._error(f"{self._path} is not open")
        return await self._run(self._reader, job)

    async def write[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        """The result of the job, once its transaction is committed. If cancelled, it may be committed or not."""
        if self._read_only:
            raise self._error(f"{self._path} is open for reading only")
        if self._writer is None:
            raise self._error(f"{self._path} is not open")
        future: Future[T] = Future()
        self._pending.append((job, future))
        self._writer.submit(self._flush)
        return await asyncio.wrap_future(future)

    async def _run[T](self, worker: "_Worker", job: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.wrap_future(worker.submit(job))
        except (sqlite3.Error, OSError) as error:
            raise self._explained(error) from error

    def _flush(self, connection: sqlite3.Connection) -> None:
        """Run jobs that wait, if no flush before has. Every job submits one, so those beyond a group are not left."""
        group: list[_Waiting] = []
        while self._pending and len(group) < _GROUP:
            job, future = self._pending.popleft()
            if future.set_running_or_notify_cancel():
                group.append((job, future))
        if group:
            self._settle(connection, group)

    def _settle(self, connection: sqlite3.Connection, group: list[_Waiting]) -> None:
        if not self._is_there():
            for _, future in group:
                gone = f"{self._path}: the file was deleted; restore it, or restart to begin with an empty one"
                future.set_exception(self._error(gone))
            return
        try:
            results = _commit(connection, [job for job, _ in group])
        except Exception as error:
            # An operational error (disk full, locked) is not caused by a job, and trying each alone would only cost
            # time.
            if len(group) > 1 and not isinstance(error, sqlite3.OperationalError):
                for waiting in group:
                    self._settle(connection, [waiting])
                return
            for _, future in group:
                future.set_exception(self._explained(error) if isinstance(error, sqlite3.Error) else error)
        else:
            for (_, future), result in zip(group, results, strict=True):
                future.set_result(result)

    def _is_there(self) -> bool:
        """Whether the file is still under its name: else all that is written is lost with the process."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _explained(self, cause: sqlite3.Error | OSError) -> Exception:
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        error = self._error(f"{self._path}: {advice(cause)}")
        error.permanent = isinstance(cause, PermissionError) or code in _REFUSALS
        error.__cause__ = cause
        return error

    def _connect_writer(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Left to SQLite, its mode would be the umask's; the log files inherit the mode of this one.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = self._connect()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT}")
            if _version_of(connection) == 0:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {self._schema}; PRAGMA user_version = {self._version}; COMMIT"
                )
            upgraded = False
            while (migration := self._migrations.get(found := _version_of(connection))) is not None:
                log.info("%s: bringing format %d up to date", self._path, found)
                _commit(connection, [migration, partial(_set_version, version=found + 1)])
                upgraded = True
            if upgraded:
                self._give_back(connection)
            self._check_version(connection)
            status = self._path.stat()
            self._identity = status.st_dev, status.st_ino
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        """Leave the disk what an upgrade has freed, if it is more than what is kept."""
        (pages,), (free,) = (connection.execute(f"PRAGMA {of}").fetchone() for of in ("page_count", "freelist_count"))
        if 2 * free <= pages:
            return
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:  # it needs as much space again; the file is whole
            log.info("%s: the file keeps its free space for what is to come: %s", self._path, error)

    def _connect_reader(self) -> sqlite3.Connection:
        if why := why_missing(self._path):
            raise self._error(why)
        connection = self._connect()
        try:
            connection.execute("PRAGMA query_only = ON")
            self._check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        # Readers use `rw` too: beside a log they need the shared index, and the last one to leave removes both.
        return sqlite3.connect(
            f"{self._path.as_uri()}?mode=rw", uri=True, timeout=self._busy_timeout, isolation_level=None
        )

    def _check_version(self, connection: sqlite3.Connection) -> None:
        found = _version_of(connection)
        if found == 0:
            raise self._error(f"{self._path} holds nothing yet; a pipeline fills it when it runs")
        if found < self._version and found in self._migrations:
            raise self._error(f"{self._path} {OUTDATED}; start a pipeline on it, which upgrades it")
        if found != self._version:
            raise self._error(
                f"{self._path} has format {found}, this version of the program uses {self._version}; "
                "use the version that wrote it, or move it away to start with an empty one"
            )


def advice(error: sqlite3.Error | OSError) -> str:
    """What is wrong with a database, and what to do."""
    if isinstance(error, OSError):
        return f"{error.strerror}; check the permissions of its directory"
    # The lowest byte is the kind of error, the others are its details.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return _ADVICE.get(code, str(error))


class _Worker:
    """A thread with a connection of its own, opened at the first job."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def submit[T](self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        return self._executor.submit(self._call, job)

    async def close(self) -> None:
        """After the jobs submitted before; done even if the wait for it is cancelled."""
        try:
            await asyncio.shield(asyncio.wrap_future(self._executor.submit(self._disconnect)))
        finally:
            self._executor.shutdown()

    def _call[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._connect()
        return job(self._connection)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _commit(connection: sqlite3.Connection, jobs: list[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [job(connection) for job in jobs]
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # some errors have rolled back already
            connection.execute("ROLLBACK")
    return results


def _version_of(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _set_version(connection: sqlite3.Connection, version: int) -> None:
    connection.execute(f"PRAGMA user_version = {version}")


def _nothing(_: sqlite3.Connection) -> None:
    """Opens the connection."""


async def _close(*workers: _Worker | None) -> None:
    for worker in workers:
        if worker is not None:
            await worker.close()
