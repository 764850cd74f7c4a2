"""Tables as CSV files, with the cells that `query --format csv` prints."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipeline.ops.query import csv_cell
from pipeline.ops.tabular import Row, TableColumn


class CsvFile:
    """A file that is being written, in UTF-8."""

    def __init__(self, path: Path, columns: Sequence[TableColumn]) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(column.name for column in columns)

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows([csv_cell(value) for value in row] for row in rows)

    def close(self) -> None:
        self._file.close()
