"""The shared SQLite layer: transactions, threads, faults, file modes."""

import asyncio
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.storage.sqlite import Database


class FaultError(Exception):
    pass


def database(path: Path, **options: Any) -> Database:
    defaults: dict[str, Any] = {
        "schema": "CREATE TABLE numbers (n INTEGER PRIMARY KEY, body BLOB)",
        "version": 3,
        "synchronous": "NORMAL",
        "error": FaultError,
    }
    return Database(path, **defaults | options)


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[Database]:
    opened_database = database(path, **options)
    await opened_database.open()
    try:
        yield opened_database
    finally:
        await opened_database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "test.sqlite"


def insert(n: int, body: bytes = b"") -> Callable[[sqlite3.Connection], int]:
    def job(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?, ?)", (n, body))
        return n

    return job


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n")]


def _double(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE numbers SET n = 2 * n")


def pragma(text: str) -> Callable[[sqlite3.Connection], Any]:
    return lambda connection: connection.execute(f"PRAGMA {text}").fetchone()


def threads_of(path: Path) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(path.stem)]


def listing(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir()) if directory.exists() else []


def contents(path: Path) -> bytes:
    return path.read_bytes()


def overwrite(path: Path, contents: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(contents)


@asynccontextmanager
async def held(target: Database) -> AsyncIterator[None]:
    """Keep the writing thread busy meanwhile, so that what is written has to wait."""
    begun, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait(_: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert released.wait(30)

    blocker = asyncio.create_task(target.write(wait))
    await begun.wait()
    try:
        yield
    finally:
        released.set()
        await blocker


async def spin() -> None:
    """Let the tasks that were just created come to their first wait."""
    for _ in range(3):
        await asyncio.sleep(0)


class TestWriting:
    async def test_jobs_that_wait_share_a_transaction(self, path: Path) -> None:
        async with opened(path) as target:
            statements: list[str] = []
            await target.write(lambda connection: connection.set_trace_callback(statements.append))
            statements.clear()
            async with held(target):
                waiting = asyncio.gather(*(target.write(insert(n)) for n in range(100)))
                await spin()
            assert await waiting == list(range(100))
            # The holder's own commit, then 64 jobs in one transaction, and the other 36 in the next.
            assert [s for s in statements if s == "COMMIT"] == ["COMMIT"] * 3
            assert await target.read(numbers) == list(range(100))

    async def test_a_job_at_fault_fails_alone(self, path: Path) -> None:
        async with opened(path) as target:
            async with held(target):
                jobs = [insert(1), insert(2), insert(1), lambda _: 1 // 0, insert(3)]
                waiting = asyncio.gather(*(target.write(job) for job in jobs), return_exceptions=True)
                await spin()
            first, second, duplicate, bug, third = await waiting
            assert (first, second, third) == (1, 2, 3)
            assert isinstance(duplicate, FaultError)
            assert isinstance(duplicate.__cause__, sqlite3.IntegrityError)
            assert isinstance(bug, ZeroDivisionError)
            assert await target.read(numbers) == [1, 2, 3]

    async def test_a_job_that_fails_half_way_leaves_nothing(self, path: Path) -> None:
        def half(connection: sqlite3.Connection) -> None:
            insert(7)(connection)
            raise ValueError("half way")

        async with opened(path) as target:
            with pytest.raises(ValueError, match="half way"):
                await target.write(half)
            assert await target.read(numbers) == []

    async def test_a_job_cancelled_while_it_waits_is_not_done(self, path: Path) -> None:
        async with opened(path) as target:
            async with held(target):
                doomed = asyncio.create_task(target.write(insert(1)))
                await spin()
                doomed.cancel()
                await asyncio.gather(doomed, return_exceptions=True)
            await target.write(insert(2))
            assert await target.read(numbers) == [2]

    async def test_reading_does_not_wait_for_writing(self, path: Path) -> None:
        async with opened(path) as target:
            await target.write(insert(1))
            async with held(target):
                assert await asyncio.wait_for(target.read(numbers), 10) == [1]


class TestFaults:
    async def test_a_full_disk_is_said_and_survived(self, path: Path) -> None:
        async with opened(path) as target:
            await target.write(insert(1))
            await target.write(pragma("max_page_count = 16"))
            with pytest.raises(FaultError, match=r"test\.sqlite: the disk is full; free some space"):
                await target.write(insert(2, bytes(1_000_000)))
            assert await target.read(numbers) == [1]
            await target.write(insert(3))
            await target.write(pragma("max_page_count = 1000000"))
            await target.write(insert(2, bytes(1_000_000)))
            assert await target.read(numbers) == [1, 2, 3]

    async def test_a_full_disk_fails_all_that_wait(self, path: Path) -> None:
        async with opened(path) as target:
            await target.write(pragma("max_page_count = 16"))
            async with held(target):
                waiting = asyncio.gather(
                    *(target.write(insert(n, bytes(100_000))) for n in range(3)), return_exceptions=True
                )
                await spin()
            assert [type(outcome) for outcome in await waiting] == [FaultError] * 3
            assert await target.read(numbers) == []

    async def test_a_lock_is_said_and_survived(self, path: Path) -> None:
        async with opened(path, busy_timeout=0.01) as target:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(FaultError, match="another process keeps it locked"):
                    await target.write(insert(1))
                other.execute("ROLLBACK")
            await target.write(insert(1))
            assert await target.read(numbers) == [1]

    async def test_a_file_that_cannot_be_written_is_said(self, path: Path) -> None:
        async with opened(path) as target:
            await target.write(pragma("query_only = ON"))
            with pytest.raises(FaultError, match="cannot be written; check the permissions"):
                await target.write(insert(1))
            assert await target.read(numbers) == []

    async def test_a_damaged_file_is_said(self, path: Path) -> None:
        overwrite(path, b"no database at all " * 500)
        with pytest.raises(FaultError, match="not a database; move it away"):
            await database(path).open()
        assert threads_of(path) == []

    async def test_a_damaged_page_is_said(self, path: Path) -> None:
        async with opened(path) as target:
            await target.write(insert(1, bytes(100_000)))
        pages = contents(path)
        overwrite(path, pages[:4096] + b"\xff" * 4096 + pages[8192:])  # the root of the table
        async with opened(path) as target:
            with pytest.raises(FaultError, match="damaged; move it away"):
                await target.read(numbers)

    async def test_a_file_of_another_format_is_refused(self, path: Path) -> None:
        async with opened(path, version=4):
            pass
        with pytest.raises(FaultError, match="has format 4, this version of the program uses 3"):
            await database(path).open()
        assert threads_of(path) == []

    async def test_an_earlier_format_is_brought_up_to_date_step_by_step(self, path: Path) -> None:
        async with opened(path, version=1) as target:
            await target.write(insert(1))
        steps = {1: _double, 2: _double}
        async with opened(path, migrations=steps) as target:
            assert await target.read(numbers) == [4]
        async with opened(path, migrations=steps) as target:
            assert await target.read(numbers) == [4]

    async def test_a_step_that_fails_leaves_the_file_as_it_was(self, path: Path) -> None:
        async with opened(path, version=2) as target:
            await target.write(insert(1))

        def half(connection: sqlite3.Connection) -> None:
            _double(connection)
            raise sqlite3.OperationalError("killed")

        with pytest.raises(FaultError, match="killed"):
            await database(path, migrations={2: half}).open()
        async with opened(path, version=2) as target:
            assert await target.read(numbers) == [1]

    async def test_a_directory_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(FaultError, match=r"test\.sqlite: .*check the permissions"):
            await database(tmp_path / "file" / "test.sqlite").open()


class TestLifetime:
    async def test_the_files_are_private(self, path: Path) -> None:
        async with opened(path) as target:
            await target.write(insert(1))
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {"test.sqlite": 0o600, "test.sqlite-wal": 0o600, "test.sqlite-shm": 0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    async def test_closing_finishes_what_waits_and_ends_the_threads(self, path: Path) -> None:
        target = database(path)
        await target.open()
        assert len(threads_of(path)) == 2
        async with held(target):
            writes = asyncio.gather(*(target.write(insert(n)) for n in range(200)))
            await spin()
            closing_ = asyncio.create_task(target.close())
            await spin()
        await closing_
        assert await writes == list(range(200))
        assert threads_of(path) == []
        assert listing(path.parent) == ["test.sqlite"]
        await target.close()

    async def test_closed_it_refuses_and_opened_again_it_works(self, path: Path) -> None:
        async with opened(path) as target:
            await target.write(insert(1))
            await target.close()
            with pytest.raises(FaultError, match="not open"):
                await target.write(insert(2))
            with pytest.raises(FaultError, match="not open"):
                await target.read(numbers)
            await target.open()
            assert await target.read(numbers) == [1]


class TestReadOnly:
    async def test_a_missing_file_is_said_and_not_created(self, path: Path) -> None:
        with pytest.raises(FaultError, match=r"there is no .*test\.sqlite yet"):
            await database(path, read_only=True).open()
        assert listing(path.parent) == []

    async def test_an_empty_file_is_said(self, path: Path) -> None:
        overwrite(path, b"")
        with pytest.raises(FaultError, match="holds nothing yet"):
            await database(path, read_only=True).open()

    @pytest.mark.parametrize("below", ["store.sqlite", "simulated/store.sqlite"])
    async def test_a_file_in_place_of_the_directory_is_named(self, tmp_path: Path, below: str) -> None:
        place = tmp_path / "data"
        place.write_text("")
        with pytest.raises(FaultError, match="data is not a directory; choose another with --data-dir"):
            await database(place / below, read_only=True).open()
        assert place.read_text() == ""

    async def test_it_sees_what_a_writer_writes(self, path: Path) -> None:
        async with opened(path) as writer, opened(path, read_only=True) as reader:
            for n in range(3):
                await writer.write(insert(n))
                assert await reader.read(numbers) == list(range(n + 1))

    async def test_it_leaves_nothing_behind_and_writes_nothing(self, path: Path) -> None:
        async with opened(path) as writer:
            await writer.write(insert(1))
        before = contents(path)
        async with opened(path, read_only=True) as reader:
            assert await reader.read(numbers) == [1]
            with pytest.raises(FaultError, match="open for reading only"):
                await reader.write(insert(2))
            with pytest.raises(FaultError, match="cannot be written"):
                await reader.read(insert(2))
        assert contents(path) == before
        assert listing(path.parent) == ["test.sqlite"]
