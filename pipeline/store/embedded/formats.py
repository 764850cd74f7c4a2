"""Upgrades a store file from an earlier format."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from pipeline.storage.sqlite import Database, advice
from pipeline.store.base import StoreError
from pipeline.store.embedded.format_4 import key_by_series

MIXED: Final = 3
"""The last format in which real and simulated documents may be in one file."""
_FIRST: Final = ("stock_data", "indicators", "sentiment", "news", "social", "economic", "dead_letter")
"""The collections of format 1."""
_KEYED_BY_SOURCE: Final = {
    "stock_data": "ticker || '|' || interval || '|'",
    "indicators": "ticker || '|' || interval || '|'",
    "economic": "json_extract(CAST(body AS TEXT), '$.series') || '|' || interval || '|'",
}
"""The beginning of a key, up to where the source is put in."""


def _put_source_into_keys(connection: sqlite3.Connection) -> None:
    """Format 1 had the source in the body only, so that bars of two providers took each other's place.

    A row of indicators gets the source of the bar it stands at. Where the bars of a ticker and interval are of several
    sources, its rows may have been computed across them: they are deleted, and the processor computes them again.
    """
    for name in _FIRST:
        connection.execute(f"ALTER TABLE {name} ADD COLUMN source TEXT")
        connection.execute(f"UPDATE {name} SET source = json_extract(CAST(body AS TEXT), '$.source')")  # noqa: S608
        connection.execute(f"DROP INDEX {name}_by_interval")
        connection.execute(
            f"CREATE INDEX {name}_by_interval ON {name} (ticker, interval, ts, source) WHERE interval IS NOT NULL"
        )
    connection.execute(
        """
        DELETE FROM indicators WHERE (ticker, interval) IN (
            SELECT ticker, interval FROM stock_data GROUP BY ticker, interval HAVING count(DISTINCT source) > 1)
        """
    )
    connection.execute(
        """
        UPDATE indicators SET source = coalesce(
            (SELECT bar.source FROM stock_data AS bar
             WHERE bar.ticker = indicators.ticker AND bar.interval = indicators.interval AND bar.ts = indicators.ts),
            'unknown')
        """
    )
    for name, start in _KEYED_BY_SOURCE.items():
        connection.execute(
            f"UPDATE {name} SET _id = {start} || source || '|' || substr(_id, length({start}) + 1) "  # noqa: S608
            f"WHERE source IS NOT NULL AND substr(_id, 1, length({start})) = {start}"
        )


def _add_forecasts(connection: sqlite3.Connection) -> None:
    """Format 2 had no forecasts."""
    connection.execute(
        """
        CREATE TABLE forecasts (
            seq INTEGER PRIMARY KEY,
            _id TEXT NOT NULL UNIQUE,
            version TEXT NOT NULL,
            ticker TEXT,
            interval TEXT,
            source TEXT,
            ts INTEGER NOT NULL,
            body BLOB NOT NULL
        )
        """
    )
    connection.execute(
        "CREATE INDEX forecasts_by_interval ON forecasts (ticker, interval, ts, source) WHERE interval IS NOT NULL"
    )
    connection.execute("CREATE INDEX forecasts_by_ticker ON forecasts (ticker, ts)")
    connection.execute("CREATE INDEX forecasts_by_ts ON forecasts (ts)")


TO_FORMAT_3: Final[Mapping[int, Callable[[sqlite3.Connection], None]]] = {1: _put_source_into_keys, 2: _add_forecasts}
MIGRATIONS: Final[Mapping[int, Callable[[sqlite3.Connection], None]]] = {**TO_FORMAT_3, 3: key_by_series}
"""By the format they begin with; each leads to the next one, within one transaction."""


async def bring_to_format_3(path: Path) -> bool:
    """Upgrade what is older, and leave what is newer as it is; whether the file has that format now.

    Raises:
        StoreError: if it cannot be read or written.
    """
    found = _format_of(path)
    if found in TO_FORMAT_3:
        database = Database(
            path, schema="", version=MIXED, migrations=TO_FORMAT_3, synchronous="FULL", error=StoreError
        )
        await database.open()
        await database.close()
    return found in (*TO_FORMAT_3, MIXED)


def _format_of(path: Path) -> int:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {advice(error)}") from error
    return int(version)
