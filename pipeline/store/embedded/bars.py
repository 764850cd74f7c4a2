"""Rows of bars become columns at once, without a document or a message for each."""

import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec

from pipeline.model.bar_table import RANK_BYTES, BarTable
from pipeline.store.bars import bars_in
from pipeline.store.base import Query
from pipeline.store.embedded.bodies import PLAIN, Shape, joined
from pipeline.store.embedded.reading import Reader, StoredSeries, parts_of

_AT_ONCE: Final = 2_000
"""Rows: few enough that the event loop does not wait for long while they are decoded."""
_TYPES: Final[dict[str, Any]] = {
    "simulated": bool,
    "open": float,
    "high": float,
    "low": float,
    "close": float,
    "volume": float | None,
}
"""The fields that the columns are made from."""

_Row = tuple[int, str, int, bytes, Any]
"""Time, key, shape, body and version."""


def tables(
    reader: Reader, query: Query, series: StoredSeries, connection: sqlite3.Connection, *, simulated: bool
) -> Iterator[list[BarTable]]:
    """The bars of the series, which is one of bars. They are read when they are asked for."""
    columns = "ts, key, shape, body, version"
    for part in parts_of(query, series, _AT_ONCE, connection, columns=columns):
        found = [
            table
            for shape, rows in _by_shape(part)
            for table in _tables(reader, series, shape, rows, connection, simulated=simulated)
        ]
        if found:
            yield found


def _by_shape(rows: list[_Row]) -> Iterator[tuple[int, list[_Row]]]:
    """The rows in runs of one shape: nearly always there is one."""
    if len({row[2] for row in rows}) == 1:
        yield rows[0][2], rows
        return
    for shape, run in groupby(rows, key=itemgetter(2)):
        yield shape, list(run)


def _tables(
    reader: Reader,
    series: StoredSeries,
    shape: int,
    rows: list[_Row],
    connection: sqlite3.Connection,
    *,
    simulated: bool,
) -> list[BarTable]:
    if shape != PLAIN:
        table = _table(series, reader.shape(shape, connection), rows)
        if table is not None and table.simulated.count(simulated) == len(table):
            return [table]
    # Or each as a document, which may be somebody else's.
    found = ((ts, key, series, shape, body) for ts, key, _, body, _ in rows)
    return bars_in(reader.documents(found, connection), simulated=simulated)


def _table(series: StoredSeries, shape: Shape, rows: list[_Row]) -> BarTable | None:
    """None where the rows are not those of bars."""
    times, _, _, bodies, versions = zip(*rows, strict=True)
    if "source" not in series.texts or not _TYPES.keys() <= set(shape) or set(map(len, versions)) != {RANK_BYTES}:
        return None
    try:
        ranks = b"".join(versions)
        columns = dict(zip(shape, zip(*_decoder(shape).decode(joined(bodies)), strict=True), strict=True))
    except (msgspec.ValidationError, TypeError):  # TypeError: of a version that is text
        return None
    fields: dict[str, Any] = {name: columns[name] for name in _TYPES}
    return BarTable(ts=times, ranks=ranks, **series.texts | fields)


@lru_cache
def _decoder(shape: Shape) -> msgspec.msgpack.Decoder[Any]:
    types = tuple(_TYPES.get(name, Any) for name in shape)
    return msgspec.msgpack.Decoder(list[tuple[types]])  # type: ignore[valid-type]
