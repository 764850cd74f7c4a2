"""Queries on the store from the command line, and how their results are printed."""

import csv
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final, Literal, TextIO
from zoneinfo import ZoneInfo

import msgspec

from pipeline.model import times
from pipeline.model.documents import COLLECTIONS, OTHER_THAN_BARS, stamp
from pipeline.model.instruments import zone_of
from pipeline.model.messages import INTERVALS
from pipeline.model.numbers import plain
from pipeline.model.text import spreadsheet_cell
from pipeline.ops.lines import lines_of
from pipeline.store.base import Query, Store
from pipeline.system.streams import json_for, remark

Format = Literal["table", "json", "csv"]

FIRST_COLUMNS: Final = ("ts", "day", "ticker", "interval", "source")
_HIDDEN_IN_TABLES: Final = frozenset({"_id", "lineage", "revision", "scoring", "simulated", "summary", "url"})
_OF_FORECASTS: Final = frozenset(
    {"ts", "day", "ticker", "interval", "source", "close", "up", "horizon", "low_80", "high_80", "count", "held_80"}
    | {"skill", "up_skill"}
)
"""What a table of forecasts shows: all of it would be three times as wide as a screen."""
_MANY: Final = 1 << 31
"""More documents than anybody asks for."""


class QueryError(Exception):
    """The query cannot be asked; the message says what is allowed."""


def parse_time(text: str, now: datetime, flag: str = "--since") -> datetime:
    """The time that the flag names, as `pipeline.model.times` reads it.

    Raises:
        QueryError
    """
    try:
        return times.parse_time(text, now)
    except times.InvalidTimeError as error:
        raise QueryError(f"{flag} {error}") from error


def check(collection: str, interval: str | None) -> None:
    """Raise if there is no such collection or interval.

    Raises:
        QueryError
    """
    if collection not in COLLECTIONS:
        what = f"there is no collection {collection!r}" if collection else "name a collection"
        raise QueryError(f"{what}; the collections are {', '.join(COLLECTIONS)}")
    others = tuple(OTHER_THAN_BARS.values())
    if interval is not None and interval not in (*INTERVALS, *others):
        names = ", ".join((*INTERVALS, *others))
        raise QueryError(f"there is no interval {interval!r}; the intervals are {names}")


async def find(store: Store, wanted: Query, format_: Format) -> list[dict[str, Any]]:
    """What is asked for. Bars, quotes, splits and dividends have no columns in common: of all, a table or CSV shows the
    bars, and a sentence on stderr mentions the others.

    Raises:
        StoreError
    """
    if wanted.last is not None and wanted.last >= _MANY:
        wanted = replace(wanted, last=None)
    if wanted.collection != "stock_data" or wanted.interval is not None or format_ == "json":
        return await store.find(wanted)
    for other in OTHER_THAN_BARS.values():
        if await store.find(replace(wanted, interval=other, last=1)):
            remark(f"{other}s are left out; --interval {other} shows them")
    bars = [bar for interval in INTERVALS for bar in await store.find(replace(wanted, interval=interval))]
    bars.sort(key=lambda bar: (bar["ts"], bar["_id"]))
    return bars[-wanted.last :] if wanted.last else bars


def write(documents: list[dict[str, Any]], format_: Format, zone: ZoneInfo, out: TextIO = sys.stdout) -> None:
    """Print documents, the newest last: a table, JSON (one document a line) or CSV.

    What is of daily bars is of a day of the exchange, of `zone` where the symbol names none: `ts` is its beginning.
    Tables show the day instead, JSON and CSV beside it. Of forecasts, tables and CSV have a line for each
    horizon, and tables the 80 % band alone.
    """
    if not documents:
        remark("nothing found")
        return
    match format_:
        case "table":
            _table([line for document in documents for line in lines_of(document)], zone, out)
        case "json":
            _json(documents, zone, out)
        case "csv":
            _csv([line for document in documents for line in lines_of(document)], zone, out)


def day_of(document: Mapping[str, Any], zone: ZoneInfo) -> date | None:
    """The day that a daily bar, or its row of indicators, is of; an economic series has its days in UTC."""
    ts = document.get("ts")
    if document.get("interval") != "daily" or "ticker" not in document or not isinstance(ts, datetime):
        return None
    return ts.astimezone(zone_of(str(document["ticker"]), zone)).date()


def _timed(document: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """The document with its times as text. What others put into the store may have none, or no time there."""
    day, ts = day_of(document, zone), document.get("ts")
    times = {"day": day, "ts": stamp(ts) if isinstance(ts, datetime) else ts}
    return document | {name: str(time) for name, time in times.items() if time is not None}


def _json(documents: list[dict[str, Any]], zone: ZoneInfo, out: TextIO) -> None:
    # `str` is for what others put into the store, such as the identities that MongoDB makes.
    encoded = (msgspec.json.encode(_timed(document, zone), enc_hook=str).decode() for document in documents)
    out.writelines(json_for(line, out) + "\n" for line in encoded)


def _csv(documents: list[dict[str, Any]], zone: ZoneInfo, out: TextIO) -> None:
    documents = [_timed(document, zone) for document in documents]
    writer = csv.DictWriter(out, _columns(documents), lineterminator="\n", restval="")
    writer.writeheader()
    for document in documents:
        writer.writerow({column: csv_cell(value) for column, value in document.items()})


def csv_cell(value: Any) -> Any:
    """The value as a cell of CSV: text that a spreadsheet would run as a formula begins with ``'``."""
    if isinstance(value, datetime):
        return stamp(value)
    text = _words(value) if isinstance(value, list) else value
    return spreadsheet_cell(text) if isinstance(text, str) else text


def _table(documents: list[dict[str, Any]], zone: ZoneInfo, out: TextIO) -> None:
    documents = [document | {"ts": _when(document, zone)} for document in documents]
    columns = [column for column in _columns(documents) if column not in _HIDDEN_IN_TABLES]
    if "horizon" in columns:
        columns = [column for column in columns if column in _OF_FORECASTS]
    rows = [[_cell(document.get(column)) for column in columns] for document in documents]
    widths = [max(len(column), *(len(row[i]) for row in rows)) for i, column in enumerate(columns)]
    numeric = [all(isinstance(d.get(c), int | float | None) for d in documents) for c in columns]
    for row in [columns, *rows]:
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        out.write("  ".join(cells).rstrip() + "\n")


def _when(document: dict[str, Any], zone: ZoneInfo) -> Any:
    day = day_of(document, zone)
    return day.isoformat() if day else document.get("ts")


def _columns(documents: Iterable[dict[str, Any]]) -> list[str]:
    found = dict.fromkeys(key for document in documents for key in document)
    return [c for c in FIRST_COLUMNS if c in found] + [c for c in found if c not in FIRST_COLUMNS]


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case datetime():
            return stamp(value)
        case bool():
            return "yes" if value else "no"
        case float():
            return plain(value)
        case list():
            return _cell(_words(value))
        case str() if len(value) > 60:
            return value[:59] + "…"
        case _:
            return str(value)


def _words(weighed: Any) -> str:
    try:
        return ", ".join(f"{word} {valence:+.1f}" for word, valence in weighed)
    except (TypeError, ValueError):  # somebody else's
        return str(weighed)
