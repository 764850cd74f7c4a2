"""FRED's answers as messages: a CSV of two columns, or JSON from the API. No I/O."""

import csv
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from pipeline.model.messages import DeadLetter, EconomicPoint
from pipeline.model.redaction import redact
from pipeline.net.errors import HttpError
from pipeline.sources.fred.series import FredSeries
from pipeline.sources.outside import LEFT_OUT, moment, number

SOURCE: Final = "fred"
AHEAD: Final = timedelta(days=1)
"""How far a date may be ahead of ours, which is that of another zone."""
_DATE_COLUMNS: Final = ("observation_date", "DATE")


class FredReplyError(HttpError):
    """The answer is something else than the series that was asked for."""

    def __init__(self, why: str) -> None:
        super().__init__(SOURCE, why)


def read_csv(body: bytes, series: FredSeries, now: datetime) -> tuple[list[EconomicPoint], list[DeadLetter]]:
    """The points of `fredgraph.csv`, oldest first, and a dead letter for each row that does not fit.

    Raises:
        FredReplyError
    """
    try:
        lines = body.decode("utf-8-sig").splitlines()
        header, *rows = csv.reader(lines)
    except (ValueError, csv.Error) as error:  # ValueError: no line at all, or bad UTF-8
        raise FredReplyError(f"the answer for {series.id} is no table") from error
    if len(header) != 2 or header[0] not in _DATE_COLUMNS or header[1] != series.id:
        what = "a web page" if body.lstrip().startswith(b"<") else "another table"
        raise FredReplyError(f"the answer for {series.id} is {what}")
    return _points(((",".join(row), row) for row in rows if row), series, now, "")


class _Observation(msgspec.Struct):
    date: str
    value: Any = None


class _Observations(msgspec.Struct):
    observations: list[msgspec.Raw]


_REPLY: Final = msgspec.json.Decoder(_Observations)
_OBSERVATION: Final = msgspec.json.Decoder(_Observation)


def read_json(
    body: bytes, series: FredSeries, now: datetime, secret: str
) -> tuple[list[EconomicPoint], list[DeadLetter]]:
    """As `read_csv`, of `series/observations`; `secret` is the key, which a dead letter must not hold.

    Raises:
        FredReplyError
    """
    try:
        observations = _REPLY.decode(body).observations
    except (ValueError, RecursionError) as error:
        what = "a web page" if body.lstrip().startswith(b"<") else "not as documented"
        raise FredReplyError(f"the answer for {series.id} is {what}") from error
    return _points(((bytes(raw).decode("utf-8", "replace"), raw) for raw in observations), series, now, secret)


def _points(
    rows: Iterable[tuple[str, list[str] | msgspec.Raw]], series: FredSeries, now: datetime, secret: str
) -> tuple[list[EconomicPoint], list[DeadLetter]]:
    shared = {
        "type": "economic",
        "series": series.name,
        "interval": series.interval,
        "unit": series.unit,
        "revision": int(now.timestamp() * 1000),
        "source": SOURCE,
    }
    points: dict[datetime, EconomicPoint] = {}
    misfits: list[DeadLetter] = []
    for text, row in rows:
        try:
            date, value = _fields(row)
            ts = moment(date, UTC)
            if ts - AHEAD > now:
                raise ValueError(f"{date} is a time to come")
            points[ts] = msgspec.convert(shared | {"ts": ts, "value": number(value, LEFT_OUT)}, EconomicPoint)
        except (ValueError, OverflowError, RecursionError) as error:
            misfits.append(_misfit(text, str(error), series, now, secret))
    return [points[ts] for ts in sorted(points)], misfits


def _fields(row: list[str] | msgspec.Raw) -> tuple[str, Any]:
    if isinstance(row, list):
        if len(row) != 2:
            raise ValueError(f"it has {len(row)} columns")
        return row[0], row[1]
    observation = _OBSERVATION.decode(row)
    return observation.date, observation.value


def _misfit(text: str, reason: str, series: FredSeries, now: datetime, secret: str) -> DeadLetter:
    """The same row has the same offset at every request."""
    return DeadLetter(
        ts=now,
        topic=f"{SOURCE}:{series.id}",
        partition=0,
        offset=int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).digest()),
        reason=redact(reason, [secret])[:300],
        payload=redact(text[:4096], [secret])[:2048],
    )
