"""The tables of the embedded bus, and what is done to them: functions of a connection, each within one transaction."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from pipeline.bus.base import Record, TopicPartition
from pipeline.bus.embedded.blocks import MAX_RECORDS, Block, StoredBlock, block_of, read_block, split

VERSION: Final = 2

# A block's `position` is its topic's id and the offset of its first record in one integer, so that the table itself,
# ordered by it, is the index. `first` and `next` are the offsets of the oldest record retained and of the one to be
# written next; up to `merged` no small blocks are left that could be one. `appended` and `ts` are milliseconds since
# the epoch, of the latest record of the block. See `StoredBlock`.
_OFFSET_BITS: Final = 40
SCHEMA: Final = """
CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL DEFAULT 0,
    merged INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE blocks (
    position INTEGER PRIMARY KEY,
    appended INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    key TEXT NOT NULL,
    headers BLOB NOT NULL,
    value BLOB NOT NULL,
    records INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE commits (
    topic INTEGER NOT NULL REFERENCES topics (id),
    consumer_group TEXT NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (topic, consumer_group)
) WITHOUT ROWID
"""

BATCH: Final = 500
BATCH_BYTES: Final = 8 * 1024 * 1024
"""What one read takes at most, and a block beyond that: records, and bytes of them in memory."""
_SWEEP_STEP: Final = 2000
"""Records that one transaction of a sweep deletes at most, and a block beyond that, so that publishers wait for
milliseconds only."""

_MERGED_SPAN: Final = 3_600_000
"""Milliseconds between the first and the last record of a merged block, by which it is kept longer than need be."""

_INSERT: Final = (
    "INSERT INTO blocks (position, appended, ts, key, headers, value, records) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_JSON: Final = msgspec.json.Encoder()


def _records_to_blocks(connection: sqlite3.Connection) -> None:
    """In format 1 each row was a record, which is a block of one."""
    connection.execute("ALTER TABLE records RENAME TO blocks")
    connection.execute("ALTER TABLE blocks ADD COLUMN records INTEGER NOT NULL DEFAULT 1")
    connection.execute("ALTER TABLE topics ADD COLUMN merged INTEGER NOT NULL DEFAULT 0")


MIGRATIONS: Final[Mapping[int, Callable[[sqlite3.Connection], None]]] = {1: _records_to_blocks}
"""By the format they begin with. At once, whatever is in the file."""


class Range(NamedTuple):
    """Records of a topic with start ≤ offset < stop, the first `limit` of them."""

    topic: str
    start: int
    stop: int
    limit: int


def _position(topic: int, offset: int) -> int:
    return (topic << _OFFSET_BITS) + offset


def topics(connection: sqlite3.Connection) -> list[tuple[str, int, int]]:
    """Name, first and next offset of every topic."""
    return connection.execute("SELECT name, first, next FROM topics").fetchall()


def offsets(connection: sqlite3.Connection) -> tuple[list[tuple[str, int, int]], list[tuple[str, str, int]]]:
    """All topics, as above, and group, topic and next offset of everything that is committed."""
    commits = "SELECT consumer_group, name, commits.next FROM commits JOIN topics ON topic = topics.id"
    return topics(connection), connection.execute(commits).fetchall()


def committed(group: str, topics: Collection[str], connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Those of the topics that the group has committed on, with its next offset."""
    return connection.execute(
        "SELECT name, commits.next FROM json_each(?) JOIN topics ON name = value "
        "JOIN commits ON topic = topics.id AND consumer_group = ?",
        (_listed(topics), group),
    ).fetchall()


def create_topics(topics: Collection[str], connection: sqlite3.Connection) -> dict[str, int]:
    """Create the topics that do not exist; returns the next offset of each."""
    return {topic: next_ for topic, (_, next_) in _made(topics, connection).items()}


def _made(topics: Collection[str], connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """The id and next offset of each of the topics, which exist from now on."""
    found = _found(topics, connection)
    if missing := [(topic,) for topic in topics if topic not in found]:
        connection.executemany("INSERT INTO topics (name) VALUES (?) ON CONFLICT DO NOTHING", missing)
        found = _found(topics, connection)
    return found


def _found(topics: Collection[str], connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    if len(topics) == 1:  # half the time
        rows = connection.execute("SELECT name, id, next FROM topics WHERE name = ?", tuple(topics))
    else:
        rows = connection.execute(
            "SELECT name, topics.id, next FROM json_each(?) JOIN topics ON name = value", (_listed(topics),)
        )
    return {name: (id_, next_) for name, id_, next_ in rows}


def _listed(topics: Collection[str]) -> str:
    return _JSON.encode(list(topics)).decode()


def insert(records: Iterable[Record], appended: int, connection: sqlite3.Connection) -> list[Block]:
    """Append the records; returns them as they now stand."""
    by_topic: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_topic[record.topic].append(record)
    blocks, rows, ends = [], [], []
    for topic, (id_, next_) in _made(by_topic, connection).items():
        for part in split(by_topic[topic]):
            block, row = block_of(topic, next_, part)
            blocks.append(block)
            rows.append((_position(id_, next_), appended, *row))
            next_ = block.stop
        ends.append((next_, id_))
    connection.executemany(_INSERT, rows)
    connection.executemany("UPDATE topics SET next = ? WHERE id = ?", ends)
    return blocks


def read(ranges: Collection[Range], connection: sqlite3.Connection) -> list[tuple[Range, list[Block]]]:
    """The blocks in which there is something of each range, up to `BATCH_BYTES` in all. Ranges of topics that do not
    exist, and those that were not looked at any more, are left out."""
    found = []
    size = 0
    known = _found([wanted.topic for wanted in ranges], connection)
    for wanted in ranges:
        if wanted.topic not in known or size >= BATCH_BYTES:
            continue
        blocks = []
        left = wanted.limit
        for block in _blocks(wanted, known[wanted.topic][0], connection):
            blocks.append(block)
            size += block.size
            left -= block.stop - max(block.first, wanted.start)
            if left <= 0 or size >= BATCH_BYTES:
                break
        found.append((wanted, blocks))
    return found


def _blocks(wanted: Range, id_: int, connection: sqlite3.Connection) -> Iterator[Block]:
    origin = _position(id_, 0)
    rows = connection.execute(
        "SELECT position, ts, key, headers, value, records FROM blocks WHERE position < :stop AND position >= coalesce("
        "(SELECT position FROM blocks WHERE position BETWEEN :origin AND :start ORDER BY position DESC LIMIT 1), :start"
        ") ORDER BY position",
        {"origin": origin, "start": origin + wanted.start, "stop": origin + wanted.stop},
    )
    for position, *row in rows:
        stored = StoredBlock(*row)
        first = position - origin
        if first + stored.records > wanted.start:  # the one before may end before
            yield read_block(wanted.topic, first, stored)


def commit(group: str, positions: Mapping[TopicPartition, int], connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO commits (topic, consumer_group, next) "
        "SELECT topics.id, ?, wanted.value FROM json_each(?) AS wanted JOIN topics ON name = wanted.key WHERE true "
        "ON CONFLICT DO UPDATE SET next = excluded.next",
        (group, _JSON.encode({where.topic: next_ for where, next_ in positions.items()}).decode()),
    )


def offsets_at(topics: Collection[str], ts: int, connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Those of the topics that exist, each with the offset of its first record of that time or later, or its end."""
    found = []
    for topic, (id_, next_) in _found(topics, connection).items():
        row = connection.execute(
            "SELECT position, ts, key, headers, value, records FROM blocks "
            "WHERE position >= ? AND position < ? AND ts >= ? ORDER BY position LIMIT 1",
            (_position(id_, 0), _position(id_ + 1, 0), ts),
        ).fetchone()
        if row is None:
            found.append((topic, next_))
        else:
            block = read_block(topic, row[0] - _position(id_, 0), StoredBlock(*row[1:]))
            found.append((topic, next(record.offset for record in block.records if record.ts >= ts)))
    return found


def delete_topic(topic: str, connection: sqlite3.Connection) -> bool:
    """Delete some of the topic's records, or, with the last of them, the topic; whether it is still there."""
    for id_, next_ in _found([topic], connection).values():
        if _delete_oldest(topic, id_, next_, None, connection):
            return True
        connection.execute("DELETE FROM commits WHERE topic = ?", (id_,))
        connection.execute("DELETE FROM topics WHERE id = ?", (id_,))
    return False


class Swept(NamedTuple):
    """Records of a topic that were deleted, and the offset of the first that is left."""

    topic: str
    records: int
    first: int


def sweep(topic: str, before: int, connection: sqlite3.Connection) -> Swept | None:
    """Delete the oldest records of the topic that may go, some thousand at most; None if there are none.

    A block goes as a whole, once every group has read the last of its records.
    """
    found = connection.execute(
        "SELECT id, min(next, (SELECT coalesce(min(next), topics.next) FROM commits WHERE topic = id)) "
        "FROM topics WHERE name = ?",
        (topic,),
    ).fetchone()
    if found is None:
        return None
    id_, stop = found
    return _delete_oldest(topic, id_, stop, before, connection)


def _delete_oldest(topic: str, id_: int, stop: int, before: int | None, connection: sqlite3.Connection) -> Swept | None:
    """Delete the oldest blocks of a topic that end before that offset, and were appended before that time if there is
    one."""
    origin = _position(id_, 0)
    deleted = 0
    end = None
    # By position, for offsets may have gaps where records were moved into another namespace.
    for position, appended, records in connection.execute(
        "SELECT position, appended, records FROM blocks WHERE position >= ? AND position < ? ORDER BY position",
        (origin, origin + stop),
    ):
        if position + records > origin + stop or (before is not None and appended >= before) or deleted >= _SWEEP_STEP:
            break
        deleted += records
        end = position + records
    if end is None:
        return None
    connection.execute("DELETE FROM blocks WHERE position >= ? AND position < ?", (origin, end))
    connection.execute("UPDATE topics SET first = ? WHERE id = ?", (end - origin, id_))
    return Swept(topic, deleted, end - origin)


def merge(topic: str, connection: sqlite3.Connection) -> bool:
    """Make one block of each run of small ones among the next some thousand records; whether there are more to look at.

    What came one by one takes a fifth of the disk then. A run that may still grow waits for the next time.
    """
    found = connection.execute("SELECT id, merged FROM topics WHERE name = ?", (topic,)).fetchone()
    if found is None:
        return False
    id_, begin = found
    origin = _position(id_, 0)
    merged = begin
    seen = 0
    runs: list[list[_Placed]] = [[]]
    for position, appended, *row in connection.execute(
        "SELECT position, appended, ts, key, headers, value, records FROM blocks "
        "WHERE position >= ? AND position < ? ORDER BY position",
        (origin + begin, _position(id_ + 1, 0)),
    ):
        placed = _Placed(position - origin, appended, StoredBlock(*row))
        if runs[-1] and not _fits(runs[-1], placed):
            runs.append([])
        if placed.row.is_small:
            runs[-1].append(placed)
        merged = placed.first + placed.row.records
        seen += placed.row.records
        if seen >= _SWEEP_STEP:
            break
    unfinished = runs.pop()
    for run in runs:
        if len(run) > 1:
            _merge_run(topic, id_, run, connection)
    merged = unfinished[0].first if unfinished else merged
    connection.execute("UPDATE topics SET merged = ? WHERE id = ?", (merged, id_))
    return seen >= _SWEEP_STEP and merged > begin


class _Placed(NamedTuple):
    """A stored block, and where and since when it is there."""

    first: int
    appended: int
    row: StoredBlock


def _fits(run: Sequence[_Placed], placed: _Placed) -> bool:
    """Whether a block can be in one with those before it."""
    return (
        placed.row.is_small
        and placed.first == run[-1].first + run[-1].row.records
        and placed.first + placed.row.records - run[0].first <= MAX_RECORDS
        and placed.appended - run[0].appended <= _MERGED_SPAN
    )


def _merge_run(topic: str, id_: int, run: Sequence[_Placed], connection: sqlite3.Connection) -> None:
    records = [record for one in run for record in read_block(topic, one.first, one.row).records]
    first, stop = run[0].first, run[0].first + len(records)
    connection.execute(
        "DELETE FROM blocks WHERE position >= ? AND position < ?", (_position(id_, first), _position(id_, stop))
    )
    for part in split(records):
        block, row = block_of(topic, first, part)
        connection.execute(_INSERT, (_position(id_, first), run[-1].appended, *row))
        first = block.stop
