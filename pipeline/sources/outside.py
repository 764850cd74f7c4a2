"""Values as providers send them: an optional one that is null, missing or impossible is unknown and does not affect the
others."""

import math
import re
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec

MISSING: Final = frozenset({"", ".", "-", "--", "none", "null"})
LEFT_OUT: Final = MISSING | {"n/a", "na", "nan", "nd"}
"""Marks of what a publisher has left out of a series."""
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_COMPACT: Final = re.compile(r"\d{8}T\d{4}(?:\d{2})?", re.ASCII)
_PLAIN: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def text_or_none(value: object) -> str | None:
    """The text, or None for what is none."""
    return value if isinstance(value, str) else None


def number(value: object, missing: frozenset[str] = MISSING) -> float | None:
    """The number, which may be written as text; None for what is marked as missing.

    Raises:
        ValueError: if it is not a number, or not finite.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in missing):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"Expected a number, got `{type(value).__name__}`")
    result = float(value)
    if not math.isfinite(result):
        raise ValueError(f"{value} is not a finite number")
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is None:  # 1_000 and the digits of other scripts
        raise ValueError(f"could not convert string to float: {value!r}")
    return result


def number_or_none(value: object, allowed: Any) -> float | None:
    """The number if the type of the domain allows it, else None: it is unknown."""
    try:
        known = number(value)
        result: float | None = None if known is None else msgspec.convert(known, allowed)
    except (ValueError, OverflowError):
        return None
    return result


def moment(text: str, zone: tzinfo | None) -> datetime:
    """The time, aware: a date, or one with hours and minutes, and perhaps seconds, of `zone` where it names none.

    Written as ``2026-11-27 10:30:00`` or ``20261127T103000``, and nothing else: a shorter text is not read as another
    time.

    Raises:
        ValueError
    """
    if _COMPACT.fullmatch(text) is None and _PLAIN.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a time that is known")
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None and zone is None:
        raise ValueError(f"{text!r} is a time without a zone")
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=zone)
