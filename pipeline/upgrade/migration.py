"""Brings a data directory from before namespaces to today's layout: what is simulated goes into its own.

It can be interrupted at any time, and the next start continues: a copy gets its final name once it is complete, what
was copied is deleted after that, and every other step can be repeated.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.model.documents import COLLECTIONS, QUOTE
from pipeline.model.namespace import SIMULATED
from pipeline.model.topics import DEAD_LETTER, INDICATOR_GROUP, INDICATORS, STOCK_DATA, topic_for
from pipeline.storage.datadir import DataDir, DataDirError
from pipeline.storage.layout import Layout
from pipeline.storage.sqlite import advice
from pipeline.storage.statefile import replace
from pipeline.store.embedded.formats import MIXED, bring_to_format_3
from pipeline.store.embedded.store import EmbeddedStore

log = logging.getLogger(__name__)

# Of a JSON text {0}: whether it is simulated. A dead letter was not marked as such, but the record that it holds was.
_IS_SIMULATED: Final = """CASE WHEN json_valid({0}) THEN
    coalesce(json_extract({0}, '$.simulated'), 0) = 1
    OR instr(coalesce(json_extract({0}, '$.payload'), ''), '"simulated":true') > 0 ELSE 0 END"""
_IS_REAL: Final = """CASE WHEN json_valid({0}) THEN
    coalesce(json_extract({0}, '$.simulated'), 0) = 0
    AND coalesce(json_extract({0}, '$.type'), '') <> 'dead_letter' ELSE 0 END"""
_BODY: Final = "CAST(body AS TEXT)"
_VALUE: Final = "CAST(value AS TEXT)"
_OFFSET_BITS: Final = 40
"""Of the format that buses had then: a record's position is its topic's id and its offset."""
_MARK: Final = "CAST(json_set({0}, '$.simulated', json('true')) AS BLOB)"


async def migrate(data_dir: DataDir) -> None:
    """Do what is left to do; to be called by the owner of the directory, before its databases are opened.

    Raises:
        DataDirError: if a database cannot be read or written; nothing is lost then, and nothing mixed.
        StoreError: the same of the store.
    """
    layout = Layout.of(data_dir.path)
    if layout.is_current:
        return
    real, simulated = data_dir.within(""), data_dir.within(SIMULATED)
    # In format 3, rows computed over real and simulated bars together are deleted. There were namespaces before there
    # was a later one.
    mixed = real.has_store and await bring_to_format_3(real.store)
    try:
        moved = await asyncio.to_thread(_separate, real, simulated, mixed=mixed)
    except (sqlite3.Error, OSError) as error:
        raise DataDirError(
            f"simulated data cannot be moved to {simulated.space}: {advice(error)}; until then no pipeline can run "
            f"on {real.path}, because real and simulated data must not be mixed"
        ) from error
    layout.migrated()
    for space in (real, simulated):
        if space.has_store:
            store = EmbeddedStore(space.store)
            await store.open()
            await store.close()
    if moved:
        log.info("simulated data of earlier runs were moved to %s: %s", simulated.space, moved)


def _separate(real: DataDir, simulated: DataDir, *, mixed: bool) -> str:
    """What was moved, in words. Documents may be `mixed`."""
    documents = _split(real.store, simulated.store, COLLECTIONS, _BODY, _tidy_store) if mixed else 0
    records = _split(real.bus, simulated.bus, ("records",), _VALUE, _tidy_bus)
    both = _tickers(real.store) & _tickers(simulated.store)
    for space in (real, simulated):
        _compute_anew(space.bus, both)
    _part_alerts(real, simulated, mixed=bool(documents) and real.store.exists(), moved=bool(documents))
    if documents and not real.store.exists() and real.loads.exists():
        real.loads.replace(simulated.loads)
    moved = ((documents, "documents"), (records, "records"))
    return ", ".join(f"{count:,} {what}" for count, what in moved if count)


def _split(path: Path, target: Path, tables: Iterable[str], text: str, tidy: Any) -> int:
    """Move what is simulated from one database to another of the same form; how many rows that were."""
    if not path.exists():
        return 0
    with _database(path) as database:
        found = [table for table in tables if _has_table(database, table)]
        count = sum(_count(database, table, _IS_SIMULATED.format(text)) for table in found)
        if not count:
            return 0
        target.parent.mkdir(mode=0o700, exist_ok=True)
        whole = not any(_count(database, table, _IS_REAL.format(text), limit=1) for table in found)
        if not target.exists() and not whole:
            copy = target.with_name(target.name + ".new")
            _remove(copy)
            copy.touch(mode=0o600)
            with _database(copy) as others:
                database.backup(others)
                _keep(others, found, _IS_SIMULATED.format(text), tidy)
            copy.replace(target)
        if target.exists():
            _keep(database, found, f"NOT ({_IS_SIMULATED.format(text)})", tidy)
            return count
    path.replace(target)  # closed, and so without a write-ahead log
    with _database(target) as database:
        _keep(database, found, "1", tidy)
    return count


def _keep(database: sqlite3.Connection, tables: Collection[str], which: str, tidy: Any) -> None:
    """Delete the rows that are not so, in one transaction."""
    database.execute("BEGIN IMMEDIATE")
    for table in tables:
        database.execute(f"DELETE FROM {table} WHERE NOT ({which})")  # noqa: S608 - the names are constants
    tidy(database, tables)
    database.execute("COMMIT")


def _tidy_store(database: sqlite3.Connection, tables: Collection[str]) -> None:
    """`seq` counts the documents, so that it has no gaps."""
    for table in tables:
        database.execute(
            f"UPDATE {table} SET seq = -n FROM "  # noqa: S608 - the names are constants
            f"(SELECT seq AS old, row_number() OVER (ORDER BY seq) AS n FROM {table}) WHERE seq = old"
        )
        database.execute(f"UPDATE {table} SET seq = -seq WHERE seq < 0")  # noqa: S608
    if DEAD_LETTER in tables:
        database.execute(
            f"UPDATE {DEAD_LETTER} SET body = {_MARK.format(_BODY)} WHERE {_IS_SIMULATED.format(_BODY)}"  # noqa: S608
        )


def _tidy_bus(database: sqlite3.Connection, _: Collection[str]) -> None:
    """Offsets stay what they are. A commit before a gap that ends the topic goes to its end: there is nothing to wait
    for."""
    database.execute(
        f"UPDATE records SET value = {_MARK.format(_VALUE)} "  # noqa: S608 - constants
        f"WHERE position >> {_OFFSET_BITS} = (SELECT id FROM topics WHERE name = ?) AND {_IS_SIMULATED.format(_VALUE)}",
        (DEAD_LETTER,),
    )
    for id_, next_ in database.execute("SELECT id, next FROM topics").fetchall():
        origin = id_ << _OFFSET_BITS
        first, last = database.execute(
            "SELECT min(position), max(position) FROM records WHERE position >= ? AND position < ?",
            (origin, origin + next_),
        ).fetchone()
        beginning = next_ if first is None else first - origin
        reached = 0 if last is None else last - origin + 1
        database.execute("UPDATE topics SET first = ? WHERE id = ?", (beginning, id_))
        database.execute("UPDATE commits SET next = ? WHERE topic = ? AND next >= ?", (next_, id_, reached))


def _tickers(store: Path) -> set[str]:
    """Of which the store has bars; none where nothing was ever mixed."""
    if not store.exists():
        return set()
    with _database(store) as database:
        if database.execute("PRAGMA user_version").fetchone()[0] > MIXED:
            return set()
        rows = database.execute(
            "SELECT DISTINCT ticker FROM stock_data WHERE interval <> ? AND ticker IS NOT NULL", (QUOTE,)
        )
        return {ticker for (ticker,) in rows}


def _compute_anew(bus: Path, tickers: Collection[str]) -> None:
    """Of tickers that had bars of both origins: delete the rows of indicators that are on the bus, and have the
    processor read the bars again."""
    if not tickers or not bus.exists():
        return
    with _database(bus) as database:
        if not _has_table(database, "records"):  # a later version has been at work on it, and mixes nothing
            return
        database.execute("BEGIN IMMEDIATE")
        for ticker in tickers:
            database.execute(
                f"DELETE FROM records WHERE position >> {_OFFSET_BITS} = "  # noqa: S608 - a constant
                "(SELECT id FROM topics WHERE name = ?)",
                (topic_for(INDICATORS, ticker),),
            )
            database.execute(
                "UPDATE commits SET next = 0 "
                "WHERE consumer_group = ? AND topic = (SELECT id FROM topics WHERE name = ?)",
                (INDICATOR_GROUP, topic_for(STOCK_DATA, ticker)),
            )
        _tidy_bus(database, ())
        database.execute("COMMIT")


def _part_alerts(real: DataDir, simulated: DataDir, *, mixed: bool, moved: bool) -> None:
    """What fired was kept with the rules. Where it may be about data of either origin it is put aside."""
    try:
        known: dict[str, Any] = msgspec.json.decode(real.alerts.read_bytes(), type=dict[str, Any])
    except (OSError, ValueError):
        return
    past = {key: known.pop(key) for key in ("fired", "history") if key in known}
    if not past:
        return
    target = real.path / "alerts_before_namespaces.json" if mixed else (simulated if moved else real).fired
    _write(target, past)
    _write(real.alerts, known)


def _write(path: Path, value: object) -> None:
    replace(path, msgspec.json.format(msgspec.json.encode(value), indent=1))


def _has_table(database: sqlite3.Connection, name: str) -> bool:
    return (
        database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone()
        is not None
    )


def _count(database: sqlite3.Connection, table: str, which: str, limit: int = -1) -> int:
    statement = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {which} LIMIT {limit})"  # noqa: S608 - constants
    return int(database.execute(statement).fetchone()[0])


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = FULL")
        yield database


def _remove(path: Path) -> None:
    """A copy that was not finished, and its journals."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
