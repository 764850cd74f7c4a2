"""Export of a collection to a file: of any size, beside a running pipeline, and whole or not at all."""

import importlib.util
import os
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from pipeline import __version__
from pipeline.ops.csv_file import CsvFile
from pipeline.ops.progress import ProgressLine, is_terminal
from pipeline.ops.query import QueryError
from pipeline.ops.tabular import CollectionTable, Row, TableColumn, table_of
from pipeline.store.base import Query, Store

_CSV: Final = ".csv"
_PARQUET: Final = ".parquet"


class UnwritableError(Exception):
    """The file cannot be written; the message says why."""


class _File(Protocol):
    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Exported:
    """What was written, and what was passed over."""

    rows: int
    table: CollectionTable


def check_target(target: Path, *, force: bool) -> Path:
    """The file that will be written, before anything else is done for it.

    Raises:
        QueryError: if it is of no known format, has no directory, or is there already and must not be replaced.
    """
    if (suffix := target.suffix.lower()) not in (_PARQUET, _CSV):
        raise QueryError(f"--to must end in {_PARQUET} or {_CSV}, which {str(target)!r} does not")
    if suffix == _PARQUET and importlib.util.find_spec("pyarrow") is None:
        raise QueryError(
            "Parquet needs pyarrow, which is not installed: pip install 'fintrends-tui[parquet]', or in a checkout "
            "`uv run --extra parquet fintrends-tui export ...`; or export to a .csv file"
        )
    target = Path(os.path.realpath(target))  # what a link leads to is replaced, not the link
    if not target.parent.is_dir():
        raise QueryError(f"there is no directory {target.parent}")
    if target.exists() and not target.is_file():
        raise QueryError(f"{target} is not a file")
    if target.exists() and not force:
        raise QueryError(f"{target} is there already; --force replaces it")
    return target


def check_query(wanted: Query) -> None:
    """Raise if what is asked for has no meaning for a file.

    Raises:
        QueryError
    """
    if wanted.collection == "stock_data" and wanted.interval is None and wanted.last is not None:
        raise QueryError("--last of stock_data is of one interval; name it with --interval")


async def export(store: Store, wanted: Query, target: Path, zone: ZoneInfo, *, origin: str, force: bool) -> Exported:
    """Write what is asked for to the target, in the store's order: oldest first. `origin` goes into a Parquet file's
    metadata. Of `stock_data` without an interval these are the bars.

    Memory is bounded. The target appears once it is whole; until then there is a file beside it, which goes if anything
    ends this before.

    Raises:
        StoreError
        UnwritableError
    """
    table = table_of(wanted.collection, wanted.interval)
    progress = None
    if is_terminal(sys.stderr):
        progress = ProgressLine(await store.count(wanted), "documents")
    read = written = 0
    try:
        with _whole(target, force=force) as path, _opened(path, target.suffix, table, origin) as file:
            async for documents in store.scan(wanted):
                rows = table.rows(documents, zone)
                file.write(rows)
                read += len(documents)
                written += len(rows)
                if progress:
                    progress.show(read)
    except OSError as error:
        raise UnwritableError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        if progress:
            progress.clear()
    return Exported(written, table)


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM meanwhile ends this as Ctrl+C does, so that whoever ends it, nothing half-written is left."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def remarks(exported: Exported, target: Path, origin: str) -> Iterator[str]:
    """What there is to be said of it, a sentence each."""
    if origin:
        yield origin
    for other in sorted(exported.table.others):
        yield f"{other}s are left out; --interval {other} exports them"
    if exported.table.foreign:
        yield f"{exported.table.foreign:,} documents that this pipeline did not write are left out"
    if not exported.rows:
        yield "nothing found; the file has the columns and no rows"
    yield f"{exported.rows:,} rows in {target}"


@contextmanager
def _whole(target: Path, *, force: bool) -> Iterator[Path]:
    """A path beside the target, whose file takes the target's place at the end; without one if anything is raised."""
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        if target.exists() and not force:
            raise UnwritableError(f"{target} has come to be there meanwhile; --force replaces it")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path, suffix: str, table: CollectionTable, origin: str) -> Iterator[_File]:
    file = _file(path, suffix, table.columns, {"fintrends_schema": table.kind.schema, "fintrends_origin": origin})
    try:
        yield file
    finally:
        file.close()


def _file(path: Path, suffix: str, columns: Sequence[TableColumn], metadata: dict[str, str]) -> _File:
    if suffix.lower() == _CSV:
        return CsvFile(path, columns)
    from pipeline.ops.parquet import ParquetFile

    return ParquetFile(path, columns, {"fintrends_version": __version__, **metadata})
