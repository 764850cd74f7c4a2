"""The columns of a CSV file of bars, by the names that publishers of such files use. Pure."""

import csv
import math
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

HEADER: Final = "datetime,open,high,low,close,volume"
"""Our own."""
PRICES: Final = ("open", "high", "low", "close")

_FIVE: Final = (*PRICES, "volume")

_NAMES: Final = {
    "time": ("unix", "unix timestamp", "datetime", "date time", "timestamp", "date", "time", "open time", "local time"),
    "open": ("open", "open price"),
    "high": ("high", "high price"),
    "low": ("low", "low price"),
    "close": ("close", "close price", "close/last", "last", "price"),
    "volume": ("volume", "vol"),
    "split": ("split coefficient", "stock splits"),
    "adjusted": ("adjusted close", "adj close", "adjclose"),
}
"""Of each column, the first that is there counts: Alpha Vantage's, Yahoo's, Nasdaq's, Stooq's, investing.com's."""
_DELIMITERS: Final = (",", ";", "\t", "|")
_SHORT: Final = 1000
_DIGITS: Final = frozenset("0123456789")
_UTC: Final = re.compile(r"\(?\b(?:utc|gmt)\b\)?")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_DECIMALS: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?(?:,[0-9]{1,18}(?:\.[0-9]{1,18})?){4}").fullmatch
"""Five of them."""
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?")
_CURRENCY: Final = re.compile(r"^([+-]?)\s*[$€£¥]\s*([+-]?)")
_MISSING: Final = frozenset({"", "-", "--", "–", "—", ".", "nan", "null", "none", "n/a", "na", "#n/a"})
_SIZES: Final = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


class ColumnsError(ValueError):
    """A line is not a header of a file of bars; the message says what it lacks."""


class CsvColumns(NamedTuple):
    """Where a file's columns are, and what their names say.

    `utc`: times are in UTC; `month_first`: they are written the American way; `as_traded`: prices before a split are
    not adjusted for it.
    """

    width: int
    delimiter: str
    times: tuple[int, ...]
    prices: tuple[int, int, int, int]
    volume: int | None
    split: int | None
    adjusted: int | None
    utc: bool
    month_first: bool
    as_traded: bool

    @property
    def knows_splits(self) -> bool:
        return self.split is not None or self.adjusted is not None

    def fields(self, line: str) -> list[str]:
        """The fields of a line, quotes taken off.

        Raises:
            ValueError: if they are not as many as the header's, or a quote is not closed.
        """
        fields = _fields(line, self.delimiter)
        if len(fields) != self.width:
            raise ValueError(f"{len(fields)} fields instead of {self.width}")
        return fields

    def time(self, fields: Sequence[str]) -> str:
        """What the fields say of the time, of date and hour where those are two."""
        return " ".join(fields[column].strip() for column in self.times)

    def values(self, fields: Sequence[str]) -> dict[str, float | None]:
        """Prices and volume, the latter None where the file has none.

        Raises:
            ValueError: if one of them is not a number, or a price is missing.
        """
        texts = [fields[column] for column in self.prices]
        if self.volume is not None:
            five = [*texts, fields[self.volume]]
            if _DECIMALS(",".join(five)):  # by far most are
                return dict(zip(_FIVE, map(float, five), strict=True))
        values: dict[str, float | None] = {
            name: self._price(name, text) for name, text in zip(PRICES, texts, strict=True)
        }
        return values | {"volume": None if self.volume is None else self._volume(fields[self.volume])}

    def adjustments(self, fields: Sequence[str]) -> tuple[float | None, float | None]:
        """The split in the row, new shares for one old, and the adjusted close; None where it has none."""
        split, adjusted = (
            None if column is None or _is_missing(fields[column]) else self._number(name, fields[column])
            for name, column in (("split", self.split), ("adjusted close", self.adjusted))
        )
        return split or None, adjusted  # Yahoo writes 0 where there is no split

    def _price(self, name: str, text: str) -> float:
        if _is_missing(text):
            raise ValueError(f"{name} is missing")
        return self._number(name, text)

    def _volume(self, text: str) -> float | None:
        if _is_missing(text):
            return None
        size = _SIZES.get(text.strip()[-1].lower())
        return self._number("volume", text.strip()[:-1] if size else text) * (size or 1.0)

    def _number(self, name: str, text: str) -> float:
        """Signs of currency are taken off, and commas where they part thousands and not fields or decimals."""
        plain = text
        if not _NUMBER.fullmatch(plain):
            plain = _CURRENCY.sub(r"\1\2", text.strip())
            if self.delimiter == "," and _THOUSANDS.fullmatch(plain):
                plain = plain.replace(",", "")
            if not _NUMBER.fullmatch(plain):
                raise ValueError(f"{name} {text!r} is not a number")
        number = float(plain)
        if not math.isfinite(number):
            raise ValueError(f"{name} {text!r} is too large")
        return number


def columns_of(line: str) -> CsvColumns:
    """The columns that a header names, whatever their order and case; columns of other names are ignored.

    Raises:
        ColumnsError: if it is not a header, or names a column twice.
    """
    lacking: list[str] = []
    for delimiter in _DELIMITERS:
        try:
            names = [_name(field) for field in _fields(line, delimiter)]
        except ValueError:
            continue
        found = {column: next((n for n in known if n in names), None) for column, known in _NAMES.items()}
        missing = [column for column in ("time", *PRICES) if found[column] is None]
        if not missing:
            return _columns(names, found, delimiter, line)
        if len(missing) < len(PRICES) + 1 and (not lacking or len(missing) < len(lacking)):
            lacking = missing
    raise ColumnsError(f"it has no column {', '.join(lacking)}" if lacking else "it has no column names")


def _columns(names: list[str], found: dict[str, str | None], delimiter: str, line: str) -> CsvColumns:
    at: dict[str, int] = {}
    for column, name in found.items():
        if name is not None:
            if names.count(name) > 1:
                raise ColumnsError(f"it names {name} twice")
            at[column] = names.index(name)
    times = [at["time"]]
    if found["time"] == "date" and names.count("time") == 1:
        times.append(names.index("time"))
    return CsvColumns(
        width=len(names),
        delimiter=delimiter,
        times=tuple(times),
        prices=(at["open"], at["high"], at["low"], at["close"]),
        volume=at.get("volume"),
        split=at.get("split"),
        adjusted=at.get("adjusted"),
        utc=_UTC.search(_fields(line, delimiter)[at["time"]].lower()) is not None,
        month_first=found["close"] == "close/last",
        as_traded=found["split"] == "split coefficient",
    )


def _fields(line: str, delimiter: str) -> list[str]:
    if line and len(line) < _SHORT and _is_plain(line):
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"it is not a line of CSV: {error}") from error


def _is_plain(line: str) -> bool:
    """Whether its fields are just what is between its delimiters. A date may be followed by its time."""
    if '"' in line or "\r" in line or "\n" in line or "\0" in line:
        return False
    before, space, after = line.partition(" ")
    return not space or (before != "" and before[-1] in _DIGITS and " " not in after)


def _name(field: str) -> str:
    """``<CLOSE>``, ``4. close``, ``Adj Close**``, ``split_coefficient``, ``Vol.`` and the like in one form."""
    name = _UTC.sub("", field.lower())
    name = re.sub(r"^\s*\d+[a-z]?\.\s+|[<>*\"]", "", name)
    return " ".join(name.replace("_", " ").split()).rstrip(".")


def _is_missing(text: str) -> bool:
    return not text[-1:].isdigit() and text.strip().lower() in _MISSING
