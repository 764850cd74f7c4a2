"""Tables as Parquet files; nothing else imports pyarrow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ops.tabular import ColumnType, Row, TableColumn

ROW_GROUP: Final = 1 << 16
"""Rows that are held until they are written; a group that is much smaller is slow to read."""

_TYPES: Final[dict[ColumnType, Any]] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "day": pa.date32(),
    "words": pa.list_(pa.struct({"word": pa.string(), "valence": pa.float64()})),
}


class ParquetFile:
    """A file that is being written; it can be read once it is closed."""

    def __init__(self, path: Path, columns: Sequence[TableColumn], metadata: Mapping[str, str]) -> None:
        """`metadata` is what `pyarrow.parquet.read_schema(path).metadata` gives back, as bytes."""
        self._schema = pa.schema([(c.name, _TYPES[c.type]) for c in columns], metadata=dict(metadata))
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._parts: list[Any] = []
        self._rows = 0

    def write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        values = [pa.array(v, type=f.type) for v, f in zip(zip(*rows, strict=True), self._schema, strict=True)]
        self._parts.append(pa.record_batch(values, schema=self._schema))
        self._rows += len(rows)
        if self._rows >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is held, and the footer."""
        try:
            self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        if self._parts:
            self._writer.write_table(pa.Table.from_batches(self._parts), row_group_size=self._rows)
        self._parts, self._rows = [], 0
