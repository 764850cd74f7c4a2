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

_AT_ONCE: Final = 5_000
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
        found: list[BarTable] = []
        for shape, rows in groupby(part, key=itemgetter(2)):
            found += _tables(reader, series, shape, list(rows), connection, simulated=simulated)
        if found:
            yield found


def _tables(
    reader: Reader,
    series: StoredSeries,
    shape: int,
    rows: list[_Row],
    connection: sqlite3.Connection,
    *,
    simulated: bool,
) -> list[BarTable]:
    times, keys, _, bodies, versions = zip(*rows, strict=True)
    if shape != PLAIN and all(type(version) is bytes and len(version) == RANK_BYTES for version in versions):
        table = _table(series, reader.shape(shape, connection), times, bodies, b"".join(versions))
        if table is not None and table.simulated.count(simulated) == len(table):
            return [table]
    # Or each as a document, which may be somebody else's.
    found = ((ts, series.key(ts, key), series, shape, body) for ts, key, body in zip(times, keys, bodies, strict=True))
    return bars_in(reader.documents(found, connection), simulated=simulated)


def _table(
    series: StoredSeries, shape: Shape, times: tuple[int, ...], bodies: tuple[bytes, ...], ranks: bytes
) -> BarTable | None:
    """None where the bodies are not those of bars."""
    if "source" not in series.texts or not _TYPES.keys() <= set(shape):
        return None
    try:
        columns = dict(zip(shape, zip(*_decoder(shape).decode(joined(bodies)), strict=True), strict=True))
    except msgspec.ValidationError:
        return None
    fields: dict[str, Any] = {name: columns[name] for name in _TYPES}
    return BarTable(ts=times, ranks=ranks, **series.texts | fields)


@lru_cache
def _decoder(shape: Shape) -> msgspec.msgpack.Decoder[Any]:
    types = tuple(_TYPES.get(name, Any) for name in shape)
    return msgspec.msgpack.Decoder(list[tuple[types]])  # type: ignore[valid-type]
