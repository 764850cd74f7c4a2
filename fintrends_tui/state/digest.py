"""What a message says, in one line or field by field. Pure; what comes out is as hostile as what went in."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from fintrends_tui.state import format as fmt

_WIDEST = 24
"""Of a number; those that others made up may be of any size."""
_SHORT = ("simulated", "ticker", "type", "ts", "source")


@lru_cache(maxsize=4096)
def digest(value: str) -> str:
    """The gist of a message of ours; of anything else, its text."""
    fields = decoded(value)
    if fields is None:
        return value
    match fields.get("type"):
        case "bar":
            parts = (f"{name[0].upper()} {_price(fields.get(name))}" for name in ("close", "open", "high", "low"))
            forming = "" if fields.get("closed", True) else "○ "
            return f"{forming}{fields.get('interval')} {' '.join(parts)} vol {_number(fields.get('volume'))}"
        case "quote":
            return f"price {_price(fields.get('price'))} previous close {_price(fields.get('previous_close'))}"
        case "split":
            return f"split {_count(fields.get('numerator'))} for {_count(fields.get('denominator'))}"
        case "dividend":
            return f"dividend {_price(fields.get('amount'))} {fields.get('currency') or ''}".rstrip()
        case "indicators":
            names = ("close", "rsi_14", "macd_hist", "sma_20", "vwap")
            return f"{fields.get('interval')} " + " ".join(f"{n} {_number(fields.get(n))}" for n in names)
        case "forecast":
            horizons = fields.get("horizons")
            known = [said for said in horizons if isinstance(said, dict)] if isinstance(horizons, list) else []
            said = (f"{said.get('horizon')} ahead {_band(said)}" for said in known)
            return f"{fields.get('interval')} close {_price(fields.get('close'))}, 80 % {', '.join(said)}"
        case "article":
            return str(fields.get("title"))
        case "post":
            return str(fields.get("text"))
        case "sentiment":
            score = fields.get("compound")
            arrow = fmt.arrow(score) if isinstance(score, int | float) else ""
            return f"{arrow} {_number(score)} {fields.get('text')}"
        case "economic":
            return (
                f"{fields.get('series')} {fields.get('interval')} {_number(fields.get('value'))} {fields.get('unit')}"
            )
        case "dead_letter":
            return f"{fields.get('topic')}/{fields.get('partition')} @{fields.get('offset')}: {fields.get('reason')}"
        case _:
            return " ".join(f"{name} {_plain(field)}" for name, field in fields.items() if name not in _SHORT)


def described(value: str) -> list[tuple[str, str]]:
    """Name and value of every field, in their order; of what is no JSON object, its text alone."""
    fields = decoded(value)
    if fields is None:
        return [("value", value)]
    return [(name, _plain(field)) for name, field in fields.items()]


def decoded(value: str) -> Mapping[str, Any] | None:
    """The JSON object that the text is; None if it is none."""
    try:
        found = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _number(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 1e6:
        return fmt.human(value)
    return _price(value)


def _count(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) and abs(value) < 1e6 else _number(value)


def _price(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return fmt.UNKNOWN if value is None else str(value)
    return fmt.price(value, _WIDEST)


def _band(said: Mapping[str, Any]) -> str:
    return f"{_price(said.get('low_80'))} to {_price(said.get('high_80'))}"


def _plain(value: object) -> str:
    """Without quotes around texts; what is nested stays JSON."""
    match value:
        case None:
            return fmt.UNKNOWN
        case str():
            return value
        case _:
            return msgspec.json.encode(value).decode()
