"""Look-ups in the store from the command line, and how their results are printed."""

import csv
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TextIO

import msgspec

from pipeline.documents import COLLECTIONS, stamp
from pipeline.messages import INTERVALS

Format = Literal["table", "json", "csv"]

_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_FIRST: Final = ("ts", "ticker", "interval")
_HIDDEN_IN_TABLES: Final = frozenset({"_id", "lineage", "revision", "scoring", "source", "simulated", "summary", "url"})
_NUMBERS: Final = ".6g"


class QueryError(Exception):
    """The query cannot be asked; the message says what is allowed."""


def parse_since(text: str, now: datetime) -> datetime:
    """A point in time: ISO 8601 (UTC where it names no zone), or how long ago, such as 90m, 36h or 7d.

    Raises:
        QueryError
    """
    if match := _AGO.fullmatch(text.strip().lower()):
        return now - timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(
            f"--since {text!r} is no time; use 2026-01-31, 2026-01-31T09:30 (UTC), or 90m, 36h, 7d for how long ago"
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def check(collection: str, interval: str | None) -> None:
    """Raise if there is no such collection or interval.

    Raises:
        QueryError
    """
    if collection not in COLLECTIONS:
        which = f"there is no collection {collection!r}; there are" if collection else "which collection? There are"
        raise QueryError(f"{which} {', '.join(COLLECTIONS)}")
    if interval is not None and interval not in (*INTERVALS, "quote"):
        raise QueryError(f"there is no interval {interval!r}; there are {', '.join(INTERVALS)} and quote")


def write(documents: list[dict[str, Any]], format_: Format, out: TextIO = sys.stdout) -> None:
    """Print documents, the newest last: a table, JSON (one document a line) or CSV."""
    if not documents:
        print("nothing found", file=sys.stderr)
        return
    match format_:
        case "table":
            _table(documents, out)
        case "json":
            _json(documents, out)
        case "csv":
            _csv(documents, out)


def _json(documents: list[dict[str, Any]], out: TextIO) -> None:
    out.writelines(
        msgspec.json.encode(document | {"ts": stamp(document["ts"])}).decode() + "\n" for document in documents
    )


def _csv(documents: list[dict[str, Any]], out: TextIO) -> None:
    writer = csv.DictWriter(out, _columns(documents), lineterminator="\n", restval="")
    writer.writeheader()
    for document in documents:
        row = {column: _words(value) if column == "words" else value for column, value in document.items()}
        writer.writerow(row | {"ts": stamp(document["ts"])})


def _table(documents: list[dict[str, Any]], out: TextIO) -> None:
    columns = [column for column in _columns(documents) if column not in _HIDDEN_IN_TABLES]
    rows = [[_cell(document.get(column)) for column in columns] for document in documents]
    widths = [max(len(column), *(len(row[i]) for row in rows)) for i, column in enumerate(columns)]
    numeric = [all(isinstance(d.get(c), int | float | None) for d in documents) for c in columns]
    for row in [columns, *rows]:
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        out.write("  ".join(cells).rstrip() + "\n")


def _columns(documents: Iterable[dict[str, Any]]) -> list[str]:
    found = dict.fromkeys(key for document in documents for key in document)
    return [c for c in _FIRST if c in found] + [c for c in found if c not in _FIRST]


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case datetime():
            return stamp(value)
        case bool():
            return "yes" if value else "no"
        case float():
            return format(value, _NUMBERS) if abs(value) < 1e6 else f"{value:.0f}"
        case list():
            return _cell(_words(value))
        case str() if len(value) > 60:
            return value[:59] + "…"
        case _:
            return str(value)


def _words(weighed: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{word} {valence:+.1f}" for word, valence in weighed)
