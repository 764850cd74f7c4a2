"""An SQLite file used from asyncio: one thread writes, another reads, the event loop does neither."""

import logging
import os
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from pipeline.model.outage import OutsideError
from pipeline.storage.connection_thread import ConnectionThread, JobOutcome, WaitingJob
from pipeline.storage.missing import why_missing

log = logging.getLogger(__name__)

Synchronous = Literal["NORMAL", "FULL"]

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
        self._name = str(self._path)
        self._schema = schema
        self._version = version
        self._synchronous = synchronous
        self._error = error
        self._migrations = migrations or {}
        self._read_only = read_only
        self._busy_timeout = busy_timeout
        self._writer: ConnectionThread | None = None
        self._reader: ConnectionThread | None = None
        self._identity: tuple[int, int] | None = None

    async def open(self) -> None:
        """Open the file; unless it is only read, create it where it is missing (0600, in a directory of 0700).

        The error raised says whether it is missing, damaged, locked, of another version, or not accessible.
        """
        if self._reader is not None:
            return
        writer = None
        if not self._read_only:
            writer = ConnectionThread(f"{self._path.stem}-writer", self._connect_writer, self._settle, at_once=_GROUP)
        reader = ConnectionThread(f"{self._path.stem}-reader", self._connect_reader, self._look, at_once=1)
        try:
            for worker in (writer, reader):
                if worker is not None:
                    await worker.submit(_nothing)
        except BaseException as error:
            await _close(writer, reader)
            if isinstance(error, (sqlite3.Error, OSError)):
                raise self._explained(error) from error
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
        found: T = await self._reader.submit(job)
        return found

    async def write[T](self, job: Callable[[sqlite3.Connection], T], heard: Callable[[T], object] | None = None) -> T:
        """The result of the job, once its transaction is committed. If cancelled, it may be committed or not; `heard`
        is called with the result, in the event loop, before whoever waits goes on, or even if nobody does any longer.
        """
        if self._read_only:
            raise self._error(f"{self._path} is open for reading only")
        if self._writer is None:
            raise self._error(f"{self._path} is not open")
        result: T = await self._writer.submit(job, heard)
        return result

    def _look(self, connection: sqlite3.Connection, group: list[WaitingJob]) -> list[JobOutcome]:
        outcomes = []
        for waiting in group:
            try:
                outcomes.append(JobOutcome(waiting, waiting.job(connection)))
            except Exception as error:
                outcomes.append(JobOutcome(waiting, error=self._explained(error)))
        return outcomes

    def _settle(self, connection: sqlite3.Connection, group: list[WaitingJob]) -> list[JobOutcome]:
        if not self._is_there():
            gone = f"{self._path}: the file was deleted; restore it, or restart to begin with an empty one"
            return [JobOutcome(waiting, error=self._error(gone)) for waiting in group]
        try:
            results = _commit(connection, [waiting.job for waiting in group])
        except Exception as error:
            # An operational error (disk full, locked) is not caused by a job, and trying each alone would only cost
            # time.
            if len(group) > 1 and not isinstance(error, sqlite3.OperationalError):
                return [outcome for waiting in group for outcome in self._settle(connection, [waiting])]
            return [JobOutcome(waiting, error=self._explained(error)) for waiting in group]
        return [JobOutcome(waiting, result) for waiting, result in zip(group, results, strict=True)]

    def _is_there(self) -> bool:
        """Whether the file is still under its name: else all that is written is lost with the process."""
        try:
            status = os.stat(self._name)  # noqa: PTH116 - for every transaction: a third of what `Path.stat` takes
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _explained(self, cause: Exception) -> Exception:
        """What SQLite and the file system refuse, in words; anything else as it is."""
        if not isinstance(cause, (sqlite3.Error, OSError)):
            return cause
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


async def _close(*workers: ConnectionThread | None) -> None:
    for worker in workers:
        if worker is not None:
            await worker.close()
