"""A file of the embedded bus as version 0.1.0 left it."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from pipeline.bus.base import Record

_SCHEMA = """
CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE records (
    position INTEGER PRIMARY KEY,
    appended INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    key TEXT NOT NULL,
    headers BLOB NOT NULL,
    value BLOB NOT NULL
);
CREATE TABLE commits (
    topic INTEGER NOT NULL REFERENCES topics (id),
    consumer_group TEXT NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (topic, consumer_group)
) WITHOUT ROWID;
PRAGMA journal_mode = WAL;
PRAGMA user_version = 1
"""


def write_first_format(
    path: Path, records: Sequence[Record], committed: Mapping[str, Mapping[str, int]], appended: int = 0
) -> None:
    """With these records, appended at that time (ms); `committed` is by group and topic."""
    by_topic: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_topic[record.topic].append(record)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_SCHEMA)
        for id_, (topic, own) in enumerate(by_topic.items(), 1):
            connection.execute("INSERT INTO topics (id, name, next) VALUES (?, ?, ?)", (id_, topic, len(own)))
            connection.executemany(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
                [
                    ((id_ << 40) + offset, appended, r.ts, r.key, msgspec.msgpack.encode(dict(r.headers)), r.value)
                    for offset, r in enumerate(own)
                ],
            )
        for group, topics in committed.items():
            for topic, next_ in topics.items():
                connection.execute(
                    "INSERT INTO commits SELECT id, ?, ? FROM topics WHERE name = ?", (group, next_, topic)
                )
        connection.commit()
