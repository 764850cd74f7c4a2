"""Store files as earlier versions left them."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from pipeline.model.documents import COLLECTIONS, Document

_FIRST_FORMAT = """
CREATE TABLE {0} (
    seq INTEGER PRIMARY KEY, _id TEXT NOT NULL UNIQUE, version TEXT NOT NULL, ticker TEXT, interval TEXT,
    ts INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX {0}_by_interval ON {0} (ticker, interval, ts) WHERE interval IS NOT NULL;
CREATE INDEX {0}_by_ticker ON {0} (ticker, ts);
CREATE INDEX {0}_by_ts ON {0} (ts);
"""
_THIRD_FORMAT = """
CREATE TABLE {0} (
    seq INTEGER PRIMARY KEY, _id TEXT NOT NULL UNIQUE, version TEXT NOT NULL, ticker TEXT, interval TEXT, source TEXT,
    ts INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX {0}_by_interval ON {0} (ticker, interval, ts, source) WHERE interval IS NOT NULL;
CREATE INDEX {0}_by_ticker ON {0} (ticker, ts);
CREATE INDEX {0}_by_ts ON {0} (ts);
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def first_format(path: Path, *documents: tuple[str, str, str | None, str | None, int, dict[str, object]]) -> None:
    """A file as version 0.1.0 left it: collection, key, ticker, interval, ts and body of each document."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("".join(_FIRST_FORMAT.format(name) for name in COLLECTIONS if name != "forecasts"))
        for name, key, ticker, interval, ts, body in documents:
            connection.execute(
                f"INSERT INTO {name} (_id, version, ticker, interval, ts, body) VALUES (?, '1', ?, ?, ?, ?)",  # noqa: S608
                (key, ticker, interval, ts, msgspec.json.encode(body)),
            )
        connection.execute("PRAGMA user_version = 1")
        connection.commit()


def third_format(path: Path, documents: Iterable[Document]) -> None:
    """A file with these, of which no two have one key, in the format before they were kept by series."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript("".join(_THIRD_FORMAT.format(name) for name in COLLECTIONS))
        for d in documents:
            ts = (d.ts - _EPOCH) // timedelta(microseconds=1)
            connection.execute(
                f"INSERT INTO {d.collection} (_id, version, ticker, interval, source, ts, body) "  # noqa: S608
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (d.id, d.version, d.ticker, d.interval, d.source, ts, msgspec.json.encode(d.body)),
            )
        connection.execute("PRAGMA user_version = 3")
        connection.commit()


def as_found(document: Document) -> dict[str, Any]:
    """What the store found of it in that format."""
    texts = {"ticker": document.ticker, "interval": document.interval, "source": document.source}
    return {
        "_id": document.id,
        **{name: text for name, text in texts.items() if text is not None},
        "ts": document.ts,
        **msgspec.json.decode(msgspec.json.encode(document.body)),
    }
