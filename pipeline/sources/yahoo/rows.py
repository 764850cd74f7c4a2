"""The rows of a chart: one a timestamp, and perhaps one more for the price of now. No I/O."""

import struct
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.sources.outside import number
from pipeline.sources.yahoo.reply import Columns

_FLOAT32_DIGITS: Final = range(6, 10)
_LARGEST_FLOAT32: Final = 3e38


class ChartRow(NamedTuple):
    """What was traded in one interval; without a volume where it is not said."""

    open: float
    high: float
    low: float
    close: float
    volume: float | None


def row_at(columns: Columns, index: int) -> ChartRow | None:
    """The row at that place; None where a price is missing.

    Raises:
        ValueError: for what is not a number.
    """
    open_, high, low, close = (
        plain(number(_at(column, index))) for column in (columns.open, columns.high, columns.low, columns.close)
    )
    volume = number(_at(columns.volume, index))
    if open_ is None or high is None or low is None or close is None:
        return None
    return ChartRow(open_, high, low, close, volume)


def raw_row(at: Any, columns: Columns, index: int) -> bytes:
    """The row as it came, as JSON."""
    values = {name: _at(getattr(columns, name), index) for name in Columns.__struct_fields__}
    return msgspec.json.encode({"timestamp": at} | values)


def merged(earlier: ChartRow, later: ChartRow) -> ChartRow:
    """Two rows of one bar as one. The later is the price of now, or says the same again."""
    volumes = [volume for volume in (earlier.volume, later.volume) if volume is not None]
    return ChartRow(
        earlier.open,
        max(earlier.high, later.high),
        min(earlier.low, later.low),
        later.close,
        max(volumes, default=None),
    )


def plain(price: float | None) -> float | None:
    """The price as it was written: Yahoo's are numbers of 32 bits, sent with the digits of 64 (73.72000122070312)."""
    if price is None or not abs(price) < _LARGEST_FLOAT32 or _float32(price) != price:
        return price
    return next(short for digits in _FLOAT32_DIGITS if _float32(short := float(f"{price:.{digits}g}")) == price)


def _at(column: list[Any] | None, index: int) -> Any:
    return column[index] if column is not None and index < len(column) else None


def _float32(value: float) -> float:
    result: float = struct.unpack("f", struct.pack("f", value))[0]
    return result
